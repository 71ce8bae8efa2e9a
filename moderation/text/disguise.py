"""Disguise: which posts the base view does not yet show as a person reads them.

Turned letters, bopomofo, leet and Chinese with spaces throughout are read one post at a time, and
few posts hold any of them; this says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.text.bopomofo import FIRST, LAST
from moderation.text.leet import ALIKE, GLYPHS, SCRIPTS
from moderation.text.native import flat, kernel
from moderation.text.reading import SPECIAL
from moderation.text.spacing import LEAST_GAPS, SHARE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.text.batch import TextBatch
    from moderation.text.fold import FoldTable, View
    from moderation.text.ordinary import Ordinary

__all__ = ["Meanings", "disguised"]

_TURNED: Final = 1
_BOPOMOFO: Final = 2
_FOREIGN: Final = 4
_GLYPH: Final = 8


@dataclass(frozen=True, slots=True)
class Meanings:
    """What a word of leet may stand for, as keys: see `moderation.text.ordinary`.

    Attributes:
        outlines: uint32, ascending: of the outlines of words that the rules name.
        words: uint32, ascending: of these words.
        ordinary: the words of ordinary posts.
        common: how often one of them is found at least, in a million posts, to be known.
    """

    outlines: NDArray[np.uint32]
    words: NDArray[np.uint32]
    ordinary: Ordinary
    common: int


def disguised(
    base: View, batch: TextBatch, table: FoldTable, meanings: Meanings
) -> NDArray[np.bool_]:
    """Return which posts may have to be read in another way than the base view shows them.

    Every post that `in_reading_order`, `read_bopomofo`, `plain_letters` or `unspace` would change
    is among them; without the kernel, all are.

    Args:
        base: the base view of `batch`.
        batch: the posts as they were given.
        table: the fold table, for character classes.
        meanings: what leet may stand for.
    """
    if kernel is None:
        return np.ones(len(batch), np.bool_)
    flags = kernel.disguises(
        flat(base.codepoints),
        base.offsets,
        flat(base.source),
        flat(batch.codepoints),
        batch.offsets,
        table.classes,
        _marks(),
        _alike(),
        _ways(),
        meanings.outlines,
        meanings.words,
        meanings.ordinary.key,
        meanings.ordinary.parts,
        meanings.ordinary.rate,
        meanings.common,
        LEAST_GAPS,
        SHARE,
    )
    return np.frombuffer(flags, np.uint8).astype(np.bool_)


@lru_cache(maxsize=1)
def _marks() -> NDArray[np.uint8]:
    marks = np.zeros(0x110000, np.uint8)
    marks[SPECIAL] |= _TURNED
    marks[FIRST : LAST + 1] |= _BOPOMOFO
    letters = "".join(SCRIPTS)
    marks[[ord(c) for c in letters + letters.upper()]] |= _FOREIGN
    marks[[ord(c) for c in GLYPHS]] |= _GLYPH
    marks.setflags(write=False)
    return marks


@lru_cache(maxsize=1)
def _alike() -> NDArray[np.uint32]:
    """Return what each code point is written as in an outline, as far as any is changed."""
    alike = np.arange(1 + max(ord(c) for group in ALIKE for c in group), dtype=np.uint32)
    for group in ALIKE:
        alike[[ord(c) for c in group]] = ord(group[0])
    alike.setflags(write=False)
    return alike


@lru_cache(maxsize=1)
def _ways() -> NDArray[np.uint32]:
    """Return the letters that each code point may stand for, two columns; 0 for none."""
    ways = np.zeros((len(_alike()), 2), np.uint32)
    for glyph, letters in GLYPHS.items():
        ways[ord(glyph), : len(letters)] = [ord(c) for c in letters]
    ways.setflags(write=False)
    return ways
