"""Average precision, F1, rates, calibration error and Brier score of scored, labelled posts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "CALIBRATION_BINS",
    "FIGURES",
    "Cells",
    "PolicyFigures",
    "average_precision",
    "calibration_bins",
    "calibration_error",
    "cell_figures",
    "policy_figures",
]

CALIBRATION_BINS: Final = 15
"""Bins of the expected calibration error, each of about as many posts as the next."""

FIGURES: Final = (
    "average_precision",
    "precision",
    "recall",
    "f1",
    "block_precision",
    "block_recall",
    "flagged_innocent",
    "blocked_innocent",
    "brier",
)
"""What `cell_figures` computes, in its order."""


@dataclass(frozen=True, slots=True)
class PolicyFigures:
    """How one policy fares on a set of posts; NaN where a figure is undefined."""

    posts: int
    positives: int
    average_precision: float
    precision: float
    recall: float
    f1: float
    flagged_innocent: float
    """Share of the innocent posts with an action stronger than pass."""
    blocked_innocent: float


@dataclass(frozen=True, slots=True)
class Cells:
    """Posts that no figure can tell apart, counted: at most a few thousand, however many posts.

    Attributes:
        scores: float64, shape (cells,), in descending order.
        positive: bool, shape (cells,): labelled 1.
        flagged: bool, shape (cells,): action review or block.
        blocked: bool, shape (cells,): action block.
        strata: int64, shape (cells,): what a bootstrap keeps the size of.
        counts: int64, shape (cells,): posts.
    """

    scores: NDArray[np.float64]
    positive: NDArray[np.bool_]
    flagged: NDArray[np.bool_]
    blocked: NDArray[np.bool_]
    strata: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def count(
        cls,
        labels: NDArray[np.float64],
        scores: NDArray[np.float64],
        actions: NDArray[np.int64],
        languages: NDArray[np.int64],
    ) -> Cells:
        """Count posts of which each has a label.

        Args:
            labels: 1 or 0, shape (posts,).
            scores: probabilities, shape (posts,).
            actions: indices into ACTIONS, shape (posts,).
            languages: any numbers; together with the label they are the strata; shape (posts,).
        """
        columns = (-scores, labels, actions.astype(np.float64), languages.astype(np.float64))
        rows, counts = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
        positive, strength = rows[:, 1] == 1, rows[:, 2]
        return cls(
            -rows[:, 0],
            positive,
            strength > 0,
            strength > 1,
            (rows[:, 3] * 2 + positive).astype(np.int64),
            counts.astype(np.int64),
        )


def cell_figures(cells: Cells, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return FIGURES for several weightings of the same cells.

    Average precision is the mean of the precision at each distinct score, weighted by the recall
    it adds, without interpolation (as in scikit-learn).

    Args:
        cells: counted posts.
        weights: posts of each cell, shape (weightings, cells).

    Returns:
        Shape (weightings, figures); NaN where a figure is undefined.
    """
    positive = weights * cells.positive
    negative = weights - positive
    hits, false = positive @ cells.flagged, negative @ cells.flagged
    block_hits, block_false = positive @ cells.blocked, negative @ cells.blocked
    violations, innocents = positive.sum(axis=1), negative.sum(axis=1)
    missed = violations - hits
    squares = weights @ (cells.scores - cells.positive) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        f1 = 2 * hits / (2 * hits + false + missed)
        return np.stack(
            [
                _average_precision(cells.scores, positive, negative),
                hits / (hits + false),
                hits / violations,
                np.where(violations > 0, f1, np.nan),
                block_hits / (block_hits + block_false),
                block_hits / violations,
                false / innocents,
                block_false / innocents,
                squares / (violations + innocents),
            ],
            axis=1,
        )


def _average_precision(
    scores: NDArray[np.float64], positive: NDArray[np.float64], negative: NDArray[np.float64]
) -> NDArray[np.float64]:
    if not len(scores):
        return np.full(len(positive), np.nan)
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    hits = np.cumsum(positive, axis=1)[:, last]
    found = hits + np.cumsum(negative, axis=1)[:, last]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(found > 0, hits / found, 0.0)
        gained: NDArray[np.float64] = np.diff(hits, axis=1, prepend=0.0)
        areas: NDArray[np.float64] = (gained * precision).sum(axis=1) / hits[:, -1]
    return areas


def average_precision(labels: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
    """Return the average precision (scikit-learn's definition), or NaN without positives.

    Args:
        labels: 1 or 0, shape (posts,).
        scores: anything that ranks the posts, shape (posts,).
    """
    order = np.argsort(-scores, kind="stable")
    positive = (labels[order] == 1).astype(np.float64)[np.newaxis]
    return float(_average_precision(scores[order], positive, 1.0 - positive)[0])


def calibration_bins(cells: Cells, bins: int = CALIBRATION_BINS) -> NDArray[np.int64]:
    """Return the bin of each cell, so that every bin has about as many posts.

    Posts of one score are never parted: the middle of their ranks decides. So fewer bins may be
    used where many posts share a score. Shape (cells,).
    """
    _, group = np.unique(cells.scores, return_inverse=True)
    totals = np.bincount(group, weights=cells.counts)
    middle = np.cumsum(totals) - totals / 2
    chosen: NDArray[np.int64] = np.minimum(middle * bins / totals.sum(), bins - 1).astype(np.int64)
    return chosen[group]


def calibration_error(cells: Cells, bins: int = CALIBRATION_BINS) -> float:
    """Return the expected calibration error over bins of equal mass, NaN without posts.

    That is the gap between mean score and share of violations of each bin, weighted by its posts.
    Source: Naeini, Cooper and Hauskrecht 2015; equal mass: Nguyen and O'Connor 2015.
    """
    if not len(cells.counts):
        return float("nan")
    of = calibration_bins(cells, bins)
    gaps = np.bincount(of, weights=cells.counts * (cells.scores - cells.positive))
    return float(np.abs(gaps).sum() / cells.counts.sum())


def policy_figures(
    labels: NDArray[np.float64],
    scores: NDArray[np.float64],
    flagged: NDArray[np.bool_],
    blocked: NDArray[np.bool_],
) -> PolicyFigures:
    """Compare decisions with labels.

    Args:
        labels: 1, 0, or NaN where nobody looked; shape (posts,).
        scores: anything that ranks the posts, for average precision.
        flagged: action review or block.
        blocked: action block.
    """
    known = ~np.isnan(labels)
    truth, marked, stopped = labels[known] == 1, flagged[known], blocked[known]
    hits = int((truth & marked).sum())
    precision = hits / marked.sum() if marked.any() else float("nan")
    recall = hits / truth.sum() if truth.any() else float("nan")
    total = float(marked.sum() + truth.sum())
    innocent = ~truth
    return PolicyFigures(
        int(known.sum()),
        int(truth.sum()),
        average_precision(labels[known], scores[known]),
        float(precision),
        float(recall),
        2 * hits / total if truth.any() else float("nan"),
        float(marked[innocent].mean()) if innocent.any() else float("nan"),
        float(stopped[innocent].mean()) if innocent.any() else float("nan"),
    )
