"""What ordinary posts are made of: how often a short string occurs in them.

The table holds 32-bit hashes of Han n-grams of 1 to 4 characters and of Latin words, each with the
number of ordinary posts per million that contain it (see rules/fold/README.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.errors import DataNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["AMONG_HAN", "Ordinary", "key", "keys", "span_keys"]

AMONG_HAN: Final = "\x01"
"""A Latin word with this before it: the word inside posts that also hold Han characters."""

_OFFSET: Final = 2166136261
_PRIME: Final = 16777619
_MASK: Final = 0xFFFFFFFF
_HALF: Final = 16


def key(text: str) -> int:
    """Return the FNV-1a hash (32 bits) of a string, taken over code points and not bytes.

    Source: Fowler, Noll and Vo, http://www.isthe.com/chongo/tech/comp/fnv/.
    """
    value = _OFFSET
    for char in text:
        value = ((value ^ ord(char)) * _PRIME) & _MASK
    return value


def span_keys(
    codepoints: NDArray[np.uint32],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    prefix: str = "",
) -> NDArray[np.uint32]:
    """Return the key of each span of an array of code points, with `prefix` before it.

    Args:
        codepoints: uint32, any length.
        starts: int64, shape (spans,): first code point of each span.
        lengths: int64, shape (spans,): code points of each span.
        prefix: hashed before the code points of every span.
    """
    values = np.full(len(starts), key(prefix), np.uint32)
    order = np.argsort(-lengths, kind="stable")
    ascending = -lengths[order]
    for step in range(int(lengths.max(initial=0))):
        longer = order[: np.searchsorted(ascending, -step)]
        values[longer] = (values[longer] ^ codepoints[starts[longer] + step]) * np.uint32(_PRIME)
    return values


def keys(texts: Sequence[str]) -> NDArray[np.uint32]:
    """Return the keys of many strings, shape (len(texts),)."""
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    joined = "".join(texts).encode("utf-32-le", "surrogatepass")
    return span_keys(np.frombuffer(joined, np.uint32), np.cumsum(lengths) - lengths, lengths)


@dataclass(frozen=True, slots=True)
class Ordinary:
    """Document frequencies of short strings in ordinary posts.

    Strings are given in the `base` view. Two strings may share a key: a string that is not in the
    table is taken for one that is with a probability of about len(key) / 2 ** 32.

    Attributes:
        key: uint32, ascending, unique, not empty.
        rate: uint16, same shape: posts per million that contain the string, at most 65535.
        parts: uint32, shape (65537,): where the keys with each upper half begin, for the kernel.
    """

    key: NDArray[np.uint32]
    rate: NDArray[np.uint16]
    parts: NDArray[np.uint32] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        counts = np.bincount(self.key >> np.uint32(_HALF), minlength=1 << _HALF)
        parts = np.concatenate(([0], np.cumsum(counts))).astype(np.uint32)
        object.__setattr__(self, "parts", parts)

    @classmethod
    def load(cls, rules_folder: Path) -> Ordinary:
        """Load `fold/ordinary.npz` below a rules folder.

        Raises:
            DataNotFoundError: the file is missing.
        """
        path = rules_folder / "fold" / "ordinary.npz"
        if not path.is_file():
            raise DataNotFoundError(f"expected the table {path}; it is part of the rules folder")
        with np.load(path, allow_pickle=False) as data:
            table = cls(data["key"], data["per_million"])
        table.key.setflags(write=False)
        table.rate.setflags(write=False)
        return table

    def __len__(self) -> int:
        return len(self.key)

    def per_million(self, text: str) -> int:
        """Return how many of a million ordinary posts contain a string; 0 for a rare one.

        A Latin word alone is counted in posts without Han characters; with AMONG_HAN before it,
        in posts with them.
        """
        wanted = key(text)
        at = int(self.key.searchsorted(np.uint32(wanted)))
        return int(self.rate[at]) if at < len(self.key) and self.key[at] == wanted else 0

    def rates(self, keys: NDArray[np.uint32]) -> NDArray[np.uint16]:
        """Return posts per million for an array of keys of any shape; 0 where a key is absent."""
        at, found = self._places(keys)
        return np.where(found, self.rate[at], 0).astype(np.uint16)

    def contains(self, keys: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Return which keys of an array of any shape are in the table."""
        return self._places(keys)[1]

    def _places(self, keys: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        at = np.minimum(np.searchsorted(self.key, keys), len(self.key) - 1)
        return at, self.key[at] == keys
