"""Collect: turn what the automata found into places of literals, evaded spellings judged."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.rules.chance import RARE, SURE
from moderation.rules.findings import Hit
from moderation.rules.hits import HitTable
from moderation.rules.literals import TAG
from moderation.rules.marks import LEET, NOISE, mark_of
from moderation.rules.spelling import holds_letters, is_chat_word, is_deliberate, is_spoken
from moderation.text.fold import CLASS_LATIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from moderation.rules.automaton import Automaton
    from moderation.rules.chance import Chance
    from moderation.rules.conditions import Literal
    from moderation.rules.forms import Form
    from moderation.rules.hits import Reading
    from moderation.text import FoldTable, View
    from moderation.text.ordinary import Ordinary

__all__ = ["MOST_HIDDEN", "Collector"]

_COLUMNS: Final = 5
_ASCII: Final = 128
MOST_HIDDEN: Final = 512
"""Evaded spellings that one bolder view is asked for in a post, or a window of a long one.

A window has 1,024 characters; more than one for every second of them is a text made to cost time.
"""
_Columns = tuple[list[int], list[int], list[int], list[int]]


class Collector:
    """Turns the rows of the automata into places of literals."""

    def __init__(
        self,
        reading: Reading,
        table: Sequence[Literal],
        folds: FoldTable,
        ordinary: Ordinary,
        chance: Chance,
    ) -> None:
        """Prepare."""
        self.reading = reading
        self.table = table
        self.folds = folds
        self.ordinary = ordinary
        self.chance = chance
        self._plain: _Plain
        self._bold: _Columns = ([], [], [], [])
        """Key, start, end and mark of each evaded spelling."""
        self._seen: set[tuple[int, int, int]] = set()
        """Key, start and end of each evaded spelling."""

    def hits(self) -> HitTable:
        """Return the places of every view that was collected."""
        plain = self._plain
        columns = [np.array(c, np.int64) for c in self._bold]
        keys = np.concatenate([plain.key, columns[0]])
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        posts = np.arange(len(self.reading.batch) + 1) * len(self.table)
        start, end, mark = (
            np.concatenate(both)[order].astype(np.int32)
            for both in zip((plain.start, plain.end, plain.mark), columns[1:], strict=True)
        )
        literal = (keys % max(len(self.table), 1)).astype(np.int32)
        return HitTable(np.searchsorted(keys, posts), literal, start, end, mark)

    def collect(self, name: str, automaton: Automaton, cut: NDArray[np.bool_] | None) -> None:
        """Add the hits of one view; views come from the plainest to the boldest.

        Args:
            name: the view.
            automaton: the one that found them.
            cut: see `Ruleset.findings`.
        """
        reading = self.reading
        view = reading.views[name]
        found = np.frombuffer(reading.hits[name], np.int32).reshape(-1, _COLUMNS)
        rows = found.astype(np.int64)
        post = rows[:, 3]
        origin = reading.batch.offsets[post]
        # Words that are read from the other end start where they are stored last.
        ends = view.source[rows[:, 1]], view.last[rows[:, 2] - 1]
        first, last = np.minimum(*ends) - origin, np.maximum(*ends) + 1 - origin
        kept = np.flatnonzero(self._allowed(post, first, last, cut))
        row, owner = automaton.owned(rows[kept, 0], rows[kept, 4])
        row = kept[row]
        rows, first, last = rows[row], first[row], last[row]
        keys = rows[:, 3] * len(self.table) + automaton.literal[owner]
        if name == "base":
            spaced = reading.spaced[rows[:, 3]] & (last - first > rows[:, 2] - rows[:, 1])
            mark = np.where(self._is_leet(rows), LEET, np.where(spaced, NOISE, 0))
            width = int(reading.batch.lengths.max(initial=0)) + 2
            self._plain = _Plain(keys, first, last, mark, origin[row], width)
        else:
            self._collect_bold(automaton, view, rows, owner, keys, first, last)

    def _collect_bold(
        self,
        automaton: Automaton,
        view: View,
        rows: NDArray[np.int64],
        owner: NDArray[np.int64],
        keys: NDArray[np.int64],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
    ) -> None:
        post = rows[:, 3]
        tried = np.arange(len(post)) - np.searchsorted(post, post)
        # What a plainer view shows already is left out.
        kept = (tried < MOST_HIDDEN) & ~self._plain.covers(keys, first, last)
        chosen = np.flatnonzero(kept)
        origin = self.reading.batch.offsets[post[chosen]]
        words = self._plain.are_words(origin, first[chosen], last[chosen])
        length = view.base_last[rows[:, 2] - 1] - view.base_first[rows[:, 1]] + 1
        solid = length == rows[:, 2] - rows[:, 1]
        begins = self.reading.base.offsets[post]
        columns = (owner, keys, first, last, solid, rows[:, 1], rows[:, 2], begins)
        for which, key, left, right, whole, start, end, begin, word in zip(
            *(column[chosen].tolist() for column in columns), words.tolist(), strict=True
        ):
            if (key, left, right) in self._seen:
                continue
            number, form = automaton.owner(which)
            if word and (form.frail or form.fold == "homophone"):
                continue  # it says what it says, and rules that mean it list it
            if self._is_spelling(form, self.table[number], view, start, end, whole, begin):
                mixed = view.name == "shape" and not whole and self._holds_letters(view, start, end)
                frail = form.frail or mixed
                doubt = self._doubt(form, number, view, start, end) if frail else SURE
                hit = Hit(
                    left, right, view.name,
                    fold=form.fold, frail=doubt != SURE, rare=doubt == RARE,
                )  # fmt: skip
                self._seen.add((key, left, right))
                for column, value in zip(self._bold, (key, left, right, mark_of(hit)), strict=True):
                    column.append(value)

    def _is_leet(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say which plain places hold digits or symbols that are read as letters."""
        base = self.reading.base
        written = self.reading.batch.codepoints[base.source]
        letter = (self.folds.classes[base.codepoints] & CLASS_LATIN) != 0
        drawn = letter & (written < _ASCII) & ((self.folds.classes[written] & CLASS_LATIN) == 0)
        before = np.concatenate(([0], np.cumsum(drawn)))
        found: NDArray[np.bool_] = before[rows[:, 2]] > before[rows[:, 1]]
        return found

    def _allowed(
        self,
        post: NDArray[np.int64],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        cut: NDArray[np.bool_] | None,
    ) -> NDArray[np.bool_]:
        """Return which stretches touch no cut and lie within one field."""
        batch = self.reading.batch
        kept = np.ones(len(post), np.bool_)
        if cut is not None:
            kept &= ~((first == 0) & cut[post, 0])
            kept &= ~((last == batch.lengths[post]) & cut[post, 1])
        if batch.fields is not None:  # a term never runs from one field into the next
            kept &= batch.fields.number(first, post) == batch.fields.number(last - 1, post)
        return kept

    def _doubt(self, form: Form, number: int, view: View, start: int, end: int) -> int:
        """Say how likely ordinary text is to fall into a frail spelling: see `Chance`."""
        span = slice(int(view.base_first[start]), int(view.base_last[end - 1]) + 1)
        written = self.reading.base.codepoints[span].tobytes().decode("utf-32-le")
        return self.chance.doubt(form.fold, form.text, written, self.table[number].compact[0])

    def _holds_letters(self, view: View, start: int, end: int) -> bool:
        """Say whether letters or digits stand between the Han characters of a hit."""
        span = slice(int(view.base_first[start]), int(view.base_last[end - 1]) + 1)
        return holds_letters(self.reading.base.codepoints[span].tobytes().decode("utf-32-le")) > 0

    def _is_spelling(
        self,
        form: Form,
        literal: Literal,
        view: View,
        start: int,
        end: int,
        whole: bool,
        begin: int,
    ) -> bool:
        """Say whether a hit of a bolder view is one spelling and not words that merely touch.

        `whole` is True where nothing stands between its characters and none is repeated; its post
        begins at `begin` in the base view.
        """
        base = self.reading.base
        if literal.base.startswith(TAG):
            at = int(view.base_first[start]) - 1
            if at < begin or base.codepoints[at] != ord(TAG):
                return False
        if whole and view.name in {"shape", "sound"}:
            return True
        if view.name == "sound":
            return is_spoken(literal, view, base, self.folds, start, end)
        if form.fold == "initials" and not is_chat_word(view, base, self.folds, start, end):
            return False
        if whole and form.written.replace(" ", "") == form.text:
            return True  # written as it is meant: there is no gap to judge
        return is_deliberate(form.written, view, base, self.folds, self.ordinary, start, end)


