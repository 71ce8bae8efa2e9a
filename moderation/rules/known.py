"""Known words: the Latin words of the rules, and those of ordinary posts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.text.disguise import Meanings
from moderation.text.leet import SURELY, outline
from moderation.text.ordinary import key, keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from moderation.rules.conditions import Literal
    from moderation.text.ordinary import Ordinary

__all__ = ["KnownWords", "known_words", "meanings_of"]

_WORD: Final = re.compile(r"[a-z0-9!|@$+€]*[a-z][a-z0-9!|@$+€]*")
_SHORT: Final = 2
_LEAST: Final = 20
"""Ordinary posts in a million that a word must stand in."""
_LEAST_SHORT: Final = 1000
"""The same for a word of two letters."""
_REMEMBERED: Final = 1 << 16
"""Words whose answer is kept: posts repeat theirs."""


@dataclass(frozen=True, slots=True)
class KnownWords:
    """Says how well known a word is.

    Attributes:
        words: those of the rules.
        ordinary: those of ordinary posts.
        outlines: of `words`, see `outline`.
    """

    words: frozenset[str]
    ordinary: Ordinary
    outlines: frozenset[str]
    _known: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, words: Sequence[str]) -> list[int]:
        """Return for each word 0 where it is not known, and more the better it is known."""
        answers = [self._known.get(word, -1) for word in words]
        new = [at for at, answer in enumerate(answers) if answer < 0]
        if new:
            new_keys = np.fromiter((key(words[at]) for at in new), np.uint32, len(new))
            if len(self._known) > _REMEMBERED:
                self._known.clear()
            for at, rate in zip(new, self.ordinary.rates(new_keys).tolist(), strict=True):
                word = words[at]
                answers[at] = self._known[word] = self._rated(word, rate)
        return answers

    def names(self, outlined: str) -> bool:
        """Say whether a word that the rules name has this outline."""
        return outlined in self.outlines

    def meanings(self) -> Meanings:
        """Return what the kernel is told of the words."""
        return meanings_of(_keys(self.outlines), _keys(self.words), self.ordinary)

    def _rated(self, word: str, rate: int) -> int:
        if word in self.words and len(word) > _SHORT:
            return SURELY + rate
        return rate if rate >= (_LEAST if len(word) > _SHORT else _LEAST_SHORT) else 0


def _keys(texts: frozenset[str]) -> NDArray[np.uint32]:
    return np.unique(keys(list(texts)))


def meanings_of(
    outlines: NDArray[np.uint32], words: NDArray[np.uint32], ordinary: Ordinary
) -> Meanings:
    """Return what the kernel is told of words whose keys are known."""
    return Meanings(outlines, words, ordinary, _LEAST)


def known_words(literals: Iterable[Literal], ordinary: Ordinary) -> KnownWords:
    """Gather the Latin words of the rules' literals."""
    found = frozenset(word for literal in literals for word in _WORD.findall(literal.base))
    return KnownWords(found, ordinary, frozenset(map(outline, found)))
