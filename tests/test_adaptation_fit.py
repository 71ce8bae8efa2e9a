"""Heads, calibration and operating points: what few labels may move, and what they may not."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy import sparse

from moderation.adaptation.card import Comparison, Figures, worse
from moderation.adaptation.head import (
    Blocks,
    Priors,
    Rows,
    choose,
    folds,
    log_loss,
    sigmoid,
)
from moderation.adaptation.points import LEAST, fit_points, fit_scaling
from moderation.types import LANGUAGES

PIECES = 40


def make_rows(
    count: int, *, seed: int = 0, anchors: int = 0, informative: bool = True
) -> tuple[Rows, Blocks]:
    """Return posts whose labels depend on the first feature, or on nothing."""
    generator = np.random.default_rng(seed)
    total = count + anchors
    features = generator.normal(size=(total, 6))
    tokens = sparse.random(total, PIECES, 0.1, "csr", rng=generator)
    slope = generator.choice([1.0, 1.5], total)
    offset = generator.normal(size=total)
    odds = offset + (3.0 * features[:, 0] if informative else 0.0)
    labels = (generator.random(total) < sigmoid(odds)).astype(float)
    fold = np.full(total, -1)
    fold[:count] = folds(labels[:count], 0)
    labels[count:] = sigmoid(offset[count:])
    blocks = Blocks(
        features, tokens, np.zeros((total, 3)), np.zeros(6), np.ones(6), np.ones(PIECES)
    )
    levels = np.full(total, -1)
    rows = Rows(
        features, tokens, np.zeros((total, 3)), slope, offset, levels, labels, fold, np.ones(total)
    )
    return rows, blocks


def test_a_correction_is_the_ridge_regression_that_scikit_learn_finds():
    from sklearn.linear_model import LogisticRegression

    rows, blocks = make_rows(200)
    rows = Rows(
        rows.features, rows.tokens, rows.logits, np.ones(200), np.zeros(200), rows.levels,
        rows.labels, rows.fold, rows.weight,
    )  # fmt: skip
    found = choose(rows, blocks, [Priors(2.0, 0.0, logits=0.0, bias=0.0, rules=0.0)])
    expected = LogisticRegression(C=2.0, fit_intercept=False, tol=1e-8).fit(
        rows.features, rows.labels
    )
    assert found.fit is not None
    weights = found.fit.features * np.sqrt(len(blocks.mean))  # blocks divide by this root
    assert np.allclose(weights, expected.coef_[0], atol=1e-3)


def test_informative_labels_make_held_out_labels_likelier():
    rows, blocks = make_rows(240)
    found = choose(rows, blocks)
    assert found.fit is not None
    assert found.gain[0] > 2 * found.gain[1]
    before = log_loss(rows.offset, rows.labels).mean()
    assert log_loss(found.held_out, rows.labels).mean() < before - 0.1


@pytest.mark.parametrize("seed", range(5))
def test_labels_that_say_nothing_new_leave_the_shipped_log_odds(seed: int):
    rows, blocks = make_rows(60, seed=seed, informative=False)
    found = choose(rows, blocks)
    assert found.fit is None
    assert np.array_equal(found.held_out, rows.offset)


def test_anchors_hold_what_the_labels_do_not_speak_of():
    def shift(anchors: int) -> float:
        rows, blocks = make_rows(80, seed=3)
        labelled = np.arange(80)
        always = np.ones(80)
        always[::2] = rows.labels[::2]
        extra = np.arange(anchors) % 80
        features = np.concatenate([rows.features, -rows.features[extra]])
        offset = np.concatenate([rows.offset, np.full(anchors, -6.0)])
        size = 80 + anchors
        tokens = sparse.csr_matrix((size, PIECES))
        labels = np.concatenate([always, np.full(anchors, sigmoid(np.array([-6.0]))[0])])
        fold = np.concatenate([rows.fold[labelled], np.full(anchors, -1)])
        given = Rows(
            features, tokens, np.zeros((size, 3)), np.ones(size), offset,
            np.full(size, -1), labels, fold, np.ones(size),
        )  # fmt: skip
        fit = choose(given, blocks, [Priors(4.0, 0.0, bias=4.0)]).fit
        assert fit is not None
        return fit.bias

    assert shift(160) < shift(0)


def test_folds_hold_both_classes():
    labels = np.array([1.0] * 10 + [0.0] * 40)
    fold = folds(labels, 0)
    for part in range(5):
        assert ((labels == 1) & (fold == part)).sum() == 2
        assert ((labels == 0) & (fold == part)).sum() == 8
    assert np.array_equal(fold, folds(labels, 0))


def test_scaling_finds_what_made_the_labels_and_stays_put_without_many():
    generator = np.random.default_rng(0)
    odds = generator.normal(0, 3, 4000)
    labels = (generator.random(4000) < sigmoid(0.6 * odds - 1.0)).astype(float)
    languages = np.zeros(4000, np.uint8)
    found = fit_scaling(odds, labels, languages)
    assert found.slope == pytest.approx(0.6, abs=0.06)
    assert found.offsets[0] == pytest.approx(-1.0, abs=0.12)
    few = fit_scaling(odds[:10], labels[:10], languages[:10])
    assert abs(few.slope - 1) < abs(found.slope - 1) + 0.3
    assert all(abs(offset) < 1.5 for offset in few.offsets)


def test_a_language_moves_by_itself_only_with_labels_enough():
    generator = np.random.default_rng(1)
    odds = generator.normal(0, 2, 600)
    languages = np.repeat([0, 1], 300).astype(np.uint8)
    shift = np.where(languages == 0, -1.5, 1.5)
    labels = (generator.random(600) < sigmoid(odds + shift)).astype(float)
    both = fit_scaling(odds, labels, languages)
    assert both.offsets[0] < -0.5 < 0.5 < both.offsets[1]
    assert both.offsets[2] == both.offsets[3]
    rows = np.concatenate([np.arange(300), 300 + np.flatnonzero(labels[300:] == 1)[: LEAST * 3]])
    one = fit_scaling(odds[rows], labels[rows], languages[rows])
    assert one.offsets[1] == one.offsets[2]


def test_points_rise_from_review_to_block_and_lean_on_the_shipped_ones():
    generator = np.random.default_rng(2)
    shipped = np.tile([0.4, 0.9], (len(LANGUAGES), 1))
    for count, slack in ((10, 0.3), (3000, 0.15)):
        scores = generator.random(count)
        labels = (generator.random(count) < scores).astype(float)
        languages = np.zeros(count, np.uint8)
        points = fit_points(scores, labels, languages, np.zeros(0), shipped)
        assert (points[:, 0] < points[:, 1]).all()
        assert (np.abs(points[:, 0] - 0.4) < slack).all()


def test_review_does_not_take_more_ordinary_posts_than_it_may():
    generator = np.random.default_rng(4)
    scores = np.concatenate([generator.uniform(0.3, 1.0, 2000), generator.uniform(0.0, 0.2, 2000)])
    labels = np.repeat([1.0, 0.0], 2000)
    languages = np.zeros(4000, np.uint8)
    shipped = np.tile([0.3, 0.9], (len(LANGUAGES), 1))
    ordinary = np.linspace(0.0, 0.8, 1000)
    free = fit_points(scores, labels, languages, np.zeros(0), shipped)
    held = fit_points(scores, labels, languages, ordinary, shipped)
    assert held[0, 0] > free[0, 0] + 0.2


def figures(ap: float, f1: float, loss: float) -> Figures:
    return Figures(ap, f1, 0.5, 0.5, loss, 0.0, 0.0)


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (figures(0.8, 0.7, 0.3), []),
        (figures(0.7, 0.7, 0.3), ["average precision 0.800 before, 0.700 after"]),
        (figures(0.9, 0.6, 0.3), ["F1 at the review point 0.700 before, 0.600 after"]),
        (figures(0.8, 0.7, 0.4), ["log loss 0.300 before, 0.400 after"]),
    ],
)
def test_what_gets_worse_is_told_with_both_figures(after: Figures, told: list[str]):
    before = figures(0.8, 0.7, 0.3)
    little = dict.fromkeys(("average_precision", "f1", "log_loss"), 0.02)
    rows = [
        Comparison("drugs", "all", 10, 5, before, after, little),
        Comparison("drugs", "en", 10, 5, before, figures(0.0, 0.0, 9.0), {}),
    ]
    assert worse(rows) == ({"drugs": told} if told else {})
    much = dict.fromkeys(little, 0.2)
    assert worse([Comparison("drugs", "all", 10, 5, before, after, much)]) == {}
