"""Find literals: one Aho-Corasick automaton per view, run once over a whole batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import ahocorasick_rs
import numpy as np

from moderation.text.fold import CLASS_DIGIT, CLASS_LATIN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from moderation.rules.conditions import Literal
    from moderation.text import FoldTable, View

__all__ = ["Automaton", "Occurrences"]

_SHORT: Final = 2
"""Latin terms this short want neither a letter nor a digit beside them."""


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Places where patterns stand in a view, all arrays of shape (found,).

    Attributes:
        pattern: index of the pattern.
        start, end: half-open span in the view's code points.
        post: index of the post.
        left, right: True where the edge of the pattern is also the edge of a word.
    """

    pattern: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    post: NDArray[np.int64]
    left: NDArray[np.bool_]
    right: NDArray[np.bool_]

    def where(self, kept: NDArray[np.bool_]) -> Occurrences:
        """Return the occurrences a mask keeps."""
        return Occurrences(
            self.pattern[kept],
            self.start[kept],
            self.end[kept],
            self.post[kept],
            self.left[kept],
            self.right[kept],
        )


class Automaton:
    """Searches one view for a set of literals."""

    def __init__(
        self, view: str, literals: Iterable[tuple[int, Literal]], table: FoldTable
    ) -> None:
        self.view = view
        self._classes = table.classes
        patterns: dict[str, list[int]] = {}
        open_edges: dict[str, list[bool]] = {}
        for index, literal in literals:
            for text in (literal.base,) if view == "base" else literal.compact:
                patterns.setdefault(text, []).append(index)
                edges = open_edges.setdefault(text, [False, False])
                edges[0] |= literal.left_open
                edges[1] |= literal.right_open
        self.literals = [tuple(indices) for indices in patterns.values()]
        """For each pattern, the literals it stands for."""
        self._search = ahocorasick_rs.AhoCorasick(
            list(patterns), matchkind=ahocorasick_rs.MatchKind.Standard, store_patterns=False
        )
        edge = np.array(list(open_edges.values()), np.bool_).reshape(-1, 2)
        self._left_open, self._right_open = edge[:, 0], edge[:, 1]
        self._left_bad = np.array([self._forbidden(t, t[:1]) for t in patterns], np.uint8)
        self._right_bad = np.array([self._forbidden(t, t[-1:]) for t in patterns], np.uint8)

    def _forbidden(self, text: str, edge: str) -> int:
        """Return the classes that may not stand beside an edge of a pattern."""
        classes = int(self._classes[ord(edge)])
        if classes & CLASS_DIGIT:
            return CLASS_DIGIT
        if classes & CLASS_LATIN:
            return CLASS_LATIN | CLASS_DIGIT if len(text) <= _SHORT else CLASS_LATIN
        return 0

    def patterns(self, view: View, base: View) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which patterns stand in which posts: two arrays of the same length.

        Word edges are respected as far as the most permissive literal of a pattern asks.
        """
        found = self.find(view, base)
        fits = (found.left | self._left_open[found.pattern]) & (
            found.right | self._right_open[found.pattern]
        )
        return found.pattern[fits], found.post[fits]

    def find(self, view: View, base: View) -> Occurrences:
        """Return every occurrence that lies within one post."""
        hits = self._search.find_matches_as_indexes(view.text(), overlapping=True)
        if not hits:
            none, no = np.zeros(0, np.int64), np.zeros(0, np.bool_)
            return Occurrences(none, none, none, none, no, no)
        pattern, start, end = np.array(hits, np.int64).T
        post = np.searchsorted(view.offsets, start, "right") - 1
        inside = end <= view.offsets[post + 1]
        pattern, start, end, post = pattern[inside], start[inside], end[inside], post[inside]
        classes = self._classes
        first, last = view.base_first[start], view.base_last[end - 1]
        at_start = first == base.offsets[post]
        before = classes[base.codepoints[np.where(at_start, first, first - 1)]]
        left = at_start | ((before & self._left_bad[pattern]) == 0)
        at_end = last + 1 == base.offsets[post + 1]
        after = classes[base.codepoints[np.where(at_end, last, last + 1)]]
        right = at_end | ((after & self._right_bad[pattern]) == 0)
        return Occurrences(pattern, start, end, post, left, right)
