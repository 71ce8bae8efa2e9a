"""Model: a verified model folder whose scores are calibrated probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from moderation.classifier.features import posts_of
from moderation.classifier.manifest import CASCADE, read_manifest, verify_files
from moderation.classifier.screen import Screen, ScreenScores, fitted_for, load_screen
from moderation.classifier.tier import Tier
from moderation.errors import ConfigError
from moderation.types import LANGUAGES, NO_TIER, POLICIES, SCREEN

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.classifier.manifest import Calibration, CascadeSpec, Manifest, ScreenFit
    from moderation.classifier.sessions import SessionOptions
    from moderation.text import View

__all__ = ["Model", "Scored", "load_model", "model_reference"]


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model says of a batch.

    Attributes:
        log_odds: float64, shape (posts, policies), calibrated; -inf where no tier was asked.
        tiers: uint8, shape (posts,), indices into the model's `tier_names`.
    """

    log_odds: NDArray[np.float64]
    tiers: NDArray[np.uint8]


class Model:
    """A model folder behind one tier: that of a graph, or the cascade of two.

    Attributes:
        manifest: the folder's manifest.
        digest: sha256:… of it.
        tier: name of the tier.
        tiers: the graphs behind it, the one that sees every post first.
        tier_names: what may have scored a post: nothing, the screen, a graph of `tiers`.
        screen: what lets posts leave before them; None: the model has none for this tier.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, digest: str, tier: str, options: SessionOptions
    ) -> None:
        self.manifest = manifest
        self.digest = digest
        self.tier = tier
        names: tuple[str, ...] = (tier,)
        if tier == CASCADE and manifest.cascade is not None:
            names = manifest.cascade.tiers
        self.tiers = tuple(Tier(folder, manifest, name, options) for name in names)
        self.tier_names = (NO_TIER, SCREEN, *names)
        self.screen: Screen | None = None
        if self._screen_fit() is not None and manifest.screen is not None:
            self.screen = load_screen(folder / manifest.screen.file)

    @property
    def reference(self) -> str:
        """name@version:sha256:…, as verdicts carry it."""
        return model_reference(self.manifest, self.digest)

    @property
    def rule_weights(self) -> dict[str, dict[str, float]]:
        """Log-odds that a hit adds, by policy and rule level."""
        return self.manifest.rule_weights.get(self.tier, {})

    @cached_property
    def operating_points(self) -> NDArray[np.float64]:
        """Review and block thresholds, shape (languages, policies, 2)."""
        table = self.manifest.operating_points[self.tier]
        return np.array(
            [[(table[p][n].review, table[p][n].block) for p in POLICIES] for n in LANGUAGES]
        )

    def raw_logits(self, base: View) -> NDArray[np.float64]:
        """Return what the graph that sees every post says, shape (posts, policies).

        Of a model of one graph this is the input of calibration.
        """
        return self.tiers[0].logits(base)

    def logits(self, base: View, languages: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return calibrated log-odds.

        Args:
            base: the batch in the base view.
            languages: uint8, shape (posts,), indices into LANGUAGES.

        Returns:
            float64, shape (posts, policies); 1 / (1 + exp(-x)) is the probability.
        """
        return self._graphs(base, languages)[0]

    def score(
        self,
        base: View,
        languages: NDArray[np.uint8],
        *,
        wanted: NDArray[np.bool_],
        unread: NDArray[np.bool_],
    ) -> Scored:
        """Return calibrated log-odds of posts, those of the screen where it lets a post leave.

        Args:
            base: the batch in the base view.
            languages: uint8, shape (posts,), indices into LANGUAGES.
            wanted: bool, shape (posts,): posts that the screen does not keep from the tiers.
            unread: bool, shape (posts,): posts that say too little to be asked about.
        """
        posts = len(languages)
        tiers = np.zeros(posts, np.uint8)
        asked = ~unread
        if self.screen is None:
            log_odds = np.full((posts, len(POLICIES)), -np.inf)
        else:
            may = asked & ~wanted
            odds, left = self.screen.leaving(base, languages, may, self._below, self._screen_scores)
            log_odds = odds.copy()  # what the kernel returns cannot be written to
            tiers[left] = self.tier_names.index(SCREEN)
            asked &= ~left
        rows = np.flatnonzero(asked)
        if len(rows):
            part = base if len(rows) == posts else posts_of(base, rows)
            log_odds[rows], second = self._graphs(part, languages[rows])
            tiers[rows] = self.tier_names.index(self.tiers[0].name) + second
        return Scored(log_odds, tiers)

    def _graphs(
        self, base: View, languages: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return calibrated log-odds, and which posts the cascade asked its second graph about."""
        first = self.raw_logits(base)
        found = self._calibrated(self.tiers[0].name, first, languages)
        if self.manifest.cascade is None or self.tier != CASCADE:
            return found, np.zeros(len(found), np.bool_)
        second = self.asked(found, languages)
        asked = np.flatnonzero(second)
        if len(asked):
            logits = self.tiers[1].logits(posts_of(base, asked))
            mixed = self.mixed(first[asked], logits)
            found[asked] = self._calibrated(CASCADE, mixed, languages[asked])
        return found, second

    def asked(
        self, log_odds: NDArray[np.float64], languages: NDArray[np.uint8]
    ) -> NDArray[np.bool_]:
        """Return which posts the cascade asks its second tier about, (posts,).

        Args:
            log_odds: calibrated, of the first tier, (posts, policies).
            languages: indices into LANGUAGES, (posts,).
        """
        band = self._band[languages]
        with np.errstate(over="ignore"):
            scores = 1.0 / (1.0 + np.exp(-log_odds))
        inside = (scores >= band[..., 0]) & (scores <= band[..., 1])
        return np.asarray(inside.any(axis=1))

    def mixed(self, first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the cascade's mixture of two tiers' logits, (posts, policies), uncalibrated."""
        return self._weight * second + (1.0 - self._weight) * first

    def stances(self, base: View) -> NDArray[np.float64] | None:
        """Return what the posts do with their topic, or None where no graph of the tier says.

        Returns:
            float64, shape (posts, len(self.stance_names)), probabilities.
        """
        for tier in reversed(self.tiers):
            if tier.spec.stances:
                (logits,) = tier.outputs(base, ("stance",))
                grown = np.exp(logits - logits.max(axis=1, keepdims=True))
                shares: NDArray[np.float64] = grown / grown.sum(axis=1, keepdims=True)
                return shares
        return None

    @property
    def stance_names(self) -> tuple[str, ...]:
        """Names of the stances that `stances` tells apart; empty where it says nothing."""
        return next((t.spec.stances for t in reversed(self.tiers) if t.spec.stances), ())

    def _calibrated(
        self, tier: str, logits: NDArray[np.float64], languages: NDArray[np.uint8]
    ) -> NDArray[np.float64]:
        scale = self._scales[tier].take(languages, axis=0)
        calibrated: NDArray[np.float64] = logits * scale[..., 0] + scale[..., 1]
        return calibrated

    @cached_property
    def _scales(self) -> dict[str, NDArray[np.float64]]:
        return {tier: _scales(table) for tier, table in self.manifest.calibration.items()}

    def _screen_fit(self) -> ScreenFit | None:
        """Return what the screen was fitted to for this tier, where that is still what it is."""
        spec = self.manifest.screen
        if spec is None or spec.tier != self.tiers[0].name:
            return None
        fit = spec.tiers.get(self.tier)
        if fit is None or fit.fitted_for != fitted_for(self.manifest, spec.tier, self.tier):
            return None
        return fit

    @cached_property
    def _below(self) -> float:
        """Margin below which, for every policy, a post leaves."""
        fit = self._screen_fit()
        assert fit is not None
        return fit.below

    @cached_property
    def _screen_scores(self) -> ScreenScores:
        assert self.manifest.screen is not None
        scores = [self.manifest.screen.scores[policy] for policy in POLICIES]
        table = self.manifest.operating_points[self.tiers[0].name]
        points = np.array([[table[p][n].review for p in POLICIES] for n in LANGUAGES])
        return ScreenScores(
            np.array([score.slope for score in scores]),
            np.array([score.offset for score in scores]),
            np.log(points) - np.log1p(-points),
        )

    @property
    def _cascade(self) -> CascadeSpec:
        assert self.manifest.cascade is not None
        return self.manifest.cascade

    @cached_property
    def _band(self) -> NDArray[np.float64]:
        """Lowest and highest probability that is asked about, (languages, policies, 2)."""
        band = self._cascade.band
        return np.array([[band[policy][name] for policy in POLICIES] for name in LANGUAGES])

    @cached_property
    def _weight(self) -> NDArray[np.float64]:
        """Weight of the second graph's logits, (policies,)."""
        return np.array([self._cascade.weight[policy] for policy in POLICIES])


def _scales(table: dict[str, dict[str, Calibration]]) -> NDArray[np.float64]:
    """Return slopes and offsets, shape (languages, policies, 2)."""
    return np.array(
        [[(table[p][n].slope, table[p][n].offset) for p in POLICIES] for n in LANGUAGES]
    )


def model_reference(manifest: Manifest, digest: str) -> str:
    """Return name@version:sha256:… ."""
    return f"{manifest.name}@{manifest.version}:{digest}"


@lru_cache(maxsize=4)
def _cached(folder: Path, digest: str, tier: str, options: SessionOptions) -> Model:
    manifest, found = read_manifest(folder)
    verify_files(folder, manifest)
    return Model(folder, manifest, found, tier, options)


def load_model(folder: Path, tier: str | None, options: SessionOptions) -> Model:
    """Verify and load a model folder; the same folder, digest and options load once.

    Args:
        folder: the model folder.
        tier: which tier; None: the model's default, see `Manifest.default_tier`.
        options: what sessions are made with.

    Raises:
        ModelError: a file is missing, altered or malformed; the message names it.
        ConfigError: the model has no such tier; the message names those it has.
    """
    manifest, digest = read_manifest(folder)
    names = manifest.tier_names
    if tier is not None and tier not in names:
        raise ConfigError(f"{folder}: has no tier {tier!r}; it has {', '.join(names)}")
    return _cached(folder, digest, tier or manifest.default_tier, options)
