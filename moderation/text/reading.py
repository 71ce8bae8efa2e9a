"""Reading order: text that is shown in another order than it is stored in.

A right-to-left override shows Latin and Han letters backwards; turned and mirrored letters are
read from the other end. The base view keeps the stored order; rules read what a person sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.text.fold import CLASS_LATIN, View

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.text.batch import TextBatch
    from moderation.text.fold import FoldTable

__all__ = ["SPECIAL", "in_reading_order"]

_OVERRIDE: Final = 0x202E
_ENDS_OVERRIDE: Final = frozenset({0x202A, 0x202B, 0x202C, 0x202D, 0x0A})
_TURNED: Final = frozenset(map(ord, "ɐɒɔǝɟƃɓɥᴉıɾʞꞁɯɹɺʇʌʍʎᴚ∀ƎℲ⅁ſ⅂Ԁ∩Λ⅄"))
_MIRRORED: Final = frozenset(map(ord, "ɒƋꓷɘꓘɿƨƚƹᴎᴙ"))
_UPSIDE_DOWN: Final = dict(zip("bdpqnu", "qpdbun", strict=True))
_REFLECTED: Final = dict(zip("bdpq", "dbqp", strict=True))
_MIRROR_LETTERS: Final = dict(zip("ɒɿƨƚƹɘƋꓷꓘᴎᴙ", "arstzebdknr", strict=True))
"""What mirrored letters stand for, where the fold table leaves them as they are."""
SPECIAL: Final = np.zeros(0x110000, np.bool_)
SPECIAL[[_OVERRIDE, *_TURNED, *_MIRRORED]] = True
SPECIAL[ord("ı")] = False
SPECIAL.setflags(write=False)


def in_reading_order(base: View, batch: TextBatch, table: FoldTable) -> View:
    """Return the base view with every word in the order in which it is read.

    The same object where nothing is turned, which is nearly always.

    Args:
        base: the base view of `batch`.
        batch: the posts as they were given.
        table: the fold table, for character classes.
    """
    special = np.flatnonzero(SPECIAL[batch.codepoints])
    if not len(special):
        return base
    posts = np.unique(np.searchsorted(batch.offsets, special, "right") - 1)
    codes = base.codepoints.copy()
    order = np.arange(len(codes))
    for post in posts.tolist():
        begin, end = int(base.offsets[post]), int(base.offsets[post + 1])
        _unturn(codes, order, begin, end, batch.codepoints, base.source, table)
        _override(order, begin, end, batch, post, base.source)
    same = np.arange(len(codes))
    return View(
        "base", codes[order], base.offsets, base.source[order], base.last[order], same, same
    )


def _unturn(
    codes: NDArray[np.uint32],
    order: NDArray[np.int64],
    begin: int,
    end: int,
    original: NDArray[np.uint32],
    source: NDArray[np.int64],
    table: FoldTable,
) -> None:
    """Reverse the words that are written with turned or mirrored letters."""
    at = begin
    while at < end:
        stop = at
        while stop < end and table.classes[codes[stop]] & CLASS_LATIN:
            stop += 1
        if stop > at:
            letters = original[source[at:stop]].tolist()
            turned = sum(c in _TURNED for c in letters)
            mirrored = sum(c in _MIRRORED for c in letters)
            if turned or mirrored:
                special = _TURNED if turned >= mirrored else _MIRRORED
                swap = _UPSIDE_DOWN if turned >= mirrored else _REFLECTED
                for k, letter in enumerate(letters):
                    plain = chr(codes[at + k])
                    if letter not in special:
                        codes[at + k] = ord(swap.get(plain, plain))
                    elif chr(letter) in _MIRROR_LETTERS and special is _MIRRORED:
                        codes[at + k] = ord(_MIRROR_LETTERS[chr(letter)])
                order[at:stop] = order[at:stop][::-1]
        at = max(stop, at + 1)


def _override(
    order: NDArray[np.int64],
    begin: int,
    end: int,
    batch: TextBatch,
    post: int,
    source: NDArray[np.int64],
) -> None:
    """Reverse what stands between a right-to-left override and its end."""
    origin = int(batch.offsets[post])
    text = batch.codepoints[origin : batch.offsets[post + 1]]
    for opened in np.flatnonzero(text == _OVERRIDE).tolist():
        closed = opened + 1
        while closed < len(text) and int(text[closed]) not in _ENDS_OVERRIDE:
            closed += 1
        first = begin + int(np.searchsorted(source[begin:end], origin + opened))
        last = begin + int(np.searchsorted(source[begin:end], origin + closed))
        order[first:last] = order[first:last][::-1]
