"""Hits: what the automata found, as literals of posts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.rules.findings import Hit
from moderation.rules.literals import TAG
from moderation.rules.spelling import holds_letters, is_chat_word, is_deliberate, is_spoken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from moderation.rules.conditions import Literal
    from moderation.rules.forms import Form
    from moderation.text import FoldTable, TextBatch, View
    from moderation.text.ordinary import Ordinary

__all__ = ["Collector", "Scan"]

_WHOLE: Final = 3
_COLUMNS: Final = 5


@dataclass(frozen=True, slots=True)
class Scan:
    """What the literals' automata found in a batch, and the rules that this could satisfy.

    Attributes:
        batch: the posts.
        base: the base view as rules read it: see `moderation.text.spacing`.
        spaced: bool, shape (posts,): posts whose spaces between Han characters were dropped.
        views: every view, by name.
        hits: int32 rows of five as bytes by view: see `Automaton.scan`.
        candidates: int32, shape (found, 2): post and number of a policy rule, by post.
    """

    batch: TextBatch
    base: View
    spaced: NDArray[np.bool_]
    views: dict[str, View]
    hits: dict[str, bytes]
    candidates: NDArray[np.int32]

    @property
    def posts(self) -> NDArray[np.int64]:
        """The posts, ascending, in which a policy rule might fire."""
        return np.unique(self.candidates[:, 0]).astype(np.int64)


@dataclass(slots=True)
class Collector:
    """Turns the rows of the automata into hits of literals, for some posts of a scan."""

    scan: Scan
    posts: NDArray[np.int64]
    table: Sequence[Literal]
    folds: FoldTable
    ordinary: Ordinary
    literals: list[dict[int, list[Hit]]] = field(init=False)
    """For each of the posts, the hits of each literal found in it."""
    bold: list[set[int]] = field(init=False)
    """For each of the posts, literals found somewhere only in a bolder view than `base`."""
    _index: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.literals = [{} for _ in self.posts]
        self.bold = [set() for _ in self.posts]
        self._index = np.full(len(self.scan.batch), -1)
        self._index[self.posts] = np.arange(len(self.posts))

    def collect(
        self,
        name: str,
        owners: Sequence[Sequence[tuple[int, Form]]],
        cut: NDArray[np.bool_] | None,
    ) -> None:
        """Add the hits of one view; views come from the plainest to the boldest.

        Args:
            name: the view.
            owners: for each pattern of its automaton, the literals it stands for.
            cut: see `Ruleset.findings`.
        """
        scan = self.scan
        view = scan.views[name]
        rows = np.frombuffer(scan.hits[name], np.int32).reshape(-1, _COLUMNS)
        rows = rows[self._index[rows[:, 3]] >= 0]
        if not len(rows):
            return
        post = rows[:, 3].astype(np.int64)
        origin = scan.batch.offsets[post]
        # Words that are read from the other end start where they are stored last.
        ends = view.source[rows[:, 1]], view.last[rows[:, 2] - 1]
        first, last = np.minimum(*ends) - origin, np.maximum(*ends) + 1 - origin
        kept = self._allowed(post, first, last, cut)
        plain = name == "base"
        spaced = scan.spaced.tolist()
        for row, left, right in zip(
            rows[kept].tolist(), first[kept].tolist(), last[kept].tolist(), strict=True
        ):
            pattern, start, end, where, edge = row
            place = self._index[where]
            for number, form in owners[pattern]:
                literal = self.table[number]
                if edge != _WHOLE and not (
                    (edge & 1 or literal.left_open) and (edge & 2 or literal.right_open)
                ):
                    continue
                known = self.literals[place].get(number)
                if known is None:
                    known = self.literals[place][number] = []
                elif not plain and any(h.start <= left and right <= h.end for h in known):
                    continue  # a plainer view shows it already
                if plain:
                    hidden = spaced[where] and right - left > end - start
                    known.append(Hit(left, right, name, fold="noise" if hidden else ""))
                elif self._is_spelling(form, literal, view, start, end):
                    frail = form.frail or (
                        name == "shape" and self._holds_letters(view, start, end)
                    )
                    known.append(Hit(left, right, name, fold=form.fold, frail=frail))
                    self.bold[place].add(number)

    def _allowed(
        self,
        post: NDArray[np.int64],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        cut: NDArray[np.bool_] | None,
    ) -> NDArray[np.bool_]:
        """Return which stretches touch no cut and lie within one field."""
        batch = self.scan.batch
        kept = np.ones(len(post), np.bool_)
        if cut is not None:
            kept &= ~((first == 0) & cut[post, 0])
            kept &= ~((last == batch.lengths[post]) & cut[post, 1])
        if batch.fields is not None:  # a term never runs from one field into the next
            kept &= batch.fields.number(first, post) == batch.fields.number(last - 1, post)
        return kept

    def _holds_letters(self, view: View, start: int, end: int) -> bool:
        """Say whether letters or digits stand between the Han characters of a hit."""
        span = slice(int(view.base_first[start]), int(view.base_last[end - 1]) + 1)
        return holds_letters(self.scan.base.codepoints[span].tobytes().decode("utf-32-le")) > 0

    def _is_spelling(self, form: Form, literal: Literal, view: View, start: int, end: int) -> bool:
        """Say whether a hit of a bolder view is one spelling and not words that merely touch."""
        base = self.scan.base
        if literal.base.startswith(TAG):
            at = int(view.base_first[start]) - 1
            if at < 0 or base.codepoints[at] != ord(TAG):
                return False
        if view.name == "sound":
            return is_spoken(literal, view, base, self.folds, start, end)
        if form.fold == "initials" and not is_chat_word(view, base, self.folds, start, end):
            return False
        return is_deliberate(form.written, view, base, self.folds, self.ordinary, start, end)
