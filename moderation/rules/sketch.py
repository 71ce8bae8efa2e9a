"""Sketches: regular expressions as small programs that the kernel can run on a text.

Whatever an expression matches in, its sketch says may match. The other way round it errs: it knows
one character before and one behind a place, and counts no repeats to their end. Nine in ten searches
find nothing, and nearly all of those are never begun. What is not understood here has no sketch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Chars", "Sketch", "arrays", "sketch"]

_ONE, _SET, _SPLIT, _BEHIND, _AHEAD, _MATCH = range(6)
"""What an instruction does: take a character or one of a set, go on at two places, or ask what
stands before or behind."""

_MOST_COPIES: Final = 128
"""Instructions that a part is written out as that must be there several times."""
_MOST_CLASSES: Final = 0xFFFF
_ALPHABET: Final = 0x10000
"""Code points that are told apart, beside those beyond that an expression names."""
_PAIR: Final = 2
"""Classes in a set of one character: its own, and that of what is not looked at."""
_FLAGS: Final = regex.V1 | regex.UNICODE
_OPENING: Final = regex.compile(r"\((?:\?(?:P?<[A-Za-z_]\w*>|P=\w+(?=\))|[:>=!]|<[=!]))?")
_LOOK: Final = {"(?=": (False, True), "(?!": (True, True), "(?<=": (False, False), "(?<!": (True, False)}
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


_ZERO_WIDTH: Final = {
    "b": _Either((_border(before=True, behind=False), _border(before=False, behind=True))),
    "B": _Either((_border(before=True, behind=True), _border(before=False, behind=False))),
    "A": _START,
    "Z": _END,
    "K": _NOTHING,
}


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
    return Sketch((*writer.rows, (_MATCH, 0, 0)), tuple(writer.sets))


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
        return {"^": _START, "$": _END}.get(char) or Chars(frozenset([char if char == "." else regex.escape(char)]))

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
                self.rows.append((_SET, self._set(part), 0))
            case _Look(chars, ahead):
                self.rows.append((_AHEAD if ahead else _BEHIND, self._set(chars), 0))
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
            self.rows[split] = (_SPLIT, split + 1, len(self.rows))
        self.write(parts[-1])
        for end in ends:
            self.rows[end] = (_SPLIT, len(self.rows), len(self.rows))

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
            self.rows.append((_SPLIT, split, split))
        self.rows[split] = (_SPLIT, split + 1, len(self.rows))

    def _hole(self) -> int:
        self.rows.append((_SPLIT, 0, 0))
        return len(self.rows) - 1


def arrays(sketches: Sequence[Sketch | None]) -> dict[str, NDArray[Any]]:
    """Return the sketches of patterns as the kernel takes them; see native/sketch.c.

    Code points that no instruction tells apart are of one class: of one number for all sketches,
    and of another for each. Class 0 is that of the code points that are not looked at here, of
    which any may be in any set.
    """
    known = [found or Sketch((), ()) for found in sketches]
    atoms = sorted({atom for one in known for chars in one.sets for atom in chars.atoms})
    codes = _codes(atoms)
    single = {atom: char for atom in atoms if (char := _single(atom)) is not None}
    own = np.zeros(len(codes), np.int64)
    own[0] = -1
    at = {char: int(codes.searchsorted(char)) for char in single.values()}
    for number, char in enumerate(at.values(), 1):
        own[char] = number
    text = "".join(map(chr, codes[1:].tolist()))
    several = {atom: _members(atom, text) for atom in atoms if atom not in single}
    classes = _alike(list(several.values()), own)
    _, first = np.unique(classes, return_index=True)
    if len(first) > _MOST_CLASSES:
        return arrays([None] * len(known))
    inside = {atom: members[first] for atom, members in several.items()}
    for atom, char in single.items():
        inside[atom] = np.isin(np.arange(len(first)), (0, classes[at[char]]))
    runs = _runs(codes[1:], classes[1:])
    made = [_made(one, inside, len(first)) for one in known]
    rows = [row for program, *_ in made for row in program]
    return {
        "sketch_starts": np.cumsum([0, *(len(program) for program, *_ in made)], dtype=np.int32),
        "sketch_rows": np.array(rows, np.int32).ravel(),
        "sketch_sizes": np.array([size for _, size, *_ in made], np.int32).ravel(),
        "sketch_classes": _joined([own for *_, own, _ in made], np.uint16),
        "sketch_members": _joined([members for *_, members in made], np.uint8),
        "sketch_codes": runs[0].astype(np.int32),
        "sketch_code_classes": runs[1].astype(np.uint16),
    }


def _codes(atoms: Iterable[str]) -> NDArray[np.int64]:
    """Return the code points that are told apart, behind one for all others."""
    beyond = {ord(c) for atom in atoms for c in atom if ord(c) >= _ALPHABET}
    return np.array([-1, *range(_ALPHABET), *sorted(beyond)])


def _single(atom: str) -> int | None:
    """Return the code point that an expression of one character is; None for a class."""
    char = atom.removeprefix("\\")
    plain = len(char) == 1 and atom != "." and (atom == char or not char.isalnum())
    return ord(char) if plain else None


def _members(atom: str, text: str) -> NDArray[np.bool_]:
    """Return which characters of a text an expression of one character matches, behind a True.

    Raises:
        regex.error: it is none.
    """
    members = np.zeros(1 + len(text), np.bool_)
    members[0] = True
    for match in regex.compile(f"(?:{atom})+", _FLAGS).finditer(text):
        members[match.start() + 1 : match.end() + 1] = True
    return members


def _alike(sets: Sequence[NDArray[np.bool_]], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a class for each place: the same for those that all sets agree on; 0 for the first."""
    found = own
    for at in range(0, len(sets), 32):
        bits = sum(members.astype(np.int64) << n for n, members in enumerate(sets[at : at + 32]))
        _, part = np.unique(bits, return_inverse=True)
        _, found = np.unique(found * len(part) + part, return_inverse=True)
    _, found = np.unique(found, return_inverse=True)
    return (found - found[0]) % (found.max() + 1)


