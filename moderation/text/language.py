"""Language of a post, by counting scripts: enough to pick an operating point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.text.fold import CLASS_HAN, CLASS_KANA, CLASS_LATIN, CLASS_LETTER, FoldTable, View
from moderation.types import LANGUAGES

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["identify"]

HAN_WEIGHT: Final = 3.0
"""One Han character carries about as much text as three Latin letters."""
MIXED_SHARE: Final = (0.20, 0.90)
"""Share of Latin between which a post is mixed: a lone KTV or handle keeps a post Chinese."""
KANA_SHARE: Final = 0.20
FOREIGN_WEIGHT: Final = 4.0
"""Half of the letters of Russian or Greek are folded to the Latin ones they look like."""

_ZH, _EN, _MIXED, _OTHER = (LANGUAGES.index(name) for name in ("zh", "en", "mixed", "other"))


def identify(base: View, table: FoldTable) -> NDArray[np.uint8]:
    """Return the language of every post as an index into LANGUAGES, uint8, shape (posts,).

    Latin script counts as English, Han as Chinese. A post in which neither is the main script
    (Japanese by its kana, Korean, Russian, or emoji alone) is `other`.
    """
    classes = table.classes[base.codepoints]
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


def _counts(classes: NDArray[np.uint8], bit: int, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    running = np.zeros(len(classes) + 1, np.int64)
    np.cumsum((classes & bit) != 0, out=running[1:])
    return np.diff(running[offsets])
