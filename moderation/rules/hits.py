"""Hits: what the automata found, as literals of posts."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from moderation.rules.chance import RARE, SURE
from moderation.rules.findings import Hit
from moderation.rules.literals import TAG
from moderation.rules.spelling import holds_letters, is_chat_word, is_deliberate, is_spoken
from moderation.text.fold import CLASS_LATIN

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from moderation.rules.automaton import Automaton
    from moderation.rules.chance import Chance
    from moderation.rules.conditions import Literal
    from moderation.rules.forms import Form
    from moderation.text import FoldTable, TextBatch, View
    from moderation.text.ordinary import Ordinary

__all__ = ["MOST_HIDDEN", "Collector", "LiteralHits", "Reading", "Scan"]

_COLUMNS: Final = 5
_ASCII: Final = 128
_FEW: Final = 4
"""Places of a literal that are looked at one by one."""
MOST_HIDDEN: Final = 512
"""Evaded spellings that one bolder view is asked for in a post, or a window of a long one.

A window has 1,024 characters; more than one for every second of them is a text made to cost time.
"""


@dataclass(frozen=True, slots=True)
class Scan:
    """The rules that the literals of a batch's posts could satisfy.

    Attributes:
        batch: the posts.
        base: their base view, as the table folds it.
        candidates: int32, shape (found, 2): post and number of a policy rule, by post.
    """

    batch: TextBatch
    base: View
    candidates: NDArray[np.int32]

    @property
    def posts(self) -> NDArray[np.int64]:
        """The posts, ascending, in which a policy rule might fire."""
        return np.unique(self.candidates[:, 0]).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the literals' automata found in every view of some posts.

    Attributes:
        batch: the posts.
        base: the base view as rules read it: see `moderation.text.disguise`.
        spaced: bool, shape (posts,): posts whose spaces between Han characters were dropped.
        views: every view, by name.
        hits: int32 rows of five as bytes by view: see `Automaton.scan`.
    """

    batch: TextBatch
    base: View
    spaced: NDArray[np.bool_]
    views: dict[str, View]
    hits: dict[str, bytes]


class LiteralHits:
    """The literals of one post and where they stand; hits are made when they are asked for."""

    __slots__ = ("_bold", "_hits", "_plain", "_reach", "_runs", "_words")

    def __init__(self, plain: dict[int, int], runs: _Runs) -> None:
        """Take what the base view shows.

        Args:
            plain: for each literal, its run.
            runs: the places of each run, for a whole batch.
        """
        self._plain = plain
        self._runs = runs
        self._hits: dict[int, list[Hit]] = {}
        self._bold: set[tuple[int, int, int]] = set()
        self._reach: dict[int, tuple[list[int], list[int]]] = {}
        self._words: set[tuple[int, int]] | None = None

    @property
    def present(self) -> frozenset[int]:
        """The literals that stand in the post."""
        return frozenset(self._plain).union(self._hits) if self._hits else frozenset(self._plain)

    @property
    def plain(self) -> frozenset[int]:
        """The literals that the base view shows."""
        return frozenset(self._plain)

    def __getitem__(self, literal: int) -> list[Hit]:
        hits = self._hits.get(literal)
        if hits is None:
            hits = self._hits[literal] = [
                Hit(start, end, "base", "keyword", False, hidden)
                for start, end, hidden in self._runs.places(self._plain[literal])
            ]
        return hits

    def covers(self, literal: int, start: int, end: int) -> bool:
        """Say whether a plain hit of the literal covers a stretch, or a bold one is the same."""
        if (literal, start, end) in self._bold:
            return True
        run = self._plain.get(literal)
        if run is None:
            return False
        bounds = self._runs.bounds
        if bounds[run + 1] - bounds[run] <= _FEW:
            return any(a <= start and end <= b for a, b, _ in self._runs.places(run))
        reach = self._reach.get(literal)
        if reach is None:
            spans = sorted((a, b) for a, b, _ in self._runs.places(run))
            farthest = list(accumulate((end for _, end in spans), max))
            reach = self._reach[literal] = [start for start, _ in spans], farthest
        at = bisect_right(reach[0], start)
        return at > 0 and reach[1][at - 1] >= end

    def is_word(self, start: int, end: int) -> bool:
        """Say whether a stretch is a literal of any rule, plainly written."""
        if self._words is None:
            self._words = set(self._runs.spans(self._plain.values()))
        return (start, end) in self._words

    def add(self, literal: int, hit: Hit) -> None:
        """Add a hit of a bolder view."""
        self._bold.add((literal, hit.start, hit.end))
        if literal in self._plain or literal in self._hits:
            self[literal].append(hit)
        else:
            self._hits[literal] = [hit]