def _runs(
    codes: NDArray[np.int64], classes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the class of code points changes, and to which."""
    whole = np.zeros(codes.max(initial=0) + 2, np.int64)  # what is behind is not looked at
    whole[codes] = classes
    starts = np.flatnonzero(np.diff(whole, prepend=-1))
    return starts, whole[starts]


def _made(
    one: Sketch, inside: Mapping[str, NDArray[np.bool_]], classes: int
) -> tuple[list[tuple[int, int, int]], tuple[int, int], NDArray[np.int64], NDArray[np.bool_]]:
    """Return a sketch's rows, how many sets and classes it has, its classes and its sets' members.

    Args:
        one: the sketch.
        inside: shape (classes,) for each expression of a character: the classes that it matches.
        classes: how many there are of all sketches.
    """
    members = np.zeros((len(one.sets), classes), np.bool_)
    for row, chars in zip(members, one.sets, strict=True):
        for atom in chars.atoms:
            row |= inside[atom]
        row ^= chars.negated
        row[0] = True
    own = np.zeros(classes, np.int64)
    own[0] = -1
    local = _alike(list(members), own)
    _, first = np.unique(local, return_index=True)
    members = members[:, first]
    edges = np.array([[chars.edge] for chars in one.sets], np.bool_).reshape(-1, 1)
    size, last = members.sum(axis=1).tolist(), members.shape[1] - 1 - members[:, ::-1].argmax(axis=1)
    kept: dict[int, int] = {}
    rows = []
    for op, a, b in one.rows:
        if op == _SET and size[a] == _PAIR:
            rows.append((_ONE, int(last[a]), 0))
        elif op in {_SET, _BEHIND, _AHEAD}:
            rows.append((op, kept.setdefault(a, len(kept)), b))
        else:
            rows.append((op, a, b))
    found = np.concatenate([members, edges], axis=1)[list(kept)]
    return rows, (len(kept), len(first)), local, found


def _joined(parts: Sequence[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *(part.ravel() for part in parts)]).astype(dtype)
