"""Language of a post, by counting scripts: enough to pick an operating point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.text.fold import CLASS_HAN, CLASS_KANA, CLASS_LATIN, CLASS_LETTER, FoldTable, View
from moderation.types import LANGUAGES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.text.batch import TextBatch

__all__ = ["identify"]

HAN_WEIGHT: Final = 3.0
"""One Han character carries about as much text as three Latin letters."""
MIXED_SHARE: Final = (0.20, 0.90)
"""Share of Latin between which a post is mixed: a lone KTV or handle keeps a post Chinese."""
KANA_SHARE: Final = 0.20
FOREIGN_WEIGHT: Final = 4.0
"""A syllable of Korean or a consonant of Thai carries more text than a Latin letter."""

_ZH, _EN, _MIXED, _OTHER = (LANGUAGES.index(name) for name in ("zh", "en", "mixed", "other"))


def identify(base: View, table: FoldTable, batch: TextBatch) -> NDArray[np.uint8]:
    """Return the language of every post as an index into LANGUAGES, uint8, shape (posts,).

    Latin script counts as English, Han as Chinese. A post in which neither is the main script
    (Japanese by its kana, Korean, Russian, or emoji alone) is `other`. Letters of another script
    that fold to Latin ones count as Latin beside one that is Latin (саt), and as what they were in
    a word of their own (как).

    Args:
        base: the `base` view of the posts.
        table: the table that folded them.
        batch: the posts as written.
    """
    classes = table.classes[base.codepoints]
    disguised = _own_words(base, classes, table.classes[batch.codepoints[base.source]])
    classes = np.where(disguised, np.uint8(CLASS_LETTER), classes)
    han = _counts(classes, CLASS_HAN, base.offsets) * HAN_WEIGHT
    latin = _counts(classes, CLASS_LATIN, base.offsets).astype(np.float64)
    kana = _counts(classes, CLASS_KANA, base.offsets) * HAN_WEIGHT
    letters = _counts(classes, CLASS_LETTER, base.offsets).astype(np.float64)
    known = han + latin
    share = np.divide(latin, known, out=np.zeros_like(known), where=known > 0)
    language = np.full(len(known), _MIXED, np.uint8)
    language[share < MIXED_SHARE[0]] = _ZH
    language[share > MIXED_SHARE[1]] = _EN
    language[(known == 0) | (letters * FOREIGN_WEIGHT > known) | (kana > KANA_SHARE * known)] = (
        _OTHER
    )
    return language


def _own_words(
    base: View, classes: NDArray[np.uint8], written: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Return which positions are letters of another script in a word that holds no Latin one."""
    foreign: NDArray[np.bool_] = ((written & CLASS_LETTER) != 0) & ((classes & CLASS_LATIN) != 0)
    if not foreign.any():
        return foreign
    letter = (classes & (CLASS_LATIN | CLASS_LETTER)) != 0
    starts = letter.copy()
    starts[1:] &= ~letter[:-1]
    first = base.offsets[:-1]
    first = first[first < len(letter)]
    starts[first] = letter[first]
    word = np.cumsum(starts)
    latin = np.bincount(word, weights=(written & CLASS_LATIN) != 0) > 0
    return np.asarray(foreign & ~latin[word])


def _counts(classes: NDArray[np.uint8], bit: int, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    running = np.zeros(len(classes) + 1, np.int64)
    np.cumsum((classes & bit) != 0, out=running[1:])
    return np.diff(running[offsets])
