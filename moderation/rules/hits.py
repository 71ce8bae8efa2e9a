"""Hits: what the automata found, and where the literals of a batch's posts stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from moderation.rules.marks import BOLD, hit_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.rules.findings import Hit
    from moderation.text import TextBatch, View
    from moderation.text.undisguise import Undisguised

__all__ = ["HitTable", "LiteralHits", "Reading", "Scan"]


@dataclass(frozen=True, slots=True)
class Scan:
    """The rules that the literals of a batch's posts could satisfy.

    Attributes:
        batch: the posts.
        base: their base view, as the table folds it.
        read: those of them that this view may not show as a person reads them; None: there is none.
        candidates: int32, shape (found, 2): post and number of a policy rule, by post.
    """

    batch: TextBatch
    base: View
    read: Undisguised | None
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


@dataclass(frozen=True, slots=True)
class HitTable:
    """Where the literals of a batch's posts stand.

    Attributes:
        bounds: int64, shape (posts + 1,): the rows of post i are those from `bounds[i]` to
            `bounds[i + 1]`.
        literal: int32: the literal of each row; ascending within a post.
        start, end: int32: its place, in code points of the original post.
        mark: int32: see `moderation.rules.marks`. What the base view shows of a literal comes
            first.
    """

    bounds: NDArray[np.int64]
    literal: NDArray[np.int32]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    mark: NDArray[np.int32]

    def of(self, post: int) -> LiteralHits:
        """Return the literals of one post."""
        return LiteralHits(self, int(self.bounds[post]), int(self.bounds[post + 1]))


class LiteralHits:
    """The literals of one post and where they stand; hits are made when they are asked for."""

    __slots__ = (
        "_begin",
        "_bold",
        "_hits",
        "_known",
        "_marks",
        "_plain",
        "_present",
        "_table",
        "_to",
    )

    def __init__(self, table: HitTable, begin: int, stop: int) -> None:
        """Take the rows of one post: those from `begin` to `stop`."""
        self._table = table
        self._begin = begin
        self._to = stop
        self._known: dict[int, tuple[int, int]] | None = None
        self._marks: list[int] = []
        self._hits: dict[int, list[Hit]] = {}
        self._present: frozenset[int] | None = None
        self._plain: frozenset[int] | None = None
        self._bold: frozenset[int] | None = None

    @property
    def present(self) -> frozenset[int]:
        """The literals that stand in the post."""
        if self._present is None:
            self._present = frozenset(self._rows())
        return self._present

    @property
    def plain(self) -> frozenset[int]:
        """The literals that the base view shows."""
        if self._plain is None:
            rows = self._rows()
            self._plain = frozenset(i for i, (a, _) in rows.items() if not self._marks[a] & BOLD)
        return self._plain

    @property
    def bold(self) -> frozenset[int]:
        """The literals that stand somewhere where only a bolder view than `base` shows them."""
        if self._bold is None:
            rows = self._rows()  # the boldest come last
            self._bold = frozenset(i for i, (_, b) in rows.items() if self._marks[b - 1] & BOLD)
        return self._bold

    def __getitem__(self, literal: int) -> list[Hit]:
        hits = self._hits.get(literal)
        if hits is None:
            a, b = self._rows()[literal]
            part = slice(self._begin + a, self._begin + b)
            table = self._table
            hits = self._hits[literal] = [
                hit_of(start, end, mark)
                for start, end, mark in zip(
                    table.start[part].tolist(),
                    table.end[part].tolist(),
                    self._marks[a:b],
                    strict=True,
                )
            ]
        return hits

    def numbers(self) -> list[int]:
        """Return the literal of each place."""
        found: list[int] = self._table.literal[self._begin : self._to].tolist()
        return found

    def _rows(self) -> dict[int, tuple[int, int]]:
        """Return for each literal where its places begin and end, counted from the first."""
        if self._known is None:
            self._marks = self._table.mark[self._begin : self._to].tolist()
            self._known = {}
            begin = 0
            numbers = self.numbers()
            for at, number in enumerate(numbers, 1):
                if at == len(numbers) or numbers[at] != number:
                    self._known[number] = begin, at
                    begin = at
        return self._known
