"""Terms that a post could be found by: runs of Han characters, and Latin words in a row."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["LONGEST_HAN", "TermStatistics", "counted_terms", "han_terms", "latin_terms", "terms"]

LONGEST_HAN: Final = 6
_MOST_WORDS: Final = 3
_LONGEST_WORD: Final = 24
_MOST_DIGITS: Final = 3
_HAN: Final = regex.compile(r"\p{Han}+")
_WORD: Final = regex.compile(r"[\p{Latin}0-9]+(?:['’]\p{Latin}+)*")
_MOST_COUNTED: Final = 4_000_000
"""Beyond so many different terms those found once so far are forgotten."""


def han_terms(text: str, shortest: int = 2) -> Iterator[tuple[str, int]]:
    """Yield each run of up to six Han characters of a folded text, with its place."""
    for run in _HAN.finditer(text):
        start, end = run.span()
        for at in range(start, end):
            for size in range(shortest, min(LONGEST_HAN, end - at) + 1):
                yield text[at : at + size], at


def latin_terms(text: str) -> Iterator[tuple[str, int]]:
    """Yield each Latin word of a folded text, and two or three with a space between, with places.

    Numbers, handles and the parts of addresses are no words.
    """
    row: list[tuple[str, int]] = []
    last = -1
    for found in _WORD.finditer(text):
        word, (start, end) = found.group(), found.span()
        if not row or text[last:start] != " ":
            row = []
        last = end
        if not _is_word(word, text[start - 1 : start], text[end : end + 2]):
            row = []
            continue
        row = [*row[-_MOST_WORDS + 1 :], (word, start)]
        for first in range(len(row)):
            yield " ".join(w for w, _ in row[first:]), row[first][1]


def _is_word(word: str, before: str, after: str) -> bool:
    digits = sum(c.isdigit() for c in word)
    address = before in {"@", "/", ".", "_"} or (after[:1] in {"@", "/", "_"})
    host = after[:1] == "." and after[1:].isalnum()
    plain = digits < len(word) and digits <= _MOST_DIGITS and len(word) <= _LONGEST_WORD
    return plain and not address and not host and after != ":/"


def terms(text: str) -> set[str]:
    """Return the different terms of a folded text."""
    return {term for term, _ in han_terms(text)} | {term for term, _ in latin_terms(text)}


def counted_terms(texts: Iterable[str], least: int) -> dict[str, int]:
    """Return the terms that are in at least some of the texts, with the number of them.

    Where there are millions of different terms the count of a rare one may be too low.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(terms(text))
        if len(counts) > _MOST_COUNTED:
            counts = Counter({term: n for term, n in counts.items() if n > 1})
    return {term: n for term, n in counts.items() if n >= least}


class TermStatistics:
    """Where candidate terms stand in some texts: in which of them, and between what."""

    def __init__(self, texts: Sequence[str], candidates: Iterable[str]) -> None:
        self._texts = texts
        wanted = frozenset(candidates)
        self.posts: dict[str, list[int]] = {term: [] for term in wanted}
        """Ascending indices of the texts that hold a term."""
        self._occurrences: Counter[str] = Counter()
        self._left: dict[str, Counter[str]] = {}
        self._right: dict[str, Counter[str]] = {}
        self._characters = 0
        for number, text in enumerate(texts):
            self._read(number, text, wanted)

    def _read(self, number: int, text: str, wanted: frozenset[str]) -> None:
        for term, at in han_terms(text, shortest=1):
            self._occurrences[term] += len(term) == 1 or term in wanted
            self._characters += len(term) == 1
            if term not in wanted:
                continue
            end = at + len(term)
            for known, neighbour in (
                (self._left, text[at - 1 : at]),
                (self._right, text[end : end + 1]),
            ):
                # An edge, a space or a mark ends a word: it is a neighbour like no other.
                own = neighbour if _HAN.match(neighbour) else f"{number}:{at}"
                known.setdefault(term, Counter())[own] += 1
        for term in terms(text) & wanted:
            self.posts[term].append(number)

    def branching(self, term: str) -> float:
        """Return the entropy in bits of the characters beside a Han term, the lesser side's.

        A part of a longer word has nearly always the same neighbour, and little entropy.
        """
        return min(_entropy(self._left.get(term)), _entropy(self._right.get(term)))

    def cohesion(self, term: str) -> float:
        """Return the pointwise mutual information in bits of a Han term's loosest two parts."""
        whole = self._occurrences[term] * self._characters
        least = math.inf
        for cut in range(1, len(term)):
            parts = self._occurrences[term[:cut]] * self._occurrences[term[cut:]]
            if parts:
                least = min(least, math.log2(whole / parts))
        return least

    def contexts(self, term: str, most: int, around: int) -> list[str]:
        """Return stretches of texts around a term, with numbers, handles and addresses masked."""
        found = []
        for number in self.posts[term][:most]:
            text = self._texts[number]
            each = latin_terms(text) if regex.search(r"\p{Latin}", term) else han_terms(text)
            at = next(place for known, place in each if known == term)
            start, end = max(at - around, 0), at + len(term) + around
            cut = ("…" if start else "", "…" if end < len(text) else "")
            found.append(cut[0] + _masked(text[start:end]) + cut[1])
        return found


_HANDLE: Final = regex.compile(
    r"[\p{Latin}0-9@._/:-]*(?:[0-9@_/]|\.\p{Latin})[\p{Latin}0-9@._/:-]*"
)


def _masked(text: str) -> str:
    return _HANDLE.sub("#", text)


def _entropy(counts: Counter[str] | None) -> float:
    if not counts:
        return 0.0
    total = counts.total()
    return -sum(n / total * math.log2(n / total) for n in counts.values())
