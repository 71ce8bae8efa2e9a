"""Factors: strings of which a text must hold some for a regular expression to match in it.

A search for a thousand strings at once costs less than one search for an expression, and most
expressions need a string that most posts lack. What is not understood here needs nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Final, NamedTuple

import regex

__all__ = ["Factor", "factors"]

_MOST_EXACT: Final = 96
"""Strings that a part of an expression is written out as."""
_MOST_STRINGS: Final = 512
_LONGEST: Final = 16
_MOST_FACTORS: Final = 4
_MOST_ROUNDS: Final = 16
_USUAL: Final = 0.95
"""What stands in so many texts is not worth looking for."""
_DIGITS: Final = 0.5
"""How often a text holds a digit, about, and likewise below."""
_RARE_LETTERS: Final = "jkqvwxz"
_TEXT: Final = 60
"""Characters of a text."""
_ASCII: Final = 128
_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_NO_WIDTH: Final = "bBAZK"
_ANY: Final = "sSwWD"
_OPENING: Final = regex.compile(r"\((?:\?(?:P?<[A-Za-z_]\w*>|[:>=!]|<[=!]))?")
_LOOK: Final = ("(?=", "(?!", "(?<=", "(?<!")
_QUANTIFIER: Final = regex.compile(r"(?:[*+?]|\{(\d*)(,?)(\d*)\})[+?]?")
_CODE: Final = regex.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))")
_PROPERTY: Final = regex.compile(r"\\[pP]\{[^{}]*\}")
_SET_OPERATIONS: Final = ("--", "&&", "||", "~~")


class Factor(NamedTuple):
    """What a text must hold one of, or several."""

    strings: frozenset[str]
    digit: bool = False
    """True where a digit of any script will do as well."""
    least: int = 1
    """How many there must be."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What is known of a part of an expression."""

    exact: frozenset[str] | None
    """All that it can match; None where that is too much, or not known."""
    factors: tuple[Factor, ...] = ()
    """What a text must hold for it to match."""


class _UnknownError(Exception):
    """Something in the expression is not understood."""


_NOTHING: Final = _Part(frozenset([""]))
_SOMETHING: Final = _Part(None)
_DIGIT: Final = _Part(None, (Factor(frozenset(), digit=True),))


def factors(source: str) -> tuple[Factor, ...]:
    """Return what a text must hold for an expression to match in it: some of each factor."""
    reader = _Reader(source)
    try:
        part = reader.branches()
    except _UnknownError:
        return ()
    if reader.at < len(source):
        return ()
    found = sorted(set(_needs(part)), key=_share)
    return tuple(factor for factor in found if _share(factor) < _USUAL)[:_MOST_FACTORS]


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0

    def branches(self) -> _Part:
        """Read alternatives up to the end of their group."""
        found = [self._sequence()]
        while self._next() == "|":
            self.at += 1
            found.append(self._sequence())
        return _either(found) if len(found) > 1 else found[0]

    def _next(self) -> str:
        return self.source[self.at : self.at + 1]

    def _sequence(self) -> _Part:
        parts = []
        while self._next() not in {"", "|", ")"}:
            parts.append(self._quantified(self._piece()))
        return _joined(parts)

    def _piece(self) -> _Part:
        char = self._next()
        if char == "(":
            return self._group()
        if char == "[":
            return self._set()
        if char == "\\":
            return self._escape()
        self.at += 1
        if char in "^$":
            return _NOTHING
        if char in "*+?{}":
            raise _UnknownError
        return _SOMETHING if char == "." else _Part(frozenset([char]))

    def _group(self) -> _Part:
        opening = _OPENING.match(self.source, self.at)
        assert opening is not None
        self.at = opening.end()
        if self._next() == "?":
            raise _UnknownError
        part = self.branches()
        if self._next() != ")":
            raise _UnknownError
        self.at += 1
        return _NOTHING if opening[0] in _LOOK else part

    def _escape(self) -> _Part:
        code = _CODE.match(self.source, self.at)
        named = _PROPERTY.match(self.source, self.at)
        if code is not None:
            self.at = code.end()
            return _Part(frozenset([chr(int(code[1] or code[2], 16))]))
        if named is not None:
            self.at = named.end()
            return _SOMETHING
        char = self.source[self.at + 1 : self.at + 2]
        self.at += 2
        if char == "d":
            return _DIGIT
        if char and char in _NO_WIDTH:
            return _NOTHING
        if char and char in _ANY:
            return _SOMETHING
        char = _CONTROLS.get(char, char)
        if not char or char.isalnum() or char == "_":
            raise _UnknownError
        return _Part(frozenset([char]))

    def _set(self) -> _Part:
        self.at += 1
        negated = self._next() == "^"
        self.at += negated
        members: set[str] = set()
        digit = other = False
        if self._next() == "]":
            raise _UnknownError
        while self._next() != "]":
            if self.source[self.at : self.at + 2] in _SET_OPERATIONS or self._next() in {"", "["}:
                raise _UnknownError
            low = self._member()
            if low.exact is None:
                digit |= bool(low.factors)
                other |= not low.factors
                continue
            high = low
            if self._next() == "-" and self.source[self.at + 1 : self.at + 2] not in {"]", "-"}:
                self.at += 1
                high = self._member()
            if high.exact is None:
                raise _UnknownError
            (first,), (last,) = map(ord, low.exact), map(ord, high.exact)
            other |= last - first >= _MOST_EXACT
            members |= set(map(chr, range(first, min(last, first + _MOST_EXACT) + 1)))
        self.at += 1
        if negated or other or len(members) > _MOST_EXACT:
            return _SOMETHING
        if digit:
            return _Part(None, (Factor(frozenset(members), digit=True),))
        return _Part(frozenset(members))

    def _member(self) -> _Part:
        """Read one character of a set, or a class."""
        if self._next() != "\\":
            self.at += 1
            return _Part(frozenset([self.source[self.at - 1]]))
        part = self._escape()
        if part is _NOTHING:
            raise _UnknownError
        return part

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
        least, most = bounds
        if least:
            rounds = min(least, _MOST_ROUNDS)
            needs = (f._replace(least=f.least * rounds) for f in _needs(part))
            return part if (least, most) == (1, "1") else _Part(None, tuple(needs))
        if most == "1" and part.exact is not None:
            return _Part(part.exact | {""})
        return _SOMETHING


