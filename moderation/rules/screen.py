"""Screen: which posts of a batch hold the literals that some rule cannot do without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from moderation.rules.automaton import Automaton
from moderation.text import VIEWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from moderation.rules.conditions import Literal
    from moderation.text import FoldTable, View

__all__ = ["Screen"]


class Screen:
    """The first pass: rare enough to pass that the second may work post by post.

    A clause needs one literal of each of its groups; a single common word ("who", "need")
    therefore lets nothing through by itself.
    """

    def __init__(
        self,
        clauses: Sequence[tuple[tuple[str, ...], tuple[frozenset[int], ...]]],
        literals: Sequence[Literal],
        table: FoldTable,
    ) -> None:
        """Prepare the screen.

        Args:
            clauses: the views a clause may match in and its groups of literals.
            literals: every literal, by index.
            table: the fold table.
        """
        owner: list[int] = []
        in_groups: dict[str, dict[int, list[int]]] = {name: {} for name in VIEWS}
        for number, (views, groups) in enumerate(clauses):
            for group in groups:
                for literal in group:
                    for name in views:
                        in_groups[name].setdefault(literal, []).append(len(owner))
                owner.append(number)
        self._owner = np.array(owner, np.int64)
        self._needed = np.array([len(groups) for _, groups in clauses], np.int64)
        self._automata: dict[str, Automaton] = {}
        self._members: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        for name in VIEWS:
            chosen = [(index, literals[index]) for index in sorted(in_groups[name])]
            automaton = Automaton(name, chosen, table)
            rows = [
                sorted({g for literal in known for g in in_groups[name][literal]})
                for known in automaton.literals
            ]
            starts = np.cumsum([0, *map(len, rows)], dtype=np.int64)
            flat = np.array([g for row in rows for g in row], np.int64)
            self._automata[name], self._members[name] = automaton, (starts, flat)

    def clauses(self, views: dict[str, View]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which clauses have a literal of every group in which posts.

        Returns:
            Posts and clauses, two int64 arrays of the same length, sorted by post.
        """
        keys = []
        for name, automaton in self._automata.items():
            pattern, post = automaton.patterns(views[name], views["base"])
            starts, flat = self._members[name]
            counts = starts[pattern + 1] - starts[pattern]
            ends = np.cumsum(counts)
            where = np.repeat(starts[pattern] - (ends - counts), counts) + np.arange(counts.sum())
            keys.append(np.repeat(post, counts) * len(self._owner) + flat[where])
        held = np.unique(np.concatenate(keys))
        if not len(held):
            return held, held
        post, group = np.divmod(held, len(self._owner))
        pairs, counts = np.unique(post * len(self._needed) + self._owner[group], return_counts=True)
        post, clause = np.divmod(pairs, len(self._needed))
        met = counts == self._needed[clause]
        return post[met], clause[met]
