"""Sketches: regular expressions as small programs that the kernel can run on a text.

Whatever an expression matches in, its sketch says may match. The other way round it errs: it knows
one character before and one behind a place, and counts no repeats to their end. Nine in ten
searches find nothing, and nearly all of those are never begun. What is not understood here has no
sketch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import regex

__all__ = ["AHEAD", "BEHIND", "MATCH", "ONE", "SET", "SPLIT", "Chars", "Sketch", "sketch"]

ONE: Final = 0
SET: Final = 1
SPLIT: Final = 2
BEHIND: Final = 3
AHEAD: Final = 4
MATCH: Final = 5
"""What an instruction does: take a character or one of a set, go on at two places, or ask what
stands before or behind."""

_MOST_COPIES: Final = 128
"""Instructions that a part is written out as that must be there several times."""
_OPENING: Final = regex.compile(r"\((?:\?(?:P?<[A-Za-z_]\w*>|P=\w+(?=\))|[:>=!]|<[=!]))?")
_LOOK: Final = {
    "(?=": (False, True),
    "(?!": (True, True),
    "(?<=": (False, False),
    "(?<!": (True, False),
}
"""Whether what is looked for must not be there, and whether it is looked for ahead."""
_QUANTIFIER: Final = regex.compile(r"(?:[*+?]|\{(\d*)(,?)(\d*)\})[+?]?")
_ESCAPE: Final = regex.compile(
    r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[pP]\{[^{}]*\}|[dDsSwWntrfv]|[^\p{Alnum}_])"
)
_REPEATED: Final = regex.compile(r"\\[1-9]")


class Chars(NamedTuple):
    """Characters of which a text has one at a place."""

    atoms: frozenset[str]
    """Expressions of one character each."""
    negated: bool = False
    edge: bool = False
    """True where the edge of the text will do as well."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """An expression as a program.

    Attributes:
        rows: instruction, and one or two numbers: a set, or rows to go on at.
        sets: what the instructions ask for.
    """

    rows: tuple[tuple[int, int, int], ...]
    sets: tuple[Chars, ...]


@dataclass(frozen=True, slots=True)
class _Look:
    chars: Chars
    ahead: bool


@dataclass(frozen=True, slots=True)
class _Times:
    part: _Part
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class _Either:
    parts: tuple[_Part, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    parts: tuple[_Part, ...]


_Part = Chars | _Look | _Times | _Either | _Row


class _UnknownError(Exception):
    """Something in the expression is not understood."""


_NOTHING: Final = _Row(())
_WORD: Final = frozenset([r"\w"])
_ANYTHING: Final = _Times(Chars(frozenset(), negated=True), 0, None)
_START: Final = _Look(Chars(frozenset(), edge=True), ahead=False)
_END: Final = _Look(Chars(frozenset(["\n"]), edge=True), ahead=True)


def _border(*, before: bool, behind: bool) -> _Part:
    """Return what holds where a word stands, or not, before a place and behind it."""
    one = Chars(_WORD, negated=not before, edge=not before)
    two = Chars(_WORD, negated=not behind, edge=not behind)
    return _Row((_Look(one, ahead=False), _Look(two, ahead=True)))


_ZERO_WIDTH: Final[dict[str, _Part]] = {
    "b": _Either((_border(before=True, behind=False), _border(before=False, behind=True))),
    "B": _Either((_border(before=True, behind=True), _border(before=False, behind=False))),
    "A": _START,
    "Z": _END,
    "K": _NOTHING,
}
_EDGES: Final[dict[str, _Part]] = {"^": _START, "$": _END}


def sketch(source: str) -> Sketch | None:
    """Return the sketch of an expression; None where it is not understood."""
    reader = _Reader(source)
    try:
        part = reader.branches()
    except _UnknownError:
        return None
    if reader.at < len(source):
        return None
    writer = _Writer()
    writer.write(part)
    return Sketch((*writer.rows, (MATCH, 0, 0)), tuple(writer.sets))


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0

    def branches(self) -> _Part:
        """Read alternatives up to the end of their group."""
        found = [self._row()]
        while self._next() == "|":
            self.at += 1
            found.append(self._row())
        return _Either(tuple(found)) if len(found) > 1 else found[0]

    def _next(self) -> str:
        return self.source[self.at : self.at + 1]

    def _row(self) -> _Part:
        parts = []
        while self._next() not in {"", "|", ")"}:
            parts.append(self._quantified(self._piece()))
        return parts[0] if len(parts) == 1 else _Row(tuple(parts))

    def _piece(self) -> _Part:
        char = self._next()
        if char == "(":
            return self._group()
        if char == "[":
            return self._set()
        if char == "\\":
            return self._escape()
        self.at += 1
        if char in "*+?{}":
            raise _UnknownError
        if char in _EDGES:
            return _EDGES[char]
        return Chars(frozenset([char if char == "." else regex.escape(char)]))

    def _group(self) -> _Part:
        opening = _OPENING.match(self.source, self.at)
        assert opening is not None
        self.at = opening.end()
        if opening[0].startswith("(?P="):
            self.at += 1
            return _ANYTHING
        if self._next() == "?":
            raise _UnknownError
        part = self.branches()
        if self._next() != ")":
            raise _UnknownError
        self.at += 1
        return _look(part, *_LOOK[opening[0]]) if opening[0] in _LOOK else part

    def _escape(self) -> _Part:
        found = _ESCAPE.match(self.source, self.at)
        if found is not None:
            self.at = found.end()
            return Chars(frozenset([found[0]]))
        char = self.source[self.at + 1 : self.at + 2]
        repeated = _REPEATED.match(self.source, self.at)
        self.at += 2
        if repeated is not None:
            return _ANYTHING
        if char not in _ZERO_WIDTH:
            raise _UnknownError
        return _ZERO_WIDTH[char]

    def _set(self) -> _Part:
        start, depth = self.at, 0
        while self.at < len(self.source):
            char = self._next()
            self.at += 2 if char == "\\" else 1
            if char == "[":
                depth += 1
                self.at += self._next() == "^"
                self.at += self._next() == "]"
            elif char == "]":
                depth -= 1
                if not depth:
                    break
        return Chars(frozenset([self.source[start : self.at]]))

    def _quantified(self, part: _Part) -> _Part:
        found = _QUANTIFIER.match(self.source, self.at)
        if found is None:
            return part
        self.at = found.end()
        bounds = {"*": (0, ""), "+": (1, ""), "?": (0, "1")}.get(found[0][0])
        if bounds is None:
            if not (found[1] or found[3]):
                raise _UnknownError
            bounds = int(found[1] or 0), found[3] if found[2] else found[1]
        return _Times(part, bounds[0], int(bounds[1]) if bounds[1] else None)


def _look(part: _Part, negated: bool, ahead: bool) -> _Part:
    """Return what is asked of the character at a place; of more than one nothing is."""
    atoms: set[str] = set()
    edge = False
    for branch in part.parts if isinstance(part, _Either) else (part,):
        if isinstance(branch, Chars) and not branch.negated:
            atoms |= branch.atoms
        elif branch == _END and ahead and not negated:
            atoms |= {"\n"}
            edge = True
        else:
            return _NOTHING
    return _Look(Chars(frozenset(atoms), negated, edge != negated), ahead)


class _Writer:
    """Writes a program."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int]] = []
        self.sets: dict[Chars, int] = {}

    def write(self, part: _Part) -> None:
        match part:
            case Chars():
                self.rows.append((SET, self._set(part), 0))
            case _Look(chars, ahead):
                self.rows.append((AHEAD if ahead else BEHIND, self._set(chars), 0))
            case _Row(parts):
                for one in parts:
                    self.write(one)
            case _Either(parts):
                self._either(parts)
            case _Times(one, least, most):
                self._times(one, least, most)

    def _set(self, chars: Chars) -> int:
        return self.sets.setdefault(chars, len(self.sets))

    def _either(self, parts: tuple[_Part, ...]) -> None:
        ends = []
        for one in parts[:-1]:
            split = self._hole()
            self.write(one)
            ends.append(self._hole())
            self.rows[split] = (SPLIT, split + 1, len(self.rows))
        self.write(parts[-1])
        for end in ends:
            self.rows[end] = (SPLIT, len(self.rows), len(self.rows))

    def _times(self, part: _Part, least: int, most: int | None) -> None:
        begun = len(self.rows)
        copies = 0
        while copies < least and (not copies or len(self.rows) - begun < _MOST_COPIES):
            self.write(part)
            copies += 1
        if most == copies:
            return
        split = self._hole()
        self.write(part)
        if most != copies + 1:
            self.rows.append((SPLIT, split, split))
        self.rows[split] = (SPLIT, split + 1, len(self.rows))

    def _hole(self) -> int:
        self.rows.append((SPLIT, 0, 0))
        return len(self.rows) - 1
