"""Find literals: one Aho-Corasick automaton per view, run once over a whole batch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import ahocorasick_rs
import numpy as np

from moderation.text.fold import CLASS_DIGIT, CLASS_LATIN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from moderation.rules.conditions import Literal
    from moderation.text import FoldTable, View

__all__ = ["Automaton", "Occurrences"]

_CODE_SPACE: Final = 0x110000
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
        # Words of one or two letters stand inside other words everywhere: they are looked up as
        # whole words. They come last, so that a pattern's number is its place in the search.
        short = {t for t in patterns if self._is_short(t) and not any(open_edges[t])}
        order = [t for t in patterns if t not in short] + sorted(short)
        patterns = {t: patterns[t] for t in order}
        open_edges = {t: open_edges[t] for t in order}
        self.literals = [tuple(indices) for indices in patterns.values()]
        """For each pattern, the literals it stands for."""
        searched = order[: len(order) - len(short)]
        self._search = ahocorasick_rs.AhoCorasick(
            searched, matchkind=ahocorasick_rs.MatchKind.Standard, store_patterns=False
        )
        keys = np.array([_key(*map(ord, t)) for t in sorted(short)], np.int64)
        by_key = np.argsort(keys)
        self._short_keys, self._short_patterns = keys[by_key], by_key + len(searched)
        edge = np.array(list(open_edges.values()), np.bool_).reshape(-1, 2)
        self._left_open, self._right_open = edge[:, 0], edge[:, 1]
        self._left_bad = np.array([self._forbidden(t, t[:1]) for t in patterns], np.uint8)
        self._right_bad = np.array([self._forbidden(t, t[-1:]) for t in patterns], np.uint8)

    def _is_short(self, text: str) -> bool:
        return len(text) <= _SHORT and all(self._classes[ord(c)] & CLASS_LATIN for c in text)

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

        See `find`; only here the places themselves are not told.
        """
        found = self.find(view, base)
        return found.pattern, found.post

    def find(self, view: View, base: View) -> Occurrences:
        """Return every occurrence that lies within one post and may be a whole word.

        Where one literal of a pattern has an open edge, the pattern's occurrences inside words are
        returned as well: look at `left` and `right`.
        """
        hits = self._search.find_matches_as_indexes(view.text(), overlapping=True)
        flat = np.fromiter(chain.from_iterable(hits), np.int64, 3 * len(hits))
        spans = flat.reshape(-1, 3).T
        if len(self._short_keys):
            spans = np.concatenate([spans, self._short_words(view)], axis=1)
        if not spans.size:
            none, no = np.zeros(0, np.int64), np.zeros(0, np.bool_)
            return Occurrences(none, none, none, none, no, no)
        pattern, start, end = np.ascontiguousarray(spans)
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
        fits = (left | self._left_open[pattern]) & (right | self._right_open[pattern])
        return Occurrences(pattern, start, end, post, left, right).where(fits)

    def _short_words(self, view: View) -> NDArray[np.int64]:
        """Return pattern, start and end of the one- and two-letter words that are searched for."""
        word = (self._classes[view.codepoints] & (CLASS_LATIN | CLASS_DIGIT)) != 0
        change = np.ones(len(word) + 1, np.bool_)
        change[1:-1] = word[1:] != word[:-1]
        change[view.offsets] = True
        bounds = np.flatnonzero(change)
        start, end = bounds[:-1], bounds[1:]
        chosen = (end - start <= _SHORT) & word[start]
        start, end = start[chosen], end[chosen]
        codes = view.codepoints.astype(np.int64)
        keys = np.where(end - start == 1, _key(codes[start]), _key(codes[start], codes[end - 1]))
        place = np.minimum(np.searchsorted(self._short_keys, keys), len(self._short_keys) - 1)
        known = self._short_keys[place] == keys
        return np.stack([self._short_patterns[place[known]], start[known], end[known]])


def _key(first: Any, second: Any = 0) -> Any:
    """Return one number for one or two code points."""
    return first * _CODE_SPACE + second
