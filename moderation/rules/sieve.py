"""Sieve: where in a text a pattern may begin, by a hash of its first three code points.

Nearly every place of an ordinary post begins no pattern at all; one look into a table of bits that
fits the nearest caches says so of most, before the automaton's own tables are touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Sieve", "sieve"]

Sieve = tuple["NDArray[np.uint32]", "NDArray[np.uint32]", "NDArray[np.uint32]"]
"""Bits by the hash of patterns of one code point, of two, and of the first three of longer ones."""

_FACTOR: Final = np.uint32(0x9E3779B1)
_SHIFT: Final = np.uint32(15)
_INSIDE: Final = np.uint32(0x51ED270B)
"""Starts the hash of what may also begin inside a word."""
_LEAST_BITS: Final = 5
_BITS_EACH: Final = 16
"""Bits of a table for each pattern: one place in sixteen or fewer is looked at in vain."""


def sieve(
    codes: NDArray[np.uint32], offsets: NDArray[np.int64], inside: NDArray[np.bool_]
) -> Sieve:
    """Return the sieve of some patterns.

    Args:
        codes: uint32: the patterns' code points end to end.
        offsets: int64, shape (patterns + 1,): where each begins; none is empty.
        inside: bool, shape (patterns,): those that may begin inside a word.
    """
    first, length = offsets[:-1], np.diff(offsets)
    tables = []
    for size in (1, 2, 3):
        chosen = (length >= size) if size == 3 else (length == size)
        starts = first[chosen]
        hashes = np.concatenate(
            [
                _hash(codes, starts, size, np.uint32(0)),
                _hash(codes, starts[inside[chosen]], size, _INSIDE),
            ]
        )
        tables.append(_bits(np.unique(hashes)))
    return tables[0], tables[1], tables[2]


def _hash(
    codes: NDArray[np.uint32], starts: NDArray[np.int64], size: int, seed: np.uint32
) -> NDArray[np.uint32]:
    value = np.full(len(starts), seed, np.uint32)
    for step in range(size):
        value = ((value ^ (value >> _SHIFT)) + codes[starts + step]) * _FACTOR
    return value


def _bits(hashes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    power = max(_LEAST_BITS, int(len(hashes) * _BITS_EACH).bit_length())
    flags = np.zeros(1 << power, np.uint8)
    flags[hashes >> np.uint32(32 - power)] = 1
    return np.packbits(flags, bitorder="little").view("<u4").astype(np.uint32)