def _needs(part: _Part) -> tuple[Factor, ...]:
    if part.exact is None:
        return part.factors
    return () if "" in part.exact else (Factor(part.exact),)


def _either(parts: list[_Part]) -> _Part:
    """Return what is known of alternatives."""
    if all(part.exact is not None for part in parts):
        exact: frozenset[str] = frozenset().union(*(part.exact or () for part in parts))
        if len(exact) <= _MOST_STRINGS:
            return _Part(exact)
    needs = [_needs(part) for part in parts]
    if not all(needs):
        return _SOMETHING
    best = [min(found, key=_share) for found in needs]
    strings: frozenset[str] = frozenset().union(*(factor.strings for factor in best))
    if len(strings) > _MOST_STRINGS:
        return _SOMETHING
    digit, least = any(f.digit for f in best), min(f.least for f in best)
    return _Part(None, (Factor(strings, digit, least),))


def _joined(parts: list[_Part]) -> _Part:
    """Return what is known of parts that follow one another."""
    whole = True
    known: list[Factor] = []
    exact: frozenset[str] = frozenset([""])
    for part in parts:
        grown = None if part.exact is None else _product(exact, part.exact)
        if grown is None:
            whole = False
            known += _needs(_Part(exact))
            if part.exact is None:
                known += part.factors
        exact = grown or part.exact or frozenset([""])
    if whole:
        return _Part(exact)
    return _Part(None, (*known, *_needs(_Part(exact))))


def _product(one: frozenset[str], two: frozenset[str]) -> frozenset[str] | None:
    """Return every string of the first with every one of the second behind; None: too many."""
    if one == {""} or two == {""}:
        return one if two == {""} else two
    if len(one) * len(two) > _MOST_EXACT:
        return None
    if max(map(len, one)) + max(map(len, two)) > _LONGEST:
        return None
    return frozenset(a + b for a, b in product(one, two))


def _share(factor: Factor) -> float:
    """Return about how many texts hold a factor, from 0 to 1."""
    often = _DIGITS * factor.digit + sum(map(_often, factor.strings))
    return min(1.0 - math.exp(-often), often / factor.least)


def _often(string: str) -> float:
    """Return about how often a text holds a string."""
    often = float(_TEXT)
    for char in string:
        if ord(char) >= _ASCII:
            often *= 0.002
        elif char.isalpha():
            often *= 0.005 if char in _RARE_LETTERS else 0.04
        else:
            often *= {" ": 0.15, ".": 0.02, ",": 0.02}.get(char, 0.005)
    return often
