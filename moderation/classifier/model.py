"""Model: a verified model folder whose scores are calibrated probabilities."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from moderation.classifier.manifest import read_manifest, verify_files
from moderation.classifier.tier import Tier
from moderation.types import LANGUAGES, POLICIES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.classifier.manifest import Manifest
    from moderation.classifier.sessions import SessionOptions
    from moderation.text import View

__all__ = ["Model", "load_model", "model_reference"]


class Model:
    """A model folder behind one tier."""

    def __init__(
        self, folder: Path, manifest: Manifest, digest: str, tier: str, options: SessionOptions
    ) -> None:
        self.manifest = manifest
        self.digest = digest
        self._tier = Tier(folder, manifest, tier, options)

    @property
    def reference(self) -> str:
        """name@version:sha256:…, as verdicts carry it."""
        return model_reference(self.manifest, self.digest)

    @cached_property
    def _calibration(self) -> NDArray[np.float64]:
        """Slope and offset, shape (languages, policies, 2)."""
        table = self.manifest.calibration
        return np.array(
            [[(table[p][n].slope, table[p][n].offset) for p in POLICIES] for n in LANGUAGES]
        )

    @cached_property
    def operating_points(self) -> NDArray[np.float64]:
        """Review and block thresholds, shape (languages, policies, 2)."""
        table = self.manifest.operating_points
        return np.array(
            [[(table[p][n].review, table[p][n].block) for p in POLICIES] for n in LANGUAGES]
        )

    def raw_logits(self, base: View) -> NDArray[np.float64]:
        """Return what the graph says, shape (posts, policies): the input of calibration."""
        return self._tier.logits(base)

    def logits(self, base: View, languages: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return calibrated log-odds.

        Args:
            base: the batch in the base view.
            languages: uint8, shape (posts,), indices into LANGUAGES.

        Returns:
            float64, shape (posts, policies); 1 / (1 + exp(-x)) is the probability.
        """
        scale = self._calibration[languages]
        calibrated: NDArray[np.float64] = self._tier.logits(base) * scale[..., 0] + scale[..., 1]
        return calibrated


def model_reference(manifest: Manifest, digest: str) -> str:
    """Return name@version:sha256:… ."""
    return f"{manifest.name}@{manifest.version}:{digest}"


@lru_cache(maxsize=4)
def _cached(folder: Path, digest: str, tier: str, options: SessionOptions) -> Model:
    manifest, found = read_manifest(folder)
    verify_files(folder, manifest)
    return Model(folder, manifest, found, tier, options)


def load_model(folder: Path, tier: str, options: SessionOptions) -> Model:
    """Verify and load a model folder; the same folder, digest and options load once.

    Raises:
        ModelError: a file is missing, altered or malformed; the message names it.
    """
    _, digest = read_manifest(folder)
    return _cached(folder, digest, tier, options)
