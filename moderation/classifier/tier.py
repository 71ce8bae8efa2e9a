"""A tier: folded posts in, one logit per policy out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.classifier.features import (
    Ragged,
    Tokenizer,
    character_ngrams,
    one_line,
    token_bigrams,
)
from moderation.classifier.sessions import session
from moderation.errors import ConfigError, ModelError
from moderation.types import POLICIES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.classifier.manifest import InputSpec, Manifest
    from moderation.classifier.sessions import SessionOptions
    from moderation.text import View

__all__ = ["Tier"]

_ROWS: Final = 64
"""Rows of a run; the last run is filled up to a multiple of _BLOCK."""
_BLOCK: Final = 8
"""Rows and widths are multiples of this: then kernels take no other path for the last few, and a
post's logit does not depend on the posts it is scored with, bit for bit (tested)."""


class Tier:
    """One graph of a model, ready to run.

    Sessions live in the cache of `moderation.classifier.sessions`, not here.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, name: str, options: SessionOptions
    ) -> None:
        if name not in manifest.tiers:
            known = ", ".join(sorted(manifest.tiers))
            raise ConfigError(f"{folder}: has no tier {name!r}; it has {known}")
        self.name = name
        self._spec = manifest.tiers[name]
        self._path = folder / self._spec.graph
        self._digest = manifest.files[self._spec.graph].sha256
        self._options = options
        self._tokenizer = Tokenizer(folder / self._spec.tokenizer)

    def logits(self, base: View) -> NDArray[np.float64]:
        """Score every post of a batch.

        Args:
            base: the batch in the base view.

        Returns:
            float64, shape (posts, policies), uncalibrated.
        """
        posts = len(base.offsets) - 1
        out = np.zeros((posts, len(POLICIES)))
        if not posts:
            return out
        tokens = self._tokenizer.encode(one_line(base))
        inputs = [self._input(spec, tokens, base) for spec in self._spec.inputs]
        run = session(self._path, self._digest, self._options)
        lengths = [ragged.lengths for ragged in inputs]
        order = np.argsort(np.max(lengths, axis=0), kind="stable")
        for start in range(0, posts, _ROWS):
            rows = order[start : start + _ROWS]
            full = np.pad(rows, (0, -len(rows) % _BLOCK), mode="edge")
            feed = {
                spec.name: ragged.padded(full, _width(length[rows]), spec.padding)
                for spec, ragged, length in zip(self._spec.inputs, inputs, lengths, strict=True)
            }
            out[rows] = run.run(None, feed)[0][: len(rows)]
        return out

    @staticmethod
    def _input(spec: InputSpec, tokens: Ragged, base: View) -> Ragged:
        if spec.kind == "tokens":
            return tokens
        if spec.kind == "token_bigrams":
            return token_bigrams(tokens, spec.buckets)
        if spec.kind == "character_ngrams":
            return character_ngrams(base, spec.size, spec.buckets)
        raise ModelError(f"input {spec.name}: unknown kind {spec.kind!r}")


def _width(lengths: NDArray[np.int64]) -> int:
    """Return the width that holds the longest row, a multiple of _BLOCK."""
    return -(-max(int(lengths.max()), 1) // _BLOCK) * _BLOCK
