"""Probabilities and operating points from few labels, drawn towards the shipped ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.adaptation.head import log_loss, sigmoid
from moderation.training.calibrate import (
    BLOCK_FALSE_POSITIVES,
    BLOCK_PRECISION,
    REVIEW_FALSE_POSITIVES,
    REVIEW_PRECISION,
    operating_point,
)
from moderation.types import LANGUAGES, SCORE_DECIMALS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEAST", "Scaling", "cross_fitted", "fit_points", "fit_scaling"]

LEAST: Final = 8
"""Violating and innocent labels that a policy needs for a head, and a language for its own fit."""
_SLOPE_DEVIATION: Final = 0.5
_OFFSET_DEVIATION: Final = 1.0
_LANGUAGE_DEVIATION: Final = 0.5
_SHIPPED_WEIGHT: Final = 20.0
"""Violating labels that a shipped operating point is worth."""
_LEAST_REVIEW: Final = 0.02
_MOST: Final = 0.9999
_ITERATIONS: Final = 100


@dataclass(frozen=True, slots=True)
class Scaling:
    """Platt scaling on top of log-odds: slope × x + offsets[language]."""

    slope: float
    offsets: tuple[float, ...]

    def apply(
        self, log_odds: NDArray[np.float64], languages: NDArray[np.uint8]
    ) -> NDArray[np.float64]:
        """Return scaled log-odds, (posts,)."""
        scaled: NDArray[np.float64] = self.slope * log_odds + np.array(self.offsets)[languages]
        return scaled


UNSCALED: Final = Scaling(1.0, (0.0,) * len(LANGUAGES))


def fit_scaling(
    log_odds: NDArray[np.float64], labels: NDArray[np.float64], languages: NDArray[np.uint8]
) -> Scaling:
    """Fit slope and offset by maximum a posteriori, drawn towards 1 and 0.

    A language with LEAST labels of either class moves by an offset of its own.

    Args:
        log_odds: (posts,), held out.
        labels: (posts,), 0 or 1.
        languages: (posts,), indices into LANGUAGES.
    """
    design = np.stack([log_odds, np.ones_like(log_odds)], axis=1)
    prior, precision = np.array([1.0, 0.0]), (_SLOPE_DEVIATION**-2, _OFFSET_DEVIATION**-2)
    slope, offset = _posterior(design, labels, prior, np.array(precision), 0.0).tolist()
    slope = max(slope, 0.05)
    offsets = []
    for number in range(len(LANGUAGES)):
        rows = languages == number
        own = 0.0
        if _enough(labels[rows]):
            column = np.ones((int(rows.sum()), 1))
            fixed = slope * log_odds[rows] + offset
            spread = np.array([_LANGUAGE_DEVIATION**-2])
            own = float(_posterior(column, labels[rows], np.zeros(1), spread, fixed)[0])
        offsets.append(offset + own)
    return Scaling(slope, tuple(offsets))


def _posterior(
    design: NDArray[np.float64],
    labels: NDArray[np.float64],
    prior: NDArray[np.float64],
    precision: NDArray[np.float64],
    fixed: NDArray[np.float64] | float,
) -> NDArray[np.float64]:
    """Return the mode of a logistic regression with a normal prior, by Newton's method."""
    found = prior.copy()
    for _ in range(_ITERATIONS):
        chance = sigmoid(design @ found + fixed)
        gradient = design.T @ (chance - labels) + precision * (found - prior)
        hessian = design.T @ (design * (chance * (1 - chance))[:, None]) + np.diag(precision)
        step = np.linalg.solve(hessian, gradient)
        found = found - np.clip(step, -0.5, 0.5)
        if np.abs(step).max() < 1e-9:
            break
    return found


