"""Figures of scored, labelled posts, and the intervals around them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from eval_support import made_up_decisions

from moderation.evaluation.bootstrap import bootstrap_intervals
from moderation.evaluation.evaluation import evaluate_decisions, group_cells
from moderation.evaluation.figures import (
    FIGURES,
    Cells,
    average_precision,
    calibration_bins,
    calibration_error,
    cell_figures,
)
from moderation.types import POLICIES


def counted(labels, scores, actions=None, languages=None) -> Cells:
    labels = np.array(labels, float)
    none = np.zeros(len(labels), np.int64)
    return Cells.count(
        labels,
        np.array(scores, float),
        none if actions is None else np.array(actions),
        none if languages is None else np.array(languages),
    )


def figures(cells: Cells) -> dict[str, float]:
    found = cell_figures(cells, cells.counts.astype(float)[np.newaxis])[0]
    return dict(zip(FIGURES, found.tolist(), strict=True))


def sample(seed: int, posts: int, decimals: int):
    """Return labels and scores; few decimals make many posts share a score."""
    random = np.random.default_rng(seed)
    labels = (random.random(posts) < 0.2).astype(float)
    scores = np.clip(random.normal(0.3 + 0.3 * labels, 0.2), 0, 1).round(decimals)
    return labels, scores


@pytest.mark.parametrize("decimals", [1, 2, 4])
@pytest.mark.parametrize("seed", range(5))
def test_average_precision_and_brier_are_those_of_scikit_learn(seed: int, decimals: int):
    metrics = pytest.importorskip("sklearn.metrics", reason="needs the extra eval")
    labels, scores = sample(seed, 300, decimals)
    found = figures(counted(labels, scores))
    expected = metrics.average_precision_score(labels, scores)
    assert found["average_precision"] == pytest.approx(expected, abs=1e-12)
    assert average_precision(labels, scores) == pytest.approx(expected, abs=1e-12)
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(labels, scores), abs=1e-12)


def test_figures_of_six_posts_by_hand():
    # Ranked: 1 0 1 | 1 0 0; the first is blocked, the first three are flagged.
    cells = counted([1, 0, 1, 1, 0, 0], [0.9, 0.8, 0.7, 0.2, 0.1, 0.0], [2, 1, 1, 0, 0, 0])
    found = figures(cells)
    assert found["average_precision"] == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["f1"] == pytest.approx(2 / 3)
    assert found["block_precision"] == 1
    assert found["block_recall"] == pytest.approx(1 / 3)
    assert found["flagged_innocent"] == pytest.approx(1 / 3)
    assert found["blocked_innocent"] == 0
    squares = [0.01, 0.64, 0.09, 0.64, 0.01, 0.0]
    assert found["brier"] == pytest.approx(sum(squares) / 6)


def test_calibration_error_by_hand():
    # Two bins of equal mass: mean score .2 against 1 of 4, and .8 against 2 of 4.
    labels = [0, 0, 0, 1, 0, 0, 1, 1]
    scores = [0.1, 0.1, 0.3, 0.3, 0.7, 0.7, 0.9, 0.9]
    cells = counted(labels, scores)
    assert calibration_error(cells, bins=2) == pytest.approx((0.05 * 4 + 0.3 * 4) / 8)


def test_bins_have_equal_mass_and_never_part_a_score():
    labels, scores = sample(3, 6000, 4)
    cells = counted(labels, scores)
    bins = calibration_bins(cells)
    sizes = np.bincount(bins, cells.counts)
    assert len(sizes) == 15
    tied = np.bincount(np.unique(cells.scores, return_inverse=True)[1], cells.counts).max()
    assert np.abs(sizes - 400).max() <= tied
    for score in np.unique(cells.scores):
        assert len(set(bins[cells.scores == score])) == 1


def test_perfect_probabilities_have_hardly_any_calibration_error():
    random = np.random.default_rng(4)
    scores = random.random(50_000).round(4)
    cells = counted(random.random(50_000) < scores, scores)
    assert calibration_error(cells) < 0.02
    assert calibration_error(counted(cells.positive, cells.scores**3)) > 0.1


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_leaves_figures_undefined_without_a_warning(label: int):
    cells = counted([label] * 20, np.linspace(0, 1, 20), [0] * 10 + [1] * 5 + [2] * 5)
    found = figures(cells)
    undefined = {name for name, value in found.items() if math.isnan(value)}
    expected = {
        0: {"average_precision", "recall", "f1", "block_recall"},
        1: {"flagged_innocent", "blocked_innocent"},
    }
    assert undefined == expected[label]
    intervals = bootstrap_intervals(cells, 50, 0)
    assert set(intervals) == set(FIGURES) - undefined


def test_no_posts_have_no_figures():
    cells = counted([], [])
    assert all(math.isnan(value) for value in figures(cells).values())
    assert math.isnan(calibration_error(cells))
    assert bootstrap_intervals(cells, 50, 0) == {}


def test_a_resample_of_every_post_once_gives_the_figures_themselves():
    labels, scores = sample(5, 500, 2)
    actions = (scores > 0.5).astype(int) + (scores > 0.8)
    cells = counted(labels, scores, actions)
    single = counted(labels, scores, actions, np.arange(500))
    assert figures(single) == pytest.approx(figures(cells), nan_ok=True)
    assert cells.counts.sum() == 500
    assert len(cells.counts) < 200


def test_intervals_are_those_of_posts_drawn_one_by_one():
    labels, scores = sample(6, 1000, 2)
    actions = (scores > 0.5).astype(int)
    intervals = bootstrap_intervals(counted(labels, scores, actions), 4000, 1)
    random = np.random.default_rng(2)
    drawn = []
    for _ in range(2000):
        rows = np.concatenate(
            [random.choice(np.flatnonzero(labels == y), int((labels == y).sum())) for y in (0, 1)]
        )
        drawn.append(list(figures(counted(labels[rows], scores[rows], actions[rows])).values()))
    expected = np.nanquantile(np.array(drawn)[:, :4], [0.025, 0.975], axis=0)
    for column, name in enumerate(FIGURES[:4]):
        assert intervals[name] == pytest.approx(expected[:, column], abs=0.015)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """Scores of both classes are normal, so that recall and false alarms are known."""
    truth = {"recall": 0.841345, "flagged_innocent": 0.158655}
    covered = dict.fromkeys(truth, 0)
    runs = 300
    for run in range(runs):
        random = np.random.default_rng(run)
        labels = np.repeat([0.0, 1.0], 150)
        scores = np.round(random.normal(labels, 0.5), 4)
        cells = counted(labels, scores, (scores > 0.5).astype(int))
        intervals = bootstrap_intervals(cells, 300, run)
        for name, value in truth.items():
            covered[name] += intervals[name][0] <= value <= intervals[name][1]
    for count in covered.values():
        assert 0.90 <= count / runs <= 0.985


def test_none_of_many_is_not_surely_none():
    cells = counted([0] * 1000 + [1] * 10, [0.1] * 1000 + [0.9] * 10, [0] * 1000 + [2] * 10)
    intervals = bootstrap_intervals(cells, 200, 0)
    low, high = intervals["blocked_innocent"]
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / 1000))
    assert intervals["recall"] == pytest.approx((0.025 ** (1 / 10), 1))


def test_intervals_are_the_same_for_the_same_seed_only():
    cells = counted(*sample(7, 400, 3))
    assert bootstrap_intervals(cells, 100, 1) == bootstrap_intervals(cells, 100, 1)
    assert bootstrap_intervals(cells, 100, 1) != bootstrap_intervals(cells, 100, 2)
    assert bootstrap_intervals(cells, 0, 1) == {}


def test_labels_that_are_null_count_nowhere():
    decisions = made_up_decisions()
    rows = np.arange(len(decisions)) % 3 == 0
    decisions.labels[rows, 1] = np.nan
    figures_by_group = {
        (g.policy, g.language): g for g in evaluate_decisions(decisions, {}, resamples=0).groups
    }
    assert figures_by_group["porn", "all"].posts == 400
    assert figures_by_group["drugs", "all"].posts == int((~rows).sum())
    kept = counted(
        decisions.labels[~rows, 1], decisions.scores[~rows, 1], decisions.actions[~rows, 1]
    )
    found = figures_by_group["drugs", "all"].values
    assert {name: found[name] for name in FIGURES} == pytest.approx(figures(kept))


def test_a_group_s_intervals_do_not_depend_on_the_others():
    decisions = made_up_decisions()
    whole = evaluate_decisions(decisions, {}, resamples=50, seed=3)
    decisions.labels[:, 0] = np.nan
    part = evaluate_decisions(decisions, {}, resamples=50, seed=3)
    assert part.groups == tuple(g for g in whole.groups if g.policy != POLICIES[0])


def test_languages_add_up():
    decisions = made_up_decisions()
    for column in range(3):
        parts = [group_cells(decisions, column, name).counts.sum() for name in ("zh", "en")]
        parts.append(group_cells(decisions, column, "mixed").counts.sum())
        assert sum(parts) == group_cells(decisions, column, "all").counts.sum() == 400
