"""Carets: a post on a terminal, with the stretches that matter underlined."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, NamedTuple

from moderation.scan.table import display_width, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Mark", "underlined"]

_MOST_LINES: Final = 8
_MORE: Final = "…"


class Mark(NamedTuple):
    """A stretch of a text, in code points, and the character it is underlined with."""

    start: int
    end: int
    sign: str = "^"


class _Cell(NamedTuple):
    shown: str
    width: int
    sign: str


def underlined(text: str, marks: Sequence[Mark], columns: int) -> list[str]:
    """Return a text in lines, those with marks followed by a line of carets.

    Columns are those of a terminal: a Han character takes two, a combining mark none, and what a
    terminal would act on is written as an escape. Of a text of many lines those with marks stay.

    Args:
        text: the post.
        marks: what to underline; where two cover one character the first counts.
        columns: width at which lines are broken.
    """
    rows = [row for line in _lines(text, marks) for row in _broken(line, columns)]
    marked = [any(cell.sign != " " for cell in row) for row in rows]
    order = sorted(range(len(rows)), key=lambda n: (not marked[n], n))[:_MOST_LINES]
    out: list[str] = []
    previous = -1
    for number in sorted(order):
        if number > previous + 1:
            out.append(_MORE)
        previous = number
        out.append("".join(cell.shown for cell in rows[number]))
        if marked[number]:
            out.append("".join(cell.sign * cell.width for cell in rows[number]).rstrip())
    if previous + 1 < len(rows):
        out.append(_MORE)
    return out


def _lines(text: str, marks: Sequence[Mark]) -> list[list[_Cell]]:
    signs = [" "] * len(text)
    for mark in reversed(marks):
        signs[mark.start : mark.end] = [mark.sign] * (mark.end - mark.start)
    lines: list[list[_Cell]] = [[]]
    for character, sign in zip(text, signs, strict=True):
        shown = visible(character)
        lines[-1].append(_Cell(shown, display_width(shown), sign))
        if character == "\n":
            lines.append([])
    return lines if lines[-1] else lines[:-1]


def _broken(line: Sequence[_Cell], columns: int) -> list[list[_Cell]]:
    """Break a line into rows of at most some columns; a cell wider than that has its own row."""
    ends = itertools.accumulate(cell.width for cell in line)
    rows: list[list[_Cell]] = []
    begin = 0
    for cell, end in zip(line, ends, strict=True):
        if not rows or end - begin > columns:
            rows.append([])
            begin = end - cell.width
        rows[-1].append(cell)
    return rows
