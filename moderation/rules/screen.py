"""Screen: which rules' clauses the literals of a post could satisfy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from moderation.text.native import kernel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from moderation.rules.automaton import Automaton

__all__ = ["Screen"]

_COLUMNS = 5


class Screen:
    """Rare enough to pass that what follows may work post by post.

    A clause needs one literal of each of its groups; a single common word ("who", "need")
    therefore lets nothing through by itself.

    Attributes:
        arrays: all there is to it, as plain numbers: see `restored`.
        groups: int32: the groups that patterns belong to, those of all views end to end.
        owner: int32, shape (groups,): the clause of each group.
        needed: int32, shape (clauses,): how many groups each clause has.
    """

    def __init__(
        self,
        clauses: Sequence[tuple[tuple[str, ...], tuple[frozenset[int], ...]]],
        automata: dict[str, Automaton],
    ) -> None:
        """Prepare the screen.

        Args:
            clauses: the views a clause may match in and its groups of literals.
            automata: one per view.
        """
        members: dict[str, list[NDArray[np.int64]]] = {name: [] for name in automata}
        owner: list[int] = []
        for number, (views, groups) in enumerate(clauses):
            for group in groups:
                literals = np.fromiter(group, np.int64, len(group))
                pairs = np.stack([literals, np.full(len(literals), len(owner))], axis=1)
                for name in views:
                    if name in members:
                        members[name].append(pairs)
                owner.append(number)
        first: list[int] = []
        rows: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
        counts: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        for name, automaton in automata.items():
            first.append(sum(map(len, counts)))
            pattern, group_of = _groups(automaton, members[name])
            rows.append(group_of.astype(np.int32))
            counts.append(np.bincount(pattern, minlength=len(automaton.edges)))
        self._take(
            {
                "owner": np.array(owner, np.int32),
                "needed": np.array([len(groups) for _, groups in clauses], np.int32),
                "groups": np.concatenate(rows),
                "starts": np.concatenate(([0], np.cumsum(np.concatenate(counts)))),
                "first": np.array(first, np.int64),
            },
            automata,
        )

    @classmethod
    def restored(cls, arrays: dict[str, NDArray[Any]], automata: Mapping[str, Automaton]) -> Screen:
        """Return the screen that `arrays` were taken from."""
        screen = cls.__new__(cls)
        screen._take(arrays, automata)
        return screen

    def _take(self, arrays: dict[str, NDArray[Any]], automata: Mapping[str, Automaton]) -> None:
        self.arrays = arrays
        self.owner: NDArray[np.int32] = arrays["owner"]
        self.needed: NDArray[np.int32] = arrays["needed"]
        self.groups: NDArray[np.int32] = arrays["groups"]
        self._starts: NDArray[np.int64] = arrays["starts"]
        self._shift: dict[str, int] = dict(zip(automata, arrays["first"].tolist(), strict=True))

    def starts(self, automaton: Automaton) -> NDArray[np.int64]:
        """Return where in `groups` those of each pattern of a view begin, and the last ones end."""
        first = self._shift[automaton.view]
        return self._starts[first : first + len(automaton.edges) + 1]

    def clauses(self, hits: dict[str, bytes], posts: int) -> NDArray[np.int32]:
        """Return which clauses have a literal of every group in which posts.

        Args:
            hits: what each view's automaton found, by view.
            posts: how many posts there are.

        Returns:
            int32, shape (found, 2): post and clause, posts ascending.
        """
        if kernel is None:
            return self.clauses_reference(hits, posts)
        found = kernel.clauses(
            posts,
            tuple((rows, self._shift[name]) for name, rows in hits.items()),
            self._starts,
            self.groups,
            self.owner,
            self.needed,
        )
        return np.frombuffer(found, np.int32).reshape(-1, 2)

    def clauses_reference(self, hits: dict[str, bytes], posts: int) -> NDArray[np.int32]:
        """Do the same in numpy; clauses ascend within a post."""
        del posts
        keys = []
        for name, data in hits.items():
            rows = np.frombuffer(data, np.int32).reshape(-1, _COLUMNS).astype(np.int64)
            pattern, post = rows[:, 0] + self._shift[name], rows[:, 3]
            counts = self._starts[pattern + 1] - self._starts[pattern]
            ends = np.cumsum(counts)
            where = np.repeat(self._starts[pattern] - (ends - counts), counts)
            groups = self.groups[where + np.arange(len(where))]
            keys.append(np.repeat(post, counts) * len(self.owner) + groups)
        held = np.unique(np.concatenate(keys)) if keys else np.zeros(0, np.int64)
        if not len(held):
            return np.zeros((0, 2), np.int32)
        post, group = np.divmod(held, len(self.owner))
        pairs, counts = np.unique(post * len(self.needed) + self.owner[group], return_counts=True)
        post, clause = np.divmod(pairs, len(self.needed))
        met = counts == self.needed[clause]
        return np.stack([post[met], clause[met]], axis=1).astype(np.int32)


def _groups(
    automaton: Automaton, members: list[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the groups that the patterns of a view belong to.

    Args:
        automaton: the view's.
        members: pairs of literal and group.

    Returns:
        Two int64 arrays of one length: pattern and group, ascending, each pair once.
    """
    pairs = np.concatenate([np.zeros((0, 2), np.int64), *members])
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    first = np.searchsorted(pairs[:, 0], automaton.literal)
    counts = np.searchsorted(pairs[:, 0], automaton.literal, "right") - first
    owners = np.diff(automaton.owner_starts)
    pattern = np.repeat(np.repeat(np.arange(len(owners)), owners), counts)
    ends = np.cumsum(counts)
    at = np.repeat(first - (ends - counts), counts) + np.arange(len(pattern))
    most = int(pairs[:, 1].max(initial=0)) + 1
    pattern, group = np.divmod(np.unique(pattern * most + pairs[at, 1]), most)
    return pattern, group
