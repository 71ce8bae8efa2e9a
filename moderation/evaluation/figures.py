"""Average precision, F1 and rates of a set of scored, labelled posts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from moderation.errors import MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PolicyFigures", "average_precision", "policy_figures"]


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


def average_precision(labels: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
    """Return scikit-learn's average precision, or NaN without positives.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        from sklearn.metrics import average_precision_score
    except ImportError:
        raise MissingExtraError("scikit-learn", "eval") from None
    if not (labels == 1).any():
        return float("nan")
    return float(average_precision_score(labels, scores))


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
