"""Windows: long posts cut into overlapping pieces, so that cost and memory stay linear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from moderation.text.batch import TextBatch

__all__ = ["STRIDE", "WINDOW", "Windows", "cut", "parts"]

WINDOW: Final = 1024
"""Code points a window holds: a whole note on most networks."""
STRIDE: Final = 768
"""Code points from one window's start to the next; what overlaps is found in one of them whole."""
PART_POSTS: Final = 4096
PART_CODEPOINTS: Final = 1 << 19


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows over a batch, in order.

    Attributes:
        post: int64, shape (windows,), the post each belongs to, ascending.
        start: int64, shape (windows,), its first code point within the post.
        length: int64, shape (windows,).
        whole: True where every post is one window.
    """

    post: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    whole: bool = False

    def cut(self, batch: TextBatch, where: slice) -> NDArray[np.bool_] | None:
        """Return for some windows whether text goes on to the left and right; None: nowhere."""
        if self.whole:
            return None
        start, end = self.start[where], self.start[where] + self.length[where]
        flags = np.stack([start > 0, end < batch.lengths[self.post[where]]], axis=1)
        return flags if flags.any() else None


def cut(batch: TextBatch) -> Windows:
    """Cut every post into windows; a post of at most WINDOW code points is one window."""
    lengths = batch.lengths
    if lengths.max(initial=0) <= WINDOW:
        return Windows(
            np.arange(len(lengths)), np.zeros(len(lengths), np.int64), lengths, whole=True
        )
    extra = np.maximum(lengths - WINDOW, 0)
    counts = 1 + (extra + STRIDE - 1) // STRIDE
    post = np.repeat(np.arange(len(lengths)), counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    start = (np.arange(len(post)) - first) * STRIDE
    return Windows(post, start, np.minimum(lengths[post] - start, WINDOW))


def parts(batch: TextBatch, windows: Windows) -> Iterator[tuple[slice, TextBatch]]:
    """Yield the windows as batches of bounded size, with the slice of `windows` each holds."""
    if windows.whole and len(batch) <= PART_POSTS and len(batch.codepoints) <= PART_CODEPOINTS:
        if len(batch):
            yield slice(0, len(batch)), batch
        return
    total = np.concatenate(([0], np.cumsum(windows.length)))
    begin = 0
    while begin < len(windows.post):
        limit = int(np.searchsorted(total, total[begin] + PART_CODEPOINTS, "right")) - 1
        end = min(max(limit, begin + 1), begin + PART_POSTS, len(windows.post))
        yield slice(begin, end), _slice(batch, windows, begin, end)
        begin = end


def _slice(batch: TextBatch, windows: Windows, begin: int, end: int) -> TextBatch:
    from moderation.text.batch import TextBatch

    lengths = windows.length[begin:end]
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    origin = batch.offsets[windows.post[begin:end]] + windows.start[begin:end]
    if np.array_equal(origin, origin[0] + offsets[:-1]):  # no overlap: a plain stretch
        flat = batch.codepoints[origin[0] : origin[0] + offsets[-1]]
    else:
        flat = batch.codepoints[np.repeat(origin - offsets[:-1], lengths) + np.arange(offsets[-1])]
    post = windows.post[begin:end]
    fields = None
    if batch.fields is not None:
        fields = batch.fields.cut(post, windows.start[begin:end], lengths)
    return TextBatch(flat, offsets, batch.nulls[post], fields)