class _Runs(NamedTuple):
    """Where literals stand plainly: the places of one literal in one post are a run."""

    bounds: list[int]
    start: list[int]
    end: list[int]
    hidden: list[str]
    """What stands in it that the view leaves out: noise, leet or nothing."""

    def places(self, run: int) -> zip[tuple[int, int, str]]:
        """Return start, end and what hides it, of each place of a run."""
        part = slice(self.bounds[run], self.bounds[run + 1])
        return zip(self.start[part], self.end[part], self.hidden[part], strict=True)

    def spans(self, runs: Collection[int]) -> zip[tuple[int, int]]:
        """Return start and end of each place of some runs that lie side by side."""
        part = slice(self.bounds[min(runs, default=0)], self.bounds[max(runs, default=-1) + 1])
        return zip(self.start[part], self.end[part], strict=True)


class Collector:
    """Turns the rows of the automata into hits of literals.

    Attributes:
        literals: for each of the posts, its literals.
        bold: for each of the posts, literals found somewhere only in a bolder view than `base`.
    """

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
        self.literals: list[LiteralHits] = []
        self.bold: list[set[int]] = [set() for _ in range(len(reading.batch))]

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
        if name == "base":
            self._collect_plain(rows[row], automaton.literal[owner], first[row], last[row])
        else:
            self._collect_bold(automaton, view, rows[row], owner, first[row], last[row])

    def _collect_plain(
        self,
        rows: NDArray[np.int64],
        literal: NDArray[np.int64],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
    ) -> None:
        spaced = self.reading.spaced[rows[:, 3]] & (last - first > rows[:, 2] - rows[:, 1])
        hidden = np.where(self._is_leet(rows), "leet", np.where(spaced, "noise", ""))
        places = rows[:, 3]
        keys = places * len(self.table) + literal
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        begins = np.flatnonzero(np.diff(keys, prepend=-1))
        runs = _Runs(
            [*begins.tolist(), len(keys)],
            first[order].tolist(),
            last[order].tolist(),
            hidden[order].tolist(),
        )
        numbers = literal[order[begins]].tolist()
        posts = np.arange(len(self.bold) + 1)
        bounds = np.searchsorted(places[order[begins]], posts).tolist()
        self.literals = [
            LiteralHits(dict(zip(numbers[a:b], range(a, b), strict=True)), runs)
            for a, b in pairwise(bounds)
        ]

    def _collect_bold(
        self,
        automaton: Automaton,
        view: View,
        rows: NDArray[np.int64],
        owner: NDArray[np.int64],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
    ) -> None:
        places = rows[:, 3].tolist()
        tried = [0] * len(self.bold)
        length = view.base_last[rows[:, 2] - 1] - view.base_first[rows[:, 1]] + 1
        solid = (length == rows[:, 2] - rows[:, 1]).tolist()
        for place, which, (_, start, end, _, _), left, right, whole in zip(
            places, owner.tolist(), rows.tolist(), first.tolist(), last.tolist(), solid, strict=True
        ):
            literals = self.literals[place]
            if tried[place] == MOST_HIDDEN:
                continue
            tried[place] += 1
            number, form = automaton.owner(which)
            if literals.covers(number, left, right):
                continue  # a plainer view shows it already
            if (form.frail or form.fold == "homophone") and literals.is_word(left, right):
                continue  # it says what it says, and rules that mean it list it
            if self._is_spelling(form, self.table[number], view, start, end, whole):
                mixed = view.name == "shape" and not whole and self._holds_letters(view, start, end)
                frail = form.frail or mixed
                doubt = self._doubt(form, number, view, start, end) if frail else SURE
                hit = Hit(
                    left, right, view.name,
                    fold=form.fold, frail=doubt != SURE, rare=doubt == RARE,
                )  # fmt: skip
                literals.add(number, hit)
                self.bold[place].add(number)

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
        self, form: Form, literal: Literal, view: View, start: int, end: int, whole: bool
    ) -> bool:
        """Say whether a hit of a bolder view is one spelling and not words that merely touch.

        `whole` is True where nothing stands between its characters and none is repeated.
        """
        base = self.reading.base
        if literal.base.startswith(TAG):
            at = int(view.base_first[start]) - 1
            if at < 0 or base.codepoints[at] != ord(TAG):
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
