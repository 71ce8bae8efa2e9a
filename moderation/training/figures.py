"""Held-out figures of a recipe: every source scored by tiers that never saw its family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.evaluation.figures import PolicyFigures, policy_figures
from moderation.training.calibrate import expected_calibration_error
from moderation.training.cascade import calibrated, fit_cascade, fit_tier
from moderation.training.data import ORDINARY
from moderation.types import INNOCENT_STANCES, LANGUAGES, POLICIES, SCORE_DECIMALS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from moderation.training.recipe import Dataset

__all__ = [
    "TIERS",
    "SourceFigures",
    "calibration_error",
    "calibration_weights",
    "held_out_figures",
    "held_out_scores",
    "overview",
    "stance_figures",
    "table",
]

TIERS: Final = ("fast", "deep", "cascade")

CORPUS_WEIGHT: Final = 5.0
"""A fifth of the corpus is held out; it stands for the whole."""
_TRUSTED: Final = ("pip", "fbs", "corpus", *ORDINARY)
"""Families whose labels people gave, by a policy close to ours; only these fit probabilities."""


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """Figures of one set of posts for one policy and tier."""

    name: str
    policy: str
    tier: str
    figures: PolicyFigures


def calibration_weights(dataset: Dataset) -> NDArray[np.float64]:
    """Return how much each post counts when probabilities are fitted, (posts,)."""
    weights = np.where(dataset.families == "corpus", CORPUS_WEIGHT, 1.0)
    weights = np.where(np.isin(dataset.families, _TRUSTED), weights, 0.0)
    return np.where(dataset.sources == "pip_twitter_silver", 0.0, weights)


def held_out_scores(
    dataset: Dataset,
    fast: NDArray[np.float64],
    deep: NDArray[np.float64],
    own: NDArray[np.int64],
    other: NDArray[np.int64],
    tier: str,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return log-odds and operating points of posts, fitted on other posts only.

    Args:
        dataset: all posts.
        fast: held-out logits of the fast tier, (posts, policies), NaN where there are none.
        deep: of the deep tier.
        own: posts to score.
        other: posts to fit probabilities and thresholds on.
        tier: fast, deep or cascade.

    Returns:
        Log-odds (len(own), policies) and thresholds (len(own), policies, 2), review and block.
    """
    languages, weights = dataset.languages, calibration_weights(dataset)
    ordinary = np.isin(dataset.families, ORDINARY)
    both = other[~np.isnan(deep[other]).any(1)]
    rows = both if tier == "deep" else other
    logits = deep if tier == "deep" else fast
    fit = fit_tier(logits[rows], dataset.hard[rows], languages[rows], ordinary[rows], weights[rows])
    points = fit.points
    if tier == "cascade":
        cascade = fit_cascade(
            fast[both], deep[both], dataset.hard[both], languages[both], ordinary[both],
            weights[both], fit,
        )  # fmt: skip
        odds = cascade.log_odds(fast[own], deep[own], fit, languages[own])
        points = cascade.fit.points
    else:
        odds = calibrated(logits[own], fit.calibration, languages[own])
    table = [[tuple(points[p][n].values()) for p in POLICIES] for n in LANGUAGES]
    return odds, np.array(table)[languages[own]]


def held_out_figures(
    dataset: Dataset, fast: NDArray[np.float64], deep: NDArray[np.float64]
) -> list[SourceFigures]:
    """Score each source with probabilities and thresholds fitted on the other sources only.

    Args:
        dataset: all posts.
        fast: held-out logits of the fast tier, (posts, policies), NaN where there are none.
        deep: of the deep tier, which was asked about a sample of the larger sources.
    """
    found: list[SourceFigures] = []
    for tier in TIERS:
        scored = ~np.isnan(fast if tier == "fast" else deep).any(1)
        families = [f for f in np.unique(dataset.families[scored]).tolist() if f != "corpus"]
        for family in [*families, "corpus"]:
            mine = scored & (dataset.families == family)
            other = np.flatnonzero(~np.isnan(fast).any(1) & (dataset.families != family))
            every = np.flatnonzero(mine)
            odds, points = held_out_scores(dataset, fast, deep, every, other, tier)
            scores = _rounded(odds)
            for name, rows in _sets(dataset, family, mine):
                at = np.searchsorted(every, rows)
                for column, policy in enumerate(POLICIES):
                    figures = policy_figures(
                        dataset.hard[rows, column].astype(np.float64),
                        odds[at, column],
                        scores[at, column] >= points[at, column, 0],
                        scores[at, column] >= points[at, column, 1],
                    )
                    if figures.posts:
                        found.append(SourceFigures(name, policy, tier, figures))
    return found


