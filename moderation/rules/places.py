"""Where hits stand beside one another: near, covered, overlapping; in n log n, however many."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moderation.rules.findings import Hit

__all__ = ["Cover", "Free", "groups"]

MOST_GROUPS: Final = 32
"""Groups that one `near` gathers: evidence shows the first few, and one is enough to hold."""
_MOST_TRIED: Final = 16
"""Hits of an item that are tried beside those of the others."""

Place = tuple[int, int, "Hit"]
"""Start and end of a hit, as distances are measured."""


def groups(parts: Sequence[Sequence[Place]], within: int) -> list[Hit]:
    """Return the hits of every item that stand near a hit of the first.

    Args:
        parts: for each item its hits, not empty.
        within: distance, at most, from a hit of the first item.

    Returns:
        The first hit of each group and what stands near it, by place; no stretch of text serves
        for two items of a group. Empty where there is no group.
    """
    ordered = [sorted(part, key=_start) for part in parts]
    starts = [[place[0] for place in part] for part in ordered]
    longest = [max(end - start for start, end, _ in part) for part in ordered]
    found: list[Hit] = []
    seen = 0
    for start, end, first in ordered[0]:
        close = []
        for part, begins, length in zip(ordered[1:], starts[1:], longest[1:], strict=True):
            low = bisect_left(begins, start - within - length)
            high = bisect_right(begins, end + within)
            close.append(
                [h for _, e, h in part[low:high] if start - e <= within and _apart(first, h)]
            )
        if _stand_apart(close):
            found += [first, *(hit for part in close for hit in part)]
            seen += 1
            if seen == MOST_GROUPS:
                break
    return found


class Cover:
    """Stretches that allow what they cover."""

    def __init__(self, allowed: Sequence[Hit]) -> None:
        """Take the hits of exceptions."""
        by_start: dict[int, tuple[int, int]] = {}
        for hit in allowed:
            far, plain = by_start.get(hit.start, (-1, -1))
            by_start[hit.start] = max(far, hit.end), max(plain, -1 if hit.bold else hit.end)
        self._starts = sorted(by_start)
        self._ends = [by_start[start] for start in self._starts]
        self._before: list[int] = []
        farthest = -1
        for far, _ in self._ends:
            self._before.append(farthest)
            farthest = max(farthest, far)
        self._before.append(farthest)

    def holds(self, hit: Hit) -> bool:
        """Say whether an allowed hit covers this one: is longer, or what a bold hit really says."""
        at = bisect_left(self._starts, hit.start)
        if self._before[at] >= hit.end:
            return True
        if at == len(self._starts) or self._starts[at] != hit.start:
            return False
        far, plain = self._ends[at]
        return far > hit.end or (hit.bold and plain >= hit.end)


class Free:
    """Room for stretches that do not overlap."""

    def __init__(self) -> None:
        self._taken: list[tuple[int, int]] = []

    def take(self, start: int, end: int) -> bool:
        """Take a stretch, unless part of it is taken."""
        at = bisect_left(self._taken, (start, end))
        if at and self._taken[at - 1][1] > start:
            return False
        if at < len(self._taken) and self._taken[at][0] < end:
            return False
        insort(self._taken, (start, end))
        return True


def _start(place: Place) -> tuple[int, int]:
    return place[0], place[1]


def _apart(a: Hit, b: Hit) -> bool:
    """False where one stretch of text would count as two items; a cue may lie inside a term."""
    return a.cue or b.cue or b.start >= a.end or a.start >= b.end


def _stand_apart(parts: Sequence[Sequence[Hit]], taken: tuple[Hit, ...] = ()) -> bool:
    """Say whether each item has a hit of its own."""
    if not parts:
        return True
    return any(
        _stand_apart(parts[1:], (*taken, hit))
        for hit in parts[0][:_MOST_TRIED]
        if all(_apart(hit, other) for other in taken)
    )
