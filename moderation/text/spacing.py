"""Spacing: posts whose Chinese words all stand apart are read without the spaces.

Some senders cut Chinese into words; a filter that takes every space for a border then sees
nothing. One space between two words is still noise or a border as anywhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.text.fold import CLASS_HAN, View
from moderation.text.native import flat, int64, kernel, uint32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.text.fold import FoldTable

__all__ = ["LEAST_GAPS", "SHARE", "unspace"]

LEAST_GAPS: Final = 4
"""Gaps between Han characters that a post must have."""
SHARE: Final = 4
"""There must be a gap for every SHARE Han characters or fewer."""


def unspace(base: View, table: FoldTable) -> tuple[View, NDArray[np.bool_]]:
    """Drop the spaces between Han characters in the posts that are spaced throughout.

    Returns:
        The view (the same object where no post is spaced) and, shape (posts,), which are.
    """
    if kernel is None:
        return unspace_reference(base, table)
    every = np.arange(len(base.codepoints))
    found = kernel.unspace(
        flat(base.codepoints), base.offsets, table.classes, every, LEAST_GAPS, SHARE
    )
    if found is None:
        return base, np.zeros(len(base.offsets) - 1, np.bool_)
    codes, offsets, kept, spaced = found
    view = _view(base, uint32(codes), int64(offsets), int64(kept))
    return view, np.frombuffer(spaced, np.bool_)


def unspace_reference(base: View, table: FoldTable) -> tuple[View, NDArray[np.bool_]]:
    """Do the same in numpy."""
    codes, offsets = base.codepoints, base.offsets
    posts = len(offsets) - 1
    space = codes == ord(" ")
    solid = np.flatnonzero(~space)
    han = (table.classes[codes[solid]] & CLASS_HAN) != 0
    post = np.searchsorted(offsets, solid, "right") - 1
    # Two Han characters of one post with nothing but spaces between them.
    gap = (np.diff(solid) > 1) & han[:-1] & han[1:] & (post[:-1] == post[1:])
    gaps = np.bincount(post[:-1][gap], minlength=posts)
    letters = np.bincount(post[han], minlength=posts)
    spaced = (gaps >= LEAST_GAPS) & (gaps * SHARE >= letters)
    if not spaced.any():
        return base, spaced
    dropped = np.zeros(len(codes) + 1, np.int64)
    inside = gap & spaced[post[:-1]]
    np.add.at(dropped, solid[:-1][inside] + 1, 1)
    np.add.at(dropped, solid[1:][inside], -1)
    kept = np.flatnonzero(np.cumsum(dropped)[:-1] == 0)
    return _view(base, codes[kept], np.searchsorted(kept, offsets), kept), spaced


def _view(
    base: View, codes: NDArray[np.uint32], offsets: NDArray[np.int64], kept: NDArray[np.int64]
) -> View:
    same = np.arange(len(codes))
    return View("base", codes, offsets, base.source[kept], base.last[kept], same, same)
