"""Calibration: probabilities, rule weights and operating points from held-out sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.types import LANGUAGES, POLICIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["expected_calibration_error", "operating_point", "platt", "rule_weight"]

MIN_POSITIVES: Final = 60
"""Below this many positives a language borrows the fit over all languages."""
PRIOR: Final = 0.05
"""Share of posts assumed to violate a policy: a network under a wave of spam."""
BLOCK_PRECISION: Final = 0.95
REVIEW_PRECISION: Final = 0.70
BLOCK_FALSE_POSITIVES: Final = 0.001
REVIEW_FALSE_POSITIVES: Final = 0.01
_ITERATIONS: Final = 100
_RIDGE: Final = 1e-3


def platt(
    logits: NDArray[np.float64], labels: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[float, float]:
    """Fit probability = 1 / (1 + exp(-(slope z + offset))) by weighted maximum likelihood.

    Newton's method with a slight ridge towards slope 1, offset 0 (Platt 1999, with the ridge in
    place of his smoothed targets).
    """
    parameters = np.array([1.0, 0.0])
    design = np.stack([logits, np.ones_like(logits)], 1)
    prior = np.array([1.0, 0.0])
    for _ in range(_ITERATIONS):
        probability = _sigmoid(design @ parameters)
        gradient = design.T @ (weights * (probability - labels)) + _RIDGE * (parameters - prior)
        curvature = weights * probability * (1 - probability)
        hessian = design.T @ (design * curvature[:, None]) + _RIDGE * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        parameters = parameters - np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-9:
            break
    slope, offset = parameters.tolist()
    return max(slope, 0.05), offset


def rule_weight(log_odds: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    """Return the log-odds that a rule's hit adds to the classifier's, fitted on posts it hit."""
    weight = 0.0
    for _ in range(_ITERATIONS):
        probability = _sigmoid(log_odds + weight)
        gradient = float((labels - probability).sum()) - weight
        curvature = float((probability * (1 - probability)).sum()) + 1.0
        step = gradient / curvature
        weight += float(np.clip(step, -1.0, 1.0))
        if abs(step) < 1e-9:
            break
    return float(np.clip(weight, 0.0, 6.0))


def operating_point(
    scores: NDArray[np.float64],
    labels: NDArray[np.float64],
    ordinary: NDArray[np.float64],
    precision: float,
    false_positives: float,
    weights: NDArray[np.float64] | None = None,
) -> float:
    """Return the lowest threshold that keeps a precision and a false-positive rate.

    Args:
        scores: probabilities of labelled posts.
        labels: 1 or 0.
        ordinary: probabilities of ordinary people's posts, all innocent.
        precision: share of violations among posts at or above the threshold.
        false_positives: share of ordinary posts that may lie there.
        weights: how much each labelled post counts; default: all the same.
    """
    order = np.argsort(-scores, kind="stable")
    counts = np.ones(len(order)) if weights is None else weights[order]
    sorted_scores = scores[order]
    shares = np.cumsum(labels[order] * counts) / np.cumsum(counts)
    last = np.append(sorted_scores[1:] != sorted_scores[:-1], True)  # thresholds fall between ties
    good = np.flatnonzero((shares >= precision) & last)
    by_precision = float(sorted_scores[good[-1]]) if len(good) else 1.0
    by_rate = 0.0
    if len(ordinary):
        allowed = int(false_positives * len(ordinary))
        ranked = np.sort(ordinary)[::-1]
        by_rate = float(np.nextafter(ranked[allowed], 1.0)) if allowed < len(ranked) else 0.0
    return min(max(by_precision, by_rate), 0.9999)


def expected_calibration_error(
    scores: NDArray[np.float64], labels: NDArray[np.float64], bins: int = 10
) -> float:
    """Return the mean gap between probability and frequency over equally wide bins.

    Source: Naeini, Cooper and Hauskrecht 2015, bins weighted by the posts in them.
    """
    index = np.minimum((scores * bins).astype(int), bins - 1)
    total = 0.0
    for number in range(bins):
        inside = index == number
        if inside.any():
            total += inside.sum() * abs(scores[inside].mean() - labels[inside].mean())
    return float(total / max(len(scores), 1))


def fit_tables(
    logits: NDArray[np.float64],
    labels: NDArray[np.float32],
    languages: NDArray[np.uint8],
    ordinary: NDArray[np.bool_],
    weights: NDArray[np.float64],
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Fit calibration and operating points per policy and language.

    Args:
        logits: held-out logits, (posts, policies).
        labels: (posts, policies), NaN where unknown.
        languages: indices into LANGUAGES.
        ordinary: posts that count for the false-positive rate.
        weights: (posts,).

    Returns:
        The manifest's `calibration` and `operating_points`.
    """
    calibration: dict[str, dict[str, Any]] = {}
    points: dict[str, dict[str, Any]] = {}
    for column, policy in enumerate(POLICIES):
        known = ~np.isnan(labels[:, column]) & (weights > 0)
        calibration[policy], points[policy] = {}, {}
        for number, language in enumerate(LANGUAGES):
            rows = known & (languages == number)
            if (labels[rows, column] == 1).sum() < MIN_POSITIVES:
                rows = known
            z, y = logits[rows, column], labels[rows, column].astype(np.float64)
            count = _at_prior(weights[rows], y)
            slope, offset = platt(z, y, count)
            scores = _sigmoid(slope * z + offset)
            ordinary_rows = ordinary & known & (languages == number)
            if ordinary_rows.sum() < 1000:
                ordinary_rows = ordinary & known
            plain = _sigmoid(slope * logits[ordinary_rows, column] + offset)
            review = operating_point(
                scores, y, plain, REVIEW_PRECISION, REVIEW_FALSE_POSITIVES, count
            )
            block = operating_point(scores, y, plain, BLOCK_PRECISION, BLOCK_FALSE_POSITIVES, count)
            review = max(round(review, 4), 0.02)
            calibration[policy][language] = {"slope": round(slope, 6), "offset": round(offset, 6)}
            points[policy][language] = dict(
                zip(("review", "block"), (review, max(round(block, 4), review + 1e-4)), strict=True)
            )
    return calibration, points


def _at_prior(weights: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weigh the violating posts so that they make up PRIOR of the whole.

    How many violations a collection holds says nothing about traffic; probabilities and precision
    depend on it, so it is fixed.
    """
    positive = labels == 1
    share = weights[positive].sum() / max(weights.sum(), 1e-9)
    if not 0 < share < 1:
        return weights
    factor = PRIOR / (1 - PRIOR) * (1 - share) / share
    return np.where(positive, weights * factor, weights)


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        out: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-values))
    return out