def fit_points(
    scores: NDArray[np.float64],
    labels: NDArray[np.float64],
    languages: NDArray[np.uint8],
    ordinary: NDArray[np.float64],
    shipped: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Choose operating points.

    Review begins where the F1 that the probabilities themselves promise is highest, and not before
    precision reaches REVIEW_PRECISION; blocking where it reaches BLOCK_PRECISION. Neither takes
    more of the ordinary posts than shipped points may. A language's points are a mean, in
    log-odds, of what its labels say (those of all languages where it has too few) and the shipped
    ones, which weigh as much as twenty violations. Where the shipped point would draw review down
    to a precision that the labels refute, what the labels say holds: labels that teach nothing
    give every post their own share of violations, whatever the shipped point was.

    Args:
        scores: (posts,), held-out probabilities of labelled posts.
        labels: (posts,), 0 or 1.
        languages: (posts,), indices into LANGUAGES.
        ordinary: probabilities of innocent posts far from the border.
        shipped: (languages, 2), shipped points.

    Returns:
        float64, (languages, 2): review and block.
    """
    found = np.zeros((len(LANGUAGES), 2))
    everything = np.ones(len(labels), np.bool_)
    for number in range(len(LANGUAGES)):
        own = languages == number
        rows = own if _enough(labels[own]) else everything
        wanted = _wanted(scores[rows], labels[rows], ordinary)
        weight = float((labels[rows] == 1).sum())
        share = weight / (weight + _SHIPPED_WEIGHT)
        mixed = share * _logit(wanted) + (1 - share) * _logit(shipped[number])
        review, block = np.round(sigmoid(mixed), SCORE_DECIMALS).tolist()
        taken = labels[rows][scores[rows] >= review]
        if review < wanted[0] and taken.sum() < REVIEW_PRECISION * len(taken):
            review = round(float(wanted[0]), SCORE_DECIMALS)
        review = min(max(review, _LEAST_REVIEW), _MOST - 1e-4)
        found[number] = review, min(max(block, round(review + 1e-4, 4)), _MOST)
    return found


def _wanted(
    scores: NDArray[np.float64], labels: NDArray[np.float64], ordinary: NDArray[np.float64]
) -> NDArray[np.float64]:
    ranked = np.sort(scores)[::-1]
    promised = 2 * np.cumsum(ranked) / (np.arange(1, len(ranked) + 1) + ranked.sum())
    best = float(ranked[int(promised.argmax())])
    review = operating_point(scores, labels, ordinary, REVIEW_PRECISION, REVIEW_FALSE_POSITIVES)
    innocent = scores[labels == 0]
    block = operating_point(scores, labels, innocent, BLOCK_PRECISION, BLOCK_FALSE_POSITIVES)
    return np.array([max(best, review), block])


def cross_fitted(
    log_odds: NDArray[np.float64],
    labels: NDArray[np.float64],
    languages: NDArray[np.uint8],
    fold: NDArray[np.int64],
    scaling: bool,
) -> NDArray[np.float64]:
    """Return log-odds scaled by what the other folds say, (posts,), or as they are."""
    out = log_odds.copy()
    for part in range(int(fold.max()) + 1) if scaling else ():
        own, other = fold == part, fold != part
        fitted = fit_scaling(log_odds[other], labels[other], languages[other])
        out[own] = fitted.apply(log_odds[own], languages[own])
    return out


def scaling_helps(
    log_odds: NDArray[np.float64],
    labels: NDArray[np.float64],
    languages: NDArray[np.uint8],
    fold: NDArray[np.int64],
) -> bool:
    """Say whether scaling by the other folds makes labels likelier, by more than chance would."""
    scaled = cross_fitted(log_odds, labels, languages, fold, scaling=True)
    gains = log_loss(log_odds, labels) - log_loss(scaled, labels)
    return bool(gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains)))


def _enough(labels: NDArray[np.float64]) -> bool:
    return min(int((labels == 1).sum()), int((labels == 0).sum())) >= LEAST


def _logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(probability, 1e-4, 1 - 1e-4)
    logit: NDArray[np.float64] = np.log(clipped) - np.log1p(-clipped)
    return logit