class _Plain:
    """Where literals stand plainly in a batch.

    Attributes:
        key: int64: post and literal, as one number.
        start, end: int64: code points of the original post.
        mark: int64: what stands in it that the view leaves out: noise, leet or nothing.

    Further, where the post of each begins, and a number greater than any place.
    """

    def __init__(
        self,
        key: NDArray[np.int64],
        start: NDArray[np.int64],
        end: NDArray[np.int64],
        mark: NDArray[np.int64],
        origin: NDArray[np.int64],
        width: int,
    ) -> None:
        self.key = key
        self.start = start
        self.end = end
        self.mark = mark
        self._origin = origin
        self._width = width

    def covers(
        self, key: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Say which stretches lie within a plain place of the same literal in the same post."""
        runs, starts, farthest = self._reach
        run = np.searchsorted(runs, key)
        known = run < len(runs)
        known[known] = runs[run[known]] == key[known]
        before = np.searchsorted(starts, run * self._width + start, "right") - 1
        found: NDArray[np.bool_] = known & (before >= 0)
        found[found] = farthest[before[found]] >= run[found] * self._width + end[found]
        return found

    def are_words(
        self, origin: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Say which stretches are a literal of any rule, plainly written."""
        stretch = (origin + start) * self._width + (end - start)
        at = np.searchsorted(self._words, stretch)
        found: NDArray[np.bool_] = at < len(self._words)
        found[found] = self._words[at[found]] == stretch[found]
        return found

    @cached_property
    def _reach(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The keys, ascending; and by key and start, how far the places up to each reach."""
        order = np.lexsort((self.start, self.key))
        runs, run = np.unique(self.key[order], return_inverse=True)
        starts = run * self._width + self.start[order]
        farthest = np.maximum.accumulate(run * self._width + self.end[order])
        return runs, starts, farthest

    @cached_property
    def _words(self) -> NDArray[np.int64]:
        stretch = (self._origin + self.start) * self._width + (self.end - self.start)
        return np.sort(stretch)
