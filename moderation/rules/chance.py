"""Chance: how likely ordinary text is to fall into an evaded spelling by itself.

A spelling of two or three characters is found in much that means something else. How much, the
counts of ordinary posts say: many ordinary pairs sound like 试钟, hardly any like 裸聊.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.text.fold import CLASS_DIGIT, CLASS_HAN, CLASS_LATIN, CLASS_WORD
from moderation.text.ordinary import AMONG_HAN, span_keys
from moderation.text.sound import SYLLABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.text import FoldTable
    from moderation.text.ordinary import Ordinary
    from moderation.text.sound import SoundTable

__all__ = ["LIKELY", "NUMERALS", "RARE", "STROKES", "SURE", "Chance"]

SURE: Final = 0
"""Somebody meant it."""
RARE: Final = 1
"""Ordinary text hardly ever falls into it."""
LIKELY: Final = 2
"""Ordinary text falls into it by itself."""

_COMMON_PAIR: Final = 100
"""Ordinary posts in a million that hold another pair of the same sound: more will be met."""
_COMMON_WORD: Final = 3
"""The same, for two characters of a longer spelling: they are a word of their own."""
_COMMON_LATIN: Final = 30
_PAIR: Final = 2
_LEAST_PINYIN: Final = 5
"""Letters: shorter pinyin is a name, a sigh or English."""
STROKES: Final = frozenset("々〆ーヽヾㄨ丨丶丿乁乂亅")
"""Letters that the fold table counts as noise. Beside pinyin they make it a word nobody writes."""
NUMERALS: Final = frozenset("〇")
"""Numbers that it counts as noise."""


@dataclass(slots=True)
class Chance:
    """Tells spellings that ordinary text falls into from those that somebody must have meant."""

    table: FoldTable
    ordinary: Ordinary
    sound: SoundTable | None
    _members: dict[int, NDArray[np.uint32]] = field(default_factory=dict)
    _pairs: dict[str, int] = field(default_factory=dict)

    def doubt(self, fold: str, form: str, written: str, term: str) -> int:
        """Say how likely ordinary text is to fall into a frail spelling by itself.

        Args:
            fold: how the term is hidden: see `moderation.rules.forms`.
            form: what was found in the view.
            written: what stands there in the base view.
            term: the literal, compact.

        Returns:
            SURE, RARE or LIKELY.
        """
        han = [bool(self.table.classes[ord(c)] & CLASS_HAN) for c in written]
        if fold == "homophone" and all(han):
            if len(form) == _PAIR:
                likely = self._sounds(form, term) >= _COMMON_PAIR
            else:
                likely = self._holds_word(written, term)
            return LIKELY if likely else RARE
        if fold == "homophone":
            return LIKELY if self._pinyin_by_chance(written, term) else SURE
        if fold == "shape":
            return LIKELY if all(han) or self._noise_by_chance(written, term) else SURE
        if fold == "order" and all(han) and len(form) > _PAIR:
            return LIKELY if self._holds_word(written, term) else RARE
        return LIKELY

    def _holds_word(self, written: str, term: str) -> bool:
        """Say whether two characters that are not the term's own are an ordinary word."""
        return any(
            a + b not in term and self.ordinary.per_million(a + b) >= _COMMON_WORD
            for a, b in pairwise(written)
        )

    def _pinyin_by_chance(self, written: str, term: str) -> bool:
        kinds = self.table.classes
        parts = [
            (han, "".join(part))
            for han, part in groupby(written, lambda c: bool(kinds[ord(c)] & CLASS_HAN))
        ]
        words = [w for han, part in parts if not han for w in self._words(part)]
        if not words or any(map(self._is_number, "".join(words))):
            return True
        if sum(map(len, words)) < (_LEAST_PINYIN if len(parts) == 1 else _PAIR):
            return True
        if any(self.ordinary.per_million(AMONG_HAN + word) >= _COMMON_LATIN for word in words):
            return True
        return any(han and part not in term for han, part in parts)

    def _noise_by_chance(self, written: str, term: str) -> bool:
        """Say whether letters or digits stand in fewer than every gap, or beside other characters.

        One character of noise in each of two gaps or more is no accident.
        """
        kinds = self.table.classes
        plain = "".join(c for c in written if kinds[ord(c)] & CLASS_HAN)
        noise = "".join(c for c in written if not kinds[ord(c)] & CLASS_HAN)
        whole = all(kinds[ord(c)] & (CLASS_LATIN | CLASS_DIGIT) for c in noise)
        even = len(written) == 2 * len(plain) - 1 and not any(
            kinds[ord(c)] & CLASS_HAN for c in written[1::2]
        )
        return not (whole and even and plain == term and len(plain) > _PAIR)

    def _words(self, part: str) -> list[str]:
        kinds = self.table.classes
        kept = STROKES | NUMERALS
        return "".join(c if kinds[ord(c)] & CLASS_WORD or c in kept else " " for c in part).split()

    def _is_number(self, char: str) -> bool:
        return bool(self.table.classes[ord(char)] & CLASS_DIGIT) or char in NUMERALS

    def _sounds(self, form: str, term: str) -> int:
        """Return ordinary posts per million that hold a pair of this sound, the term left out."""
        known = self._pairs.get(form)
        if known is None:
            members = self._by_sound()
            nobody = np.zeros(0, np.uint32)
            first, second = (members.get(ord(c), nobody) for c in form)
            codes = np.stack(
                [np.repeat(first, len(second)), np.tile(second, len(first))], axis=1
            ).ravel()
            starts = np.arange(0, len(codes), 2)
            keys = span_keys(codes, starts, np.full(len(starts), 2))
            known = self._pairs[form] = int(self.ordinary.rates(keys).sum(dtype=np.int64))
        return known - self.ordinary.per_million(term)

    def _by_sound(self) -> dict[int, NDArray[np.uint32]]:
        """Return the characters that ordinary posts hold, by the code of their sound."""
        if not self._members and self.sound is not None:
            codes = np.flatnonzero(self.sound.near).astype(np.uint32)
            places = np.arange(len(codes))
            keys = span_keys(codes, places, np.ones(len(codes), np.int64))
            codes = codes[self.ordinary.contains(keys)]
            classes = self.sound.near[codes].astype(np.int64) + (SYLLABLES - 1)
            order = np.argsort(classes, kind="stable")
            names, starts = np.unique(classes[order], return_index=True)
            parts = np.split(codes[order], starts[1:])
            self._members = dict(zip(names.tolist(), parts, strict=True))
        return self._members
