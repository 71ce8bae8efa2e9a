"""Matching: rules evaluated on the posts of a batch by the native kernel."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.rules.evaluate import NOISE
from moderation.rules.patterns import spans
from moderation.rules.table import FindingsTable
from moderation.text.native import flat, int64, kernel

if TYPE_CHECKING:
    import regex
    from numpy.typing import NDArray

    from moderation.rules.hits import HitTable, Reading
    from moderation.rules.program import Program

__all__ = ["match_posts"]

_KINDS: Final = (r"\p{Han}", r"[\p{L}\p{N}]", r"\s", r"\w", NOISE)
"""What the kernel knows of a code point, from the lowest bit on."""


def match_posts(
    program: Program,
    reading: Reading,
    hits: HitTable,
    candidates: NDArray[np.int32],
    wanted: NDArray[np.bool_],
    *,
    every_cue: bool,
) -> FindingsTable:
    """Return what the rules say of every post of a reading.

    Args:
        program: the rules.
        reading: the posts.
        hits: where their literals stand.
        candidates: int32, shape (found, 2): post and number of a policy rule, by post.
        wanted: bool, shape (posts,): see `Ruleset.findings`.
        every_cue: see `Ruleset.findings`.

    Raises:
        ValueError: a candidate is no post of the reading or no rule of the program.
    """
    base, compact = reading.base, reading.views["compact"]
    *columns, offers, late = kernel.findings(
        program.native,
        _Asked(program),
        every_cue,
        hits.bounds,
        hits.literal,
        hits.start,
        hits.end,
        hits.mark,
        reading.batch.offsets,
        flat(base.codepoints),
        base.offsets,
        flat(base.source),
        flat(base.last),
        flat(compact.codepoints),
        compact.offsets,
        flat(compact.source),
        flat(compact.last),
        *program.fields(reading.batch.fields),
        flat(candidates),
        flat(wanted),
    )
    bounds, matches, hit_bounds, found, cues = columns
    return FindingsTable(
        program.rules,
        program.cues,
        int64(bounds),
        np.frombuffer(matches, np.int32).reshape(-1, 3),
        int64(hit_bounds),
        np.frombuffer(found, np.int32).reshape(-1, 3),
        np.frombuffer(cues, np.uint64),
        np.frombuffer(offers, np.bool_),
        {post: _names(program, np.frombuffer(rules, np.int32)) for post, rules in late},
    )


def _names(program: Program, numbers: NDArray[np.int32]) -> tuple[str, ...]:
    """Return ids of rules, or names of cues, each once."""
    names = (program.rules[n].id if n >= 0 else "cue" for n in numbers.tolist())
    return tuple(dict.fromkeys(names))


class _Asked:
    """Answers what the kernel leaves to Python."""

    __slots__ = ("_patterns",)

    def __init__(self, program: Program) -> None:
        self._patterns = program.patterns

    def search(self, number: int, text: str, most: int) -> bytes | None:
        """Return where a pattern first matches a text, int32 begin and end of each match.

        Args:
            number: the pattern.
            text: what to search.
            most: so many matches are enough.

        Returns:
            None where it ran out of time.
        """
        try:
            found = spans(self._patterns[number], text, most)
        except TimeoutError:
            return None
        return np.array(found, np.int32).tobytes() if found else b""

    def kinds(self, text: str) -> bytes:
        """Return the kind of each code point of a text: see `_KINDS`."""
        return bytes(map(_kind, text))


@lru_cache(maxsize=1 << 17)
def _kind(char: str) -> int:
    return sum((expression.match(char) is not None) << n for n, expression in enumerate(_kinds()))


@cache
def _kinds() -> list[regex.Pattern[str]]:
    import regex  # most scans of a post or two need none

    return [regex.compile(source) for source in _KINDS]
