"""Tell an evaded spelling from words that merely touch once the noise is gone.

In the `compact` view "c.a.s.i.n.o" is casino, but so is the end of one clause beside the start of
the next. A person spots the difference by how the letters are separated; so does this module.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from moderation.text.fold import CLASS_DIGIT, CLASS_HAN, CLASS_LATIN, CLASS_WORD

if TYPE_CHECKING:
    from moderation.rules.conditions import Literal
    from moderation.text import FoldTable, View

__all__ = ["is_deliberate"]

_CLAUSE: Final = frozenset("。！？；，、：,.!?;:\n…")
_ORDINARY: Final = frozenset(".,;:!?/'’\"-()&+@%=<>[]{}“”‘’—–")
"""Marks that ordinary writing puts between Latin letters."""
_MAX_GAP: Final = 6
_MIN_REPEAT: Final = 3


def is_deliberate(
    literal: Literal, view: View, base: View, table: FoldTable, start: int, end: int
) -> bool:
    """Say whether a literal's hit in the compact view is one spelling and not two neighbours.

    Args:
        literal: what was found.
        view: the compact view.
        base: the base view it was made from.
        table: the fold table, for character classes.
        start: first code point of the hit in `view`.
        end: one past the last.
    """
    firsts = view.base_first[start:end].tolist()
    lasts = view.base_last[start:end].tolist()
    offset = firsts[0]
    text = base.codepoints[offset : lasts[-1] + 1].tobytes().decode("utf-32-le")
    form = view.codepoints[start:end].tobytes().decode("utf-32-le")
    runs, breaks = _shape(literal.base, form, table)
    for wanted, first, last in zip(runs, firsts, lasts, strict=True):
        length = last - first + 1  # only neighbours collapse
        if length != wanted and (length < _MIN_REPEAT or length < wanted):
            return False
    every = {
        k: text[a + 1 - offset : b - offset]
        for k, (a, b) in enumerate(zip(lasts[:-1], firsts[1:], strict=True))
        if b > a + 1
    }
    if any(k in breaks and _ends_clause(gap) for k, gap in every.items()):
        return False
    gaps = {k: gap for k, gap in every.items() if k not in breaks}
    if any(len(gap) > _MAX_GAP for gap in gaps.values()):
        return False
    if len(gaps) == len(form) - 1 - len(breaks) > 1:
        return True  # spaced out letter by letter
    kinds = [int(table.classes[ord(c)]) for c in form]
    words = pairwise([-1, *sorted(breaks), len(form) - 1])
    cuts = len(gaps)
    return all(
        _word_fits(kinds[a + 1 : b + 1], {k - a - 1: g for k, g in gaps.items() if a < k < b}, cuts)
        or _is_lone_han(kinds, gaps, view, base, table, start, end)
        for a, b in words
    )


def _ends_clause(gap: str) -> bool:
    """True for a comma or full stop as ordinary writing sets it: with a space or line after."""
    return len(gap) > 1 and gap[0] in _CLAUSE and gap[1:].isspace()


def _word_fits(kinds: list[int], gaps: dict[int, str], cuts: int) -> bool:
    """Say whether the gaps inside one word of a term look like one spelling.

    `cuts` counts the gaps inside words of the whole term: the more, the less an accident.
    """
    if not gaps or len(gaps) == len(kinds) - 1 > 1:
        return True
    pieces = [b - a for a, b in pairwise([-1, *sorted(gaps), len(kinds) - 1])]
    return all(_gap_fits(gap, kinds[k], kinds[k + 1], pieces, cuts) for k, gap in gaps.items())


def _is_lone_han(
    kinds: list[int],
    gaps: dict[int, str],
    view: View,
    base: View,
    table: FoldTable,
    start: int,
    end: int,
) -> bool:
    """True for a Han term split by spaces or marks that itself stands between such gaps."""
    han = all(kinds[k] & kinds[k + 1] & CLASS_HAN for k in gaps)
    return han and _stands_alone(view, base, table, start, end)


def _shape(term: str, form: str, table: FoldTable) -> tuple[list[int], set[int]]:
    """Say how a compact form spells a term.

    Returns:
        For each character of the form the run of the term it stands for, and the indices after
        which the term itself has a gap.
    """
    runs: list[int] = []
    breaks: set[int] = set()
    for char in term:
        classes = table.classes[ord(char)]
        if not classes & CLASS_WORD:
            if runs:
                breaks.add(len(runs) - 1)
        elif len(runs) < len(form) and form[len(runs)] == char:
            runs.append(1)
        elif runs:
            runs[-1] += 1
    return runs, breaks


def _gap_fits(gap: str, before: int, after: int, pieces: list[int], cuts: int) -> bool:
    """Say whether one gap may lie inside a word that is not spaced out letter by letter."""
    space = any(c.isspace() for c in gap)
    if before & after & CLASS_LATIN:
        if space:
            return cuts > 1 and max(pieces) <= 2 and sum(pieces) >= 5
        return cuts > 1 or not all(c in _ORDINARY for c in gap)
    if before & after & CLASS_DIGIT:
        return False
    if before & after & CLASS_HAN:
        return not space and not any(c in _CLAUSE for c in gap.replace(".", ""))
    return not any(c in _CLAUSE for c in gap)


def _stands_alone(view: View, base: View, table: FoldTable, start: int, end: int) -> bool:
    """True where noise or an edge of the post lies on both sides of a hit."""
    first, last = int(view.base_first[start]), int(view.base_last[end - 1])
    bounds = base.offsets
    opens = first in bounds or not table.classes[base.codepoints[first - 1]] & CLASS_WORD
    closes = last + 1 in bounds or not table.classes[base.codepoints[last + 1]] & CLASS_WORD
    return bool(opens and closes)
