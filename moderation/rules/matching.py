"""Matching: rules evaluated on a post by the native kernel."""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import iter_unpack, pack
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.rules.evaluate import PostMatcher
from moderation.rules.marks import hit_of, mark_of
from moderation.rules.patterns import RESTORED
from moderation.text.native import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moderation.rules.conditions import Rule
    from moderation.rules.findings import Hit, RuleMatch
    from moderation.rules.program import Program

__all__ = ["NativeMatcher"]

_ROW: Final = "3i"
_SEEN: Final = ("base", RESTORED, "compact")
"""The texts that patterns are searched for in, by the number that the kernel asks for them by."""


@dataclass(slots=True)
class NativeMatcher(PostMatcher):
    """A `PostMatcher` whose conditions the kernel evaluates; it asks for what only Python knows."""

    program: Program | None = None
    post: Any = None
    """What the kernel knows of the post."""
    _found: dict[str, bytes] = field(default_factory=dict)
    _timed_out: bool = False

    def matches(
        self, numbers: list[int], rules: Sequence[Rule], levels: Sequence[str]
    ) -> list[RuleMatch]:
        """Return the matches of those rules that hold."""
        return [
            self._judged(rules[number], _hits(found), levels, bold=bool(bold))
            for number, bold, found in kernel.match(self.post, self, numbers)
        ]

    def cue(self, name: str) -> list[Hit]:
        """Return the hits of a cue class in this post."""
        known = self._cue_hits.get(name)
        if known is None:
            known = self._cue_hits[name] = list(_hits(self._cue(name)))
        return known

    def has_cue(self, name: str) -> bool:
        """Say whether a cue class is in this post."""
        return bool(self._cue(name))

    def late(self) -> tuple[str, ...]:
        """Return ids of rules, or names of cues, whose pattern ran out of time."""
        if not self._timed_out:
            return ()
        assert self.program is not None
        numbers = np.frombuffer(kernel.late(self.post), np.int32).tolist()
        names = (self.program.rules[n] if n >= 0 else "cue" for n in numbers)
        return tuple(dict.fromkeys(names))

    def _cue(self, name: str) -> bytes:
        found = self._found.get(name)
        if found is None:
            assert self.program is not None
            found = self._found[name] = kernel.cue(self.post, self, self.program.cues[name])
        return found

    def search(self, number: int, view: int, inside: bytes | None) -> bytes | None:
        """Return where a pattern matches, for the kernel; None when it ran out of time.

        Args:
            number: the pattern.
            view: which text to search.
            inside: for each field of the post whether to look there; None: anywhere.
        """
        assert self.program is not None
        fields = None
        if inside is not None:
            fields = tuple(s for s, wanted in zip(self.spans, inside, strict=True) if wanted)
        pattern = self.program.patterns[number]
        hits = self._patterns.search(pattern, _SEEN[view], fields)
        if hits is None:
            self._timed_out = True
            return None
        return b"".join(pack(_ROW, hit.start, hit.end, mark_of(hit)) for hit in hits)

    def restored(self) -> bytes:
        """Return the text with every hidden literal written out, as code points."""
        return self._patterns.text(RESTORED).encode("utf-32-le", "surrogatepass")

    def noisy(self) -> bool:
        """Say whether marks stand where ordinary writing has none."""
        return self._is_noisy()


def _hits(found: bytes) -> tuple[Hit, ...]:
    return tuple([hit_of(*row) for row in iter_unpack(_ROW, found)])
