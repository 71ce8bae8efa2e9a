"""Near-duplicates: posts that say almost the same, told by MinHash sketches in bands.

Broder, "On the resemblance and containment of documents", 1997. Posts of which the sets of
four-letter shingles overlap by a share s meet in a band with probability 1 - (1 - s⁴)⁶: .99 at
s = .85, .32 at s = .5, .02 at s = .25.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NearDuplicates"]

_SHINGLE: Final = 4
_ROWS: Final = 4
_BANDS: Final = 6
_SEED: Final = 20240601


class NearDuplicates:
    """Remembers posts by a few numbers each; tells whether a new one resembles any of them."""

    def __init__(self) -> None:
        generator = np.random.Generator(np.random.PCG64(_SEED))
        shape = (_ROWS * _BANDS, 1)
        self._factors = generator.integers(1, 1 << 62, shape, np.uint64) * 2 + 1
        self._powers = generator.integers(1, 1 << 62, (_SHINGLE, 1), np.uint64) * 2 + 1
        self._bands: list[set[tuple[int, ...]]] = [set() for _ in range(_BANDS)]

    def is_new(self, letters: NDArray[np.uint32]) -> bool:
        """Say whether no earlier post resembles this one, and remember it.

        Args:
            letters: a post's letters and digits as code points, folded, without what lies between;
                shape (letters,).
        """
        sketch = self._sketch(letters)
        bands = [tuple(sketch[b * _ROWS : (b + 1) * _ROWS].tolist()) for b in range(_BANDS)]
        new = not any(key in seen for key, seen in zip(bands, self._bands, strict=True))
        for key, seen in zip(bands, self._bands, strict=True):
            seen.add(key)
        return new

    def _sketch(self, letters: NDArray[np.uint32]) -> NDArray[np.uint64]:
        """Return the least hash of the shingles under each of the hash functions."""
        padded = letters.astype(np.uint64) + np.uint64(1)
        if len(padded) < _SHINGLE:
            padded = np.concatenate([padded, np.zeros(_SHINGLE - len(padded), np.uint64)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, _SHINGLE)
        mixed = (windows * self._powers[:, 0]).sum(axis=1, dtype=np.uint64)
        mixed ^= mixed >> np.uint64(29)
        hashes = mixed[np.newaxis, :] * self._factors
        hashes ^= hashes >> np.uint64(32)
        least: NDArray[np.uint64] = hashes.min(axis=1)
        return least
