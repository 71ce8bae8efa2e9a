"""Findings of many posts as columns, with objects made on demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, overload

import numpy as np

from moderation.rules.conditions import LEVELS
from moderation.rules.findings import Findings, RuleMatch
from moderation.rules.marks import hit_of, mark_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from moderation.rules.conditions import Rule

__all__ = ["BOLD_MATCH", "CONTEXT", "FRAIL_MATCH", "NO_LEVEL", "FindingsTable"]

BOLD_MATCH: Final = 1
"""Flag of a match: only a bolder view than `base` shows it."""
FRAIL_MATCH: Final = 2
"""Flag of a match: nothing but spellings that ordinary text falls into speaks for it."""
CONTEXT: Final = 4
"""Flag of a match: its rule is a context rule."""
NO_LEVEL: Final = -1


@dataclass(frozen=True, slots=True)
class FindingsTable(Sequence[Findings]):
    """What the rules say of some posts, in their order.

    Attributes:
        rules: every rule, by number.
        cue_names: the names of the cue classes; the first is the lowest bit of `cues`.
        bounds: int64, shape (posts + 1,): the matches of post i are the rows from `bounds[i]` to
            `bounds[i + 1]` of `matches`, policy rules first.
        matches: int32, shape (matches, 3): number of the rule, index into LEVELS or NO_LEVEL, and
            flags.
        hit_bounds: int64, shape (matches + 1,): the hits of a match are those rows of `hits`.
        hits: int32, shape (hits, 3): start and end, in code points of the original post, and mark:
            see `moderation.rules.marks`.
        cues: uint64, shape (posts,): the cue classes that were found, a bit each.
        offers: bool, shape (posts,): the author asks to be contacted in his own words.
        timeouts: by post the ids of rules, or names of cues, whose pattern ran out of time.
    """

    rules: tuple[Rule, ...]
    cue_names: tuple[str, ...]
    bounds: NDArray[np.int64]
    matches: NDArray[np.int32]
    hit_bounds: NDArray[np.int64]
    hits: NDArray[np.int32]
    cues: NDArray[np.uint64]
    offers: NDArray[np.bool_]
    timeouts: dict[int, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def from_findings(
        cls, found: Sequence[Findings], rules: tuple[Rule, ...], cue_names: Iterable[str]
    ) -> FindingsTable:
        """Return findings as columns."""
        numbers = {id(rule): number for number, rule in enumerate(rules)}
        names = tuple(cue_names)
        bits = {name: 1 << at for at, name in enumerate(names)}
        per_post, matches, per_match, hits = [0], [], [0], []
        for findings in found:
            for match in (*findings.matches, *findings.contexts):
                level = NO_LEVEL if match.level is None else LEVELS.index(match.level)
                flags = match.bold * BOLD_MATCH | match.frail * FRAIL_MATCH
                flags |= match.rule.is_context * CONTEXT
                matches.append((numbers[id(match.rule)], level, flags))
                hits += [(hit.start, hit.end, mark_of(hit)) for hit in match.hits]
                per_match.append(len(hits))
            per_post.append(len(matches))
        return cls(
            rules,
            names,
            np.array(per_post, np.int64),
            np.array(matches, np.int32).reshape(-1, 3),
            np.array(per_match, np.int64),
            np.array(hits, np.int32).reshape(-1, 3),
            np.array([sum(bits[name] for name in f.cues) for f in found], np.uint64),
            np.array([f.offers for f in found], np.bool_),
            {post: f.timeouts for post, f in enumerate(found) if f.timeouts},
        )

    def __len__(self) -> int:
        return len(self.offers)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    @overload
    def __getitem__(self, index: int) -> Findings: ...
    @overload
    def __getitem__(self, index: slice) -> list[Findings]: ...
    def __getitem__(self, index: int | slice) -> Findings | list[Findings]:
        if isinstance(index, slice):
            return [self._findings(i) for i in range(*index.indices(len(self)))]
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(f"findings {index} of {len(self)}")
        return self._findings(at)

    def _findings(self, post: int) -> Findings:
        made = [self._match(row) for row in range(self.bounds[post], self.bounds[post + 1])]
        cues = int(self.cues[post])
        return Findings(
            tuple(m for m in made if not m.rule.is_context),
            tuple(m for m in made if m.rule.is_context),
            frozenset(name for at, name in enumerate(self.cue_names) if cues >> at & 1),
            bool(self.offers[post]),
            self.timeouts.get(post, ()),
        )

    def _match(self, row: int) -> RuleMatch:
        number, level, flags = self.matches[row].tolist()
        hits = self.hits[self.hit_bounds[row] : self.hit_bounds[row + 1]].tolist()
        return RuleMatch(
            self.rules[number],
            None if level == NO_LEVEL else LEVELS[level],
            tuple([hit_of(*hit) for hit in hits]),
            bool(flags & BOLD_MATCH),
            bool(flags & FRAIL_MATCH),
        )
