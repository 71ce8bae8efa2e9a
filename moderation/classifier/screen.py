"""The screen: a linear model in integers that lets plainly innocent posts go before the tiers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from moderation.classifier.features import character_ngrams_reference
from moderation.classifier.manifest import CASCADE
from moderation.classifier.ngrams import LONGEST, read_linear
from moderation.text.native import flat, int64, kernel
from moderation.types import LANGUAGES, POLICIES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.classifier.manifest import Manifest
    from moderation.text import View

__all__ = ["Screen", "ScreenScores", "fitted_for", "load_screen", "ngram_counts"]


@dataclass(frozen=True, slots=True)
class ScreenScores:
    """Log-odds of margins: slope x margin + shift + review point.

    Attributes:
        slope, shift: float64, shape (policies,).
        review: log-odds of the tier's review points, float64, shape (languages, policies).
    """

    slope: NDArray[np.float64]
    shift: NDArray[np.float64]
    review: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Screen:
    """Says of a post how far below every review point it lies, by its n-grams alone.

    The sum of a post's integer weights is the same on every machine and in every order, so the
    native kernel and numpy agree bit for bit, and so does everything computed from it.

    Attributes:
        weights: int8, shape (buckets, 4): one column a policy, the last one zero.
        scale, offset: float64, shape (policies,); see `margins`.
        caution: how much higher a short post is held, since few n-grams say little.
    """

    weights: NDArray[np.int8]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    caution: float

    def sums(self, base: View) -> NDArray[np.int64]:
        """Return the weights of every post's n-grams added up, shape (posts, policies)."""
        if kernel is None:
            return self.sums_reference(base)
        made = kernel.ngram_sums(flat(base.codepoints), base.offsets, self.weights, LONGEST)
        sums: NDArray[np.int64] = int64(made).reshape(-1, len(POLICIES))
        return sums

    def sums_reference(self, base: View) -> NDArray[np.int64]:
        """Do the same as `sums` in numpy."""
        found = np.zeros((len(base.offsets) - 1, len(POLICIES)), np.int64)
        for size in range(1, LONGEST + 1):
            grams = character_ngrams_reference(base, size, len(self.weights))
            rows = self.weights[grams.values, : len(POLICIES)].astype(np.int64)
            running = np.zeros((len(rows) + 1, len(POLICIES)), np.int64)
            np.cumsum(rows, axis=0, out=running[1:])
            found += np.diff(running[grams.offsets], axis=0)
        return found

    def margins(self, base: View) -> NDArray[np.float64]:
        """Estimate how far posts lie above (or, below 0, under) the review point.

        Args:
            base: the batch in the base view.

        Returns:
            float64, shape (posts, policies), in log-odds:
            (scale x sum + caution) / sqrt(n-grams) + offset.
        """
        grams = ngram_counts(np.diff(base.offsets))
        root = np.sqrt(np.maximum(grams, 1).astype(np.float64))
        sums = self.sums(base) * self.scale + self.caution
        found: NDArray[np.float64] = sums / root[:, None] + self.offset
        return found

    def leaving(
        self,
        base: View,
        languages: NDArray[np.uint8],
        may: NDArray[np.bool_],
        below: float,
        scores: ScreenScores,
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Say which posts leave, and how likely each policy is in those.

        Args:
            base: the batch in the base view.
            languages: uint8, shape (posts,), indices into LANGUAGES.
            may: bool, shape (posts,): posts that may leave.
            below: a post leaves where its margins for every policy are below this.
            scores: what makes log-odds of margins.

        Returns:
            Log-odds, float64, shape (posts, policies), -inf for posts that stay; which posts leave,
            bool, shape (posts,).
        """
        if kernel is None:
            return self.leaving_reference(base, languages, may, below, scores)
        odds, left = kernel.screened(
            self.sums(base), base.offsets, LONGEST, self.scale, self.offset, self.caution, below,
            may, flat(languages), scores.slope, scores.shift, scores.review,
        )  # fmt: skip
        return np.frombuffer(odds).reshape(-1, len(POLICIES)), np.frombuffer(left, np.bool_)

    def leaving_reference(
        self,
        base: View,
        languages: NDArray[np.uint8],
        may: NDArray[np.bool_],
        below: float,
        scores: ScreenScores,
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Do the same as `leaving` in numpy."""
        margins = self.margins(base)
        left = (margins < below).all(axis=1) & may
        odds = margins * scores.slope + scores.shift + scores.review[languages]
        odds[~left] = -np.inf
        return odds, left


def ngram_counts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many n-grams of 1 to LONGEST code points posts of some lengths have."""
    sizes = np.arange(1, LONGEST + 1)
    counts: NDArray[np.int64] = np.maximum(lengths[:, None] - sizes + 1, 0).sum(axis=1)
    return counts


def fitted_for(manifest: Manifest, tier: str, asked: str) -> str:
    """Return a digest of what a screen of a tier must have been fitted for to count.

    Args:
        manifest: of the model.
        tier: the tier that a screen imitates; its graph, head and calibration count.
        asked: the tier that was asked for; its review points count, and of the cascade the band.
    """
    spec = manifest.tiers[tier]
    content: list[Any] = [manifest.files[name].sha256 for name in spec.files]
    if spec.ngrams is not None:
        content.append(spec.ngrams.weight)
    if asked == CASCADE and manifest.cascade is not None:
        content.append(manifest.cascade.band)
    for policy in POLICIES:
        for language in LANGUAGES:
            scale = manifest.calibration[tier][policy][language]
            points = (manifest.operating_points[name][policy][language] for name in (tier, asked))
            content.append([scale.slope, scale.offset, *(point.review for point in points)])
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


def load_screen(path: Path) -> Screen:
    """Load a screen's weights.

    Raises:
        ModelError: the file cannot be read or holds something else.
    """
    found = read_linear(path, "a screen", "caution")
    return Screen(found["weights"], found["scale"], found["offset"], float(found["caution"]))
