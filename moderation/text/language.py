"""Language of a post, by counting scripts: enough to pick an operating point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.text.fold import (
    CLASS_HAN,
    CLASS_KANA,
    CLASS_LATIN,
    CLASS_LETTER,
    CLASS_WORD,
    FoldTable,
    View,
)
from moderation.text.native import flat, int64, kernel
from moderation.types import LANGUAGES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.text.batch import TextBatch

__all__ = [
    "identify",
    "languages_of",
    "languages_of_reference",
    "scripts",
    "scripts_reference",
]

HAN_WEIGHT: Final = 3.0
"""One Han character carries about as much text as three Latin letters."""
MIXED_SHARE: Final = (0.20, 0.90)
"""Share of Latin between which a post is mixed: a lone KTV or handle keeps a post Chinese."""
KANA_SHARE: Final = 0.20
HAN_LETTERS: Final = 2
"""Letters that one Han character counts for where a post's letters are counted."""
_SCRIPTS: Final = 5
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
    return languages_of(scripts(base, table, batch.codepoints, base.source))


def languages_of(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the language of every post, as `identify` does, by what `scripts` counted."""
    if kernel is None:
        return languages_of_reference(counts)
    made = kernel.languages(flat(counts), HAN_WEIGHT, *MIXED_SHARE, KANA_SHARE, FOREIGN_WEIGHT)
    return np.frombuffer(made, np.uint8)


def languages_of_reference(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Do the same as `languages_of` in numpy."""
    han, latin, kana = counts[:, 0] * HAN_WEIGHT, counts[:, 1], counts[:, 2] * HAN_WEIGHT
    letters = counts[:, 3]
    known = han + latin
    share = np.divide(latin, known, out=np.zeros_like(known), where=known > 0)
    language = np.full(len(known), _MIXED, np.uint8)
    language[share < MIXED_SHARE[0]] = _ZH
    language[share > MIXED_SHARE[1]] = _EN
    language[(known == 0) | (letters * FOREIGN_WEIGHT > known) | (kana > KANA_SHARE * known)] = (
        _OTHER
    )
    return language


def scripts(
    base: View, table: FoldTable, written: NDArray[np.uint32], source: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Count the letters of every post by script.

    Args:
        base: the `base` view of the posts.
        table: the table that folded them.
        written: code points as written.
        source: for each of the view's code points, which of those it comes from.

    Returns:
        int64, shape (posts, 5): Han, Latin, kana, other letters, and letters and digits with a Han
        character counting for HAN_LETTERS.
    """
    if kernel is None:
        return scripts_reference(base, table, written, source)
    made = kernel.scripts(
        flat(base.codepoints), base.offsets, table.classes, flat(written), flat(source)
    )
    counts: NDArray[np.int64] = int64(made).reshape(-1, _SCRIPTS)
    return counts


def scripts_reference(
    base: View, table: FoldTable, written: NDArray[np.uint32], source: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Do the same as `scripts` in numpy."""
    classes = table.classes[base.codepoints]
    words = ((classes & CLASS_WORD) != 0).astype(np.int64)
    words[(classes & CLASS_HAN) != 0] = HAN_LETTERS
    disguised = _own_words(base, classes, table.classes[written[source]])
    classes = np.where(disguised, np.uint8(CLASS_LETTER), classes)
    bits = (CLASS_HAN, CLASS_LATIN, CLASS_KANA, CLASS_LETTER)
    columns = [(classes & bit) != 0 for bit in bits]
    counts: NDArray[np.int64] = np.stack(
        [_counts(column, base.offsets) for column in (*columns, words)], axis=1
    )
    return counts


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
    latin = np.bincount(word, weights=((written & CLASS_LATIN) != 0) & letter) > 0
    return np.asarray(foreign & ~latin[word])


def _counts(values: NDArray[Any], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    running = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=running[1:])
    return np.diff(running[offsets])
