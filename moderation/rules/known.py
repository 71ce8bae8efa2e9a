"""Known words: the Latin words of the rules, and those of ordinary posts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import regex

from moderation.text.leet import SURELY
from moderation.text.ordinary import key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from moderation.rules.conditions import Literal
    from moderation.text.ordinary import Ordinary

__all__ = ["KnownWords", "known_words"]

_WORD: Final = regex.compile(r"[a-z0-9!|@$+€]*[a-z][a-z0-9!|@$+€]*")
_LEAST: Final = 20
"""Ordinary posts in a million that a word must stand in."""
_LEAST_SHORT: Final = 1000
"""The same for a word of two letters."""


@dataclass(frozen=True, slots=True)
class KnownWords:
    """Says how well known a word is."""

    words: frozenset[str]
    ordinary: Ordinary

    def __call__(self, words: Sequence[str]) -> list[int]:
        """Return for each word 0 where it is not known, and more the better it is known."""
        keys = np.fromiter(map(key, words), np.uint32, len(words))
        rates = self.ordinary.rates(keys).tolist()
        return [
            SURELY + rate if word in self.words and len(word) > 2 else
            rate if rate >= (_LEAST if len(word) > 2 else _LEAST_SHORT) else 0
            for word, rate in zip(words, rates, strict=True)
        ]  # fmt: skip


def known_words(literals: Iterable[Literal], ordinary: Ordinary) -> KnownWords:
    """Gather the Latin words of the rules' literals."""
    found = (word for literal in literals for word in _WORD.findall(literal.base))
    return KnownWords(frozenset(found), ordinary)
