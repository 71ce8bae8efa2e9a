"""Fit the cascade: which posts the deep tier is asked about, and how two tiers become one score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.training.calibrate import fit_tables
from moderation.types import LANGUAGES, POLICIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Table = dict[str, dict[str, Any]]

__all__ = ["Cascade", "TierFit", "calibrated", "fit_cascade", "fit_tier"]

WEIGHT: Final = 0.7
"""Of the deep tier's logits in the mixture."""
ASKED_SHARE: Final = 0.005
"""Share of ordinary posts that the deep tier is asked about for each policy, at least; the band
holds what the fast tier alone would send to review, and ends where it would block."""
_LEAST: Final = 0.005
"""Lowest probability that is worth a second opinion."""


@dataclass(frozen=True, slots=True)
class TierFit:
    """Calibration and operating points of one tier, as the manifest holds them."""

    calibration: Table
    points: Table


@dataclass(frozen=True, slots=True)
class Cascade:
    """The cascade's own fit: of posts that both tiers saw, the band, and points for all posts."""

    fit: TierFit
    band: dict[str, dict[str, tuple[float, float]]]
    weight: dict[str, float]

    def log_odds(
        self,
        fast: NDArray[np.float64],
        deep: NDArray[np.float64],
        fast_fit: TierFit,
        languages: NDArray[np.uint8],
    ) -> NDArray[np.float64]:
        """Return the log-odds the cascade gives posts, (posts, policies).

        Args:
            fast: the first tier's logits, (posts, policies).
            deep: the second tier's.
            fast_fit: the fast tier's own fit.
            languages: indices into LANGUAGES.
        """
        first = calibrated(fast, fast_fit.calibration, languages)
        score = 1.0 / (1.0 + np.exp(-first))
        band = np.array([[self.band[p][n] for p in POLICIES] for n in LANGUAGES])[languages]
        asked = np.any((score >= band[..., 0]) & (score <= band[..., 1]), axis=1)
        mixed = calibrated(_mixed(fast, deep), self.fit.calibration, languages)
        return np.where(np.expand_dims(asked, 1), mixed, first)


def fit_tier(
    logits: NDArray[np.float64],
    labels: NDArray[np.float32],
    languages: NDArray[np.uint8],
    ordinary: NDArray[np.bool_],
    weights: NDArray[np.float64],
) -> TierFit:
    """Fit one tier on held-out logits; the arguments are those of `calibrate.fit_tables`."""
    return TierFit(*fit_tables(logits, labels, languages, ordinary, weights))


def fit_cascade(
    fast: NDArray[np.float64],
    deep: NDArray[np.float64],
    labels: NDArray[np.float32],
    languages: NDArray[np.uint8],
    ordinary: NDArray[np.bool_],
    weights: NDArray[np.float64],
    fast_fit: TierFit,
) -> Cascade:
    """Fit the cascade on posts that both tiers scored without having seen their source.

    Args:
        fast: held-out logits of the first tier, (posts, policies).
        deep: of the second.
        labels: (posts, policies), NaN where unknown.
        languages: indices into LANGUAGES.
        ordinary: posts that count for false positives and for the share that is asked about.
        weights: (posts,).
        fast_fit: the fast tier's own fit.
    """
    mixed_fit = fit_tier(_mixed(fast, deep), labels, languages, ordinary, weights)
    scores = 1.0 / (1.0 + np.exp(-calibrated(fast, fast_fit.calibration, languages)))
    band: dict[str, dict[str, tuple[float, float]]] = {}
    for column, policy in enumerate(POLICIES):
        band[policy] = {}
        for number, language in enumerate(LANGUAGES):
            rows = ordinary & (languages == number)
            plain = scores[rows if rows.sum() >= 1000 else ordinary, column]
            point = fast_fit.points[policy][language]
            low = float(np.quantile(plain, 1 - ASKED_SHARE)) if len(plain) else point["review"]
            low = max(min(low, point["review"]), _LEAST)
            band[policy][language] = (round(low, 4), max(point["block"], round(low, 4)))
    weight = dict.fromkeys(POLICIES, WEIGHT)
    first = Cascade(mixed_fit, band, weight)
    found = first.log_odds(fast, deep, fast_fit, languages)
    points = fit_tier(found, labels, languages, ordinary, weights).points
    return Cascade(TierFit(mixed_fit.calibration, points), band, weight)


def calibrated(
    logits: NDArray[np.float64], calibration: Table, languages: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Return calibrated log-odds, (posts, policies)."""
    scale = np.array(
        [
            [(calibration[p][n]["slope"], calibration[p][n]["offset"]) for p in POLICIES]
            for n in LANGUAGES
        ]
    )[languages]
    found: NDArray[np.float64] = logits * scale[..., 0] + scale[..., 1]
    return found


def _mixed(fast: NDArray[np.float64], deep: NDArray[np.float64]) -> NDArray[np.float64]:
    return WEIGHT * deep + (1.0 - WEIGHT) * fast