def stance_figures(
    dataset: Dataset, fast: NDArray[np.float64], deep: NDArray[np.float64], tier: str
) -> dict[str, tuple[int, float, float]]:
    """Return posts, share flagged and share blocked of the corpus' innocent stances.

    The untouched fifth, thresholds fitted without the corpus; a post counts that any policy flags.
    """
    corpus = dataset.families == "corpus"
    own = np.flatnonzero(dataset.held_out)
    other = np.flatnonzero(~np.isnan(fast).any(1) & ~corpus)
    odds, points = held_out_scores(dataset, fast, deep, own, other, tier)
    scores = _rounded(odds)
    flagged = np.any(scores >= points[..., 0], axis=1)
    blocked = np.any(scores >= points[..., 1], axis=1)
    stances = np.array([dataset.posts[row].stance or "" for row in own])
    innocent = ~(dataset.hard[own] == 1).any(1)
    found = {}
    for stance in (*INNOCENT_STANCES, "none"):
        rows = innocent & (stances == stance)
        if rows.any():
            found[stance] = (
                int(rows.sum()),
                float(flagged[rows].mean()),
                float(blocked[rows].mean()),
            )
    return found


def calibration_error(
    dataset: Dataset, fast: NDArray[np.float64], deep: NDArray[np.float64], tier: str
) -> dict[str, float]:
    """Return the expected calibration error on the corpus' untouched fifth, by policy.

    Probabilities are fitted without the corpus.
    """
    own = np.flatnonzero(dataset.held_out)
    other = np.flatnonzero(~np.isnan(fast).any(1) & (dataset.families != "corpus"))
    odds, _ = held_out_scores(dataset, fast, deep, own, other, tier)
    scores = 1.0 / (1.0 + np.exp(-odds))
    return {
        policy: expected_calibration_error(
            scores[:, column], dataset.hard[own, column].astype(np.float64)
        )
        for column, policy in enumerate(POLICIES)
    }


def _rounded(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    scores: NDArray[np.float64] = np.round(1.0 / (1.0 + np.exp(-log_odds)), SCORE_DECIMALS)
    return scores


def table(found: list[SourceFigures]) -> str:
    """Return figures as a Markdown table."""
    lines = [
        "| posts left out of training | policy | tier | posts | violating | AP | precision "
        "| recall | F1 | innocent reviewed or blocked | innocent blocked |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found:
        f = row.figures
        cells = [f.average_precision, f.precision, f.recall, f.f1]
        shown = [f"{value:.3f}" if value == value and f.positives else "-" for value in cells]
        lines.append(
            f"| {row.name} | {row.policy} | {row.tier} | {f.posts} | {f.positives} "
            f"| {' | '.join(shown)} | {_rate(f.flagged_innocent)} | {_rate(f.blocked_innocent)} |"
        )
    return "\n".join(lines)


def overview(found: list[SourceFigures]) -> str:
    """Return the tiers' average precision side by side, and what the cascade does, as Markdown."""
    lines = [
        "| posts left out of training | policy | posts | violating | AP fast "
        "| AP deep | AP cascade | precision | recall | F1 "
        "| innocent reviewed or blocked | innocent blocked |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    tiers = {(row.name, row.policy, row.tier): row.figures for row in found}
    for (name, policy, tier), f in tiers.items():
        if tier != "cascade":
            continue
        cells = [
            *(tiers[name, policy, each].average_precision for each in TIERS),
            *(f.precision, f.recall, f.f1),
        ]
        shown = [f"{value:.3f}" if value == value and f.positives else "-" for value in cells]
        lines.append(
            f"| {name} | {policy} | {f.posts} | {f.positives} | {' | '.join(shown)} "
            f"| {_rate(f.flagged_innocent)} | {_rate(f.blocked_innocent)} |"
        )
    return "\n".join(lines)


def _rate(value: float) -> str:
    return f"{value:.3%}" if value == value else "-"


def _sets(
    dataset: Dataset, family: str, own: NDArray[np.bool_]
) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Yield the named sets of one family's posts."""
    if family == "corpus":
        yield "corpus, untouched fifth", np.flatnonzero(own)
        for number, language in enumerate(LANGUAGES[:3]):
            yield f"corpus, {language}", np.flatnonzero(own & (dataset.languages == number))
    elif family == "pip":
        english = np.array([post.language == "en" for post in dataset.posts])
        labelled = own & (dataset.sources == "pip_twitter_gt_train")
        yield "pip (human labels, zh and mixed)", np.flatnonzero(labelled & ~english)
    else:
        yield family, np.flatnonzero(own)
