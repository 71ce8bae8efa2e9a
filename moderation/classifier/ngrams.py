"""Linear: a linear model over hashed character n-grams whose logits a tier adds to its graph's.

A graph learns what posts are about from vectors of tokens; spellings that it was not shown often
fall through it. A weight for each n-gram is blunt, but keeps to what was written, and on sources
that neither saw the two together err less than either (docs/adr/0015).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.classifier.features import character_ngrams_reference
from moderation.errors import ModelError
from moderation.text.native import flat, int64, kernel
from moderation.types import POLICIES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.text import View

__all__ = ["LONGEST", "NgramModel", "filled_up", "load_ngrams", "read_linear"]

LONGEST: Final = 4
"""Code points of the longest n-gram."""
_COLUMNS: Final = 4
"""Bytes of a bucket: one a policy, and one so that a bucket is one word of memory."""


@dataclass(frozen=True, slots=True)
class NgramModel:
    """Logits from the set of a post's n-grams of 1 to LONGEST code points.

    The sum of a post's integer weights is the same on every machine and in every order, so the
    native kernel and numpy agree bit for bit, and so does everything computed from it.

    Attributes:
        weights: int8, shape (buckets, 4): one column a policy, the last one zero.
        scale, offset: float64, shape (policies,); see `logits`.
    """

    weights: NDArray[np.int8]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]

    def logits(self, base: View) -> NDArray[np.float64]:
        """Score every post of a batch.

        Args:
            base: the batch in the base view.

        Returns:
            float64, shape (posts, policies): scale x sum / sqrt(buckets) + offset, where the sum
            goes over the different buckets of a post; an empty post gets the offset.
        """
        sums = self.sums(base)
        root = np.sqrt(np.maximum(sums[:, -1:], 1).astype(np.float64))
        found: NDArray[np.float64] = sums[:, :-1] * self.scale / root + self.offset
        return found

    def sums(self, base: View) -> NDArray[np.int64]:
        """Return the summed weights of every post's buckets and their number, (posts, 4)."""
        if kernel is None:
            return self.sums_reference(base)
        made = kernel.ngram_set_sums(flat(base.codepoints), base.offsets, self.weights, LONGEST)
        return int64(made).reshape(-1, len(POLICIES) + 1)

    def sums_reference(self, base: View) -> NDArray[np.int64]:
        """Do the same as `sums` in numpy."""
        posts, buckets = len(base.offsets) - 1, len(self.weights)
        every = [
            np.repeat(np.arange(posts), grams.lengths) * buckets + grams.values
            for grams in (
                character_ngrams_reference(base, size, buckets) for size in range(1, LONGEST + 1)
            )
        ]
        post, bucket = np.divmod(np.unique(np.concatenate(every)), buckets)
        rows = np.ones((len(post), len(POLICIES) + 1), np.int64)
        rows[:, :-1] = self.weights[bucket, : len(POLICIES)]
        found = np.zeros((posts, rows.shape[1]), np.int64)
        np.add.at(found, post, rows)
        return found


def load_ngrams(path: Path) -> NgramModel:
    """Load a linear model's weights.

    Raises:
        ModelError: the file cannot be read or holds something else.
    """
    found = read_linear(path, "a model of n-grams")
    return NgramModel(found["weights"], found["scale"], found["offset"])


def read_linear(path: Path, what: str, *numbers: str) -> dict[str, NDArray[Any]]:
    """Read the arrays of a linear model over buckets.

    Args:
        path: a file in numpy's format.
        what: what it is, for messages.
        numbers: names of single numbers that it holds as well.

    Returns:
        weights as int8, shape (buckets, 4), see `filled_up`; scale and offset as float64, shape
        (policies,); each number as float64 without a shape.

    Raises:
        ModelError: the file cannot be read or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            names = ("scale", "offset", *numbers)
            found = {name: data[name].astype(np.float64) for name in names}
            weights = data["weights"].astype(np.int8)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: not {what}: {error}") from error
    count = len(POLICIES)
    if weights.ndim != 2 or weights.shape[1] != count or weights.shape[0].bit_count() != 1:
        raise ModelError(
            f"{path}: expected weights of a power of two of buckets and {count} policies, "
            f"found shape {weights.shape}"
        )
    if found["scale"].shape != (count,) or found["offset"].shape != (count,):
        raise ModelError(f"{path}: expected one scale and one offset for each of {count} policies")
    for name in numbers:
        if found[name].shape != ():
            raise ModelError(f"{path}: expected one number for {name}")
    return {"weights": filled_up(weights), **found}


def filled_up(weights: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return weights with the column that makes a bucket one word of memory."""
    filled = np.zeros((len(weights), _COLUMNS), np.int8)
    filled[:, : weights.shape[1]] = weights
    return filled
