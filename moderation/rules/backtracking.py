"""Backtracking: which regular expressions take too long, by their shape and by the clock."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["LONGEST_MS", "shape_problem", "slowest"]

LONGEST_MS: Final = 20.0
"""Milliseconds a pattern may take on one adversarial post: a fifth of what a scan gives it."""
_LENGTH: Final = 1024
"""Code points of an adversarial post: one window of a long one."""
_HITS: Final = 16
"""Matches after which a rule looks no further."""
_GIVE_UP_MS: Final = 200
_RUNS: Final = 5
"""Runs of a pattern that comes near the limit."""
_LARGE: Final = 30
"""Repeats from which a bounded quantifier backtracks like one without a bound."""
_PROBE: Final = "aZz09_ \n.,-+@#$:/'中文彩é🎲"
_MAX_PIECES: Final = 12
_QUANTIFIER: Final = regex.compile(r"([*+?]|\{\d*,?\d*\})([+?]?)")
_GROUP: Final = regex.compile(r"\(\?(?:P?<[A-Za-z_]\w*>|[a-zA-Z-]*:|[=!>|]|<[=!])|\((?!\?)")
_ATOM: Final = regex.compile(r"\\[pPN]\{[^}]*\}|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", regex.S)


@dataclass(slots=True)
class _Piece:
    """A part of an expression: an atom, or a group of branches, with its quantifier."""

    text: str
    """The atom as written; empty for a group."""
    branches: list[list[_Piece]]
    low: int = 1
    high: float = 1
    gives_back: bool = True
    """False for possessive quantifiers and atomic groups: they never backtrack."""

    @property
    def unbounded(self) -> bool:
        return self.high >= _LARGE and self.gives_back

    def first(self, alphabet: str) -> frozenset[str]:
        """Return the characters of an alphabet that the piece may begin with."""
        if not self.branches:
            return _matches(self.text, alphabet)
        found: frozenset[str] = frozenset()
        for branch in self.branches:
            for piece in branch:
                found |= piece.first(alphabet)
                if piece.low:
                    break
        return found


def _matches(atom: str, alphabet: str) -> frozenset[str]:
    try:
        compiled = regex.compile(atom, regex.V1)
    except regex.error:
        return frozenset()
    return frozenset(c for c in alphabet if compiled.fullmatch(c))


class _Parser:
    """Reads as much of the language as the check of shapes asks for."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0

    def branches(self) -> list[list[_Piece]]:
        out: list[list[_Piece]] = [[]]
        while self.at < len(self.source) and self.source[self.at] != ")":
            if self.source[self.at] == "|":
                self.at += 1
                out.append([])
            else:
                out[-1].append(self._quantified(self._piece()))
        return out

    def _piece(self) -> _Piece:
        group = _GROUP.match(self.source, self.at)
        if group is not None:
            self.at = group.end()
            piece = _Piece("", self.branches(), gives_back=group[0] != "(?>")
            self.at += 1
            if group[0] in {"(?=", "(?!", "(?<=", "(?<!"}:
                piece.low = 0  # takes nothing, so it separates nothing
            return piece
        if self.source[self.at] == "[":
            return self._class()
        atom = _ATOM.match(self.source, self.at)
        assert atom is not None
        self.at = atom.end()
        return _Piece(atom[0], [], low=int(atom[0] not in {"^", "$", r"\b", r"\B"}))

    def _class(self) -> _Piece:
        start, depth = self.at, 0
        while self.at < len(self.source):
            char = self.source[self.at]
            self.at += 2 if char == "\\" else 1
            if char == "[":
                depth += 1
                self.at += self.source[self.at : self.at + 1] == "^"
                self.at += self.source[self.at : self.at + 1] == "]"
            elif char == "]":
                depth -= 1
                if not depth:
                    break
        return _Piece(self.source[start : self.at], [])

    def _quantified(self, piece: _Piece) -> _Piece:
        found = _QUANTIFIER.match(self.source, self.at)
        if found is None:
            return piece
        self.at = found.end()
        sign, suffix = found.groups()
        if sign in "*+?":
            low, high = {"*": (0, float("inf")), "+": (1, float("inf")), "?": (0, 1.0)}[sign]
        else:
            first, comma, last = sign[1:-1].partition(",")
            low = int(first or 0)
            high = float(last) if last else (float("inf") if comma else float(low))
        piece.low = min(piece.low, low) if piece.low == 0 else low
        piece.high = high
        piece.gives_back = piece.gives_back and suffix != "+"
        return piece


def shape_problem(source: str) -> str | None:
    """Say what in an expression's shape makes it backtrack without end; None: nothing was found.

    Two shapes are looked for: an unbounded quantifier inside another one with nothing between two
    rounds that the inner one could not take as well, as in `(?:a+b?)+`; and a repeated choice
    of which one branch may take what the other one begins with, as in `(?:ab|[ac])*`.
    """
    parser = _Parser(source)
    alphabet = _PROBE + "".join(sorted(set(source)))
    for branch in parser.branches():
        for piece in branch:
            problem = _problem(piece, alphabet)
            if problem is not None:
                return problem
    return None


def _problem(piece: _Piece, alphabet: str) -> str | None:
    if piece.unbounded and piece.branches:
        for branch in piece.branches:
            for number, inner in enumerate(branch):
                if inner.unbounded and not _separated(branch, number, alphabet):
                    return "an unbounded quantifier inside another"
        for one, two in itertools.combinations(piece.branches, 2):
            if _alike(one, two, alphabet):
                return "a repeated choice between branches that may take the same text"
    for branch in piece.branches:
        for inner in branch:
            problem = _problem(inner, alphabet)
            if problem is not None:
                return problem
    return None


def _separated(branch: Sequence[_Piece], number: int, alphabet: str) -> bool:
    """Say whether something between two rounds of a piece cannot be part of the piece."""
    taken = branch[number].first(alphabet)
    others = (p for n, p in enumerate(branch) if n != number and p.low)
    return any(not p.first(alphabet) & taken for p in others)


def _alike(one: Sequence[_Piece], two: Sequence[_Piece], alphabet: str) -> bool:
    """Say whether one branch may take what the other one begins with."""
    for a, b in itertools.zip_longest(one, two):
        if a is None or b is None:
            return True
        if not a.first(alphabet) & b.first(alphabet):
            return False
        if any(piece.branches or (piece.low, piece.high) != (1, 1) for piece in (a, b)):
            return True
    return True


def slowest(source: str, required: Sequence[str]) -> float:
    """Return the longest time in milliseconds that an expression takes on adversarial posts.

    The posts are of one window's length, made of the expression's own pieces and the literals it
    requires, over and over. It is processor time of this thread, which other work on the machine
    lengthens too: the best of several runs counts.

    Args:
        source: the expression.
        required: folded literals of which one stands in every post it is tried on.
    """
    compiled = regex.compile(source, regex.V1 | regex.UNICODE)
    worst = 0.0
    for post in _posts(source, required):
        taken = _time(compiled, post)
        if taken > worst:
            runs = _RUNS if taken > LONGEST_MS / 2 else 2
            worst = max(worst, min(taken, *(_time(compiled, post) for _ in range(runs - 1))))
        if worst >= _GIVE_UP_MS:
            break
    return worst


def _time(compiled: regex.Pattern[str], post: str) -> float:
    start = time.thread_time()
    try:
        for _ in itertools.islice(compiled.finditer(post, timeout=_GIVE_UP_MS / 1000), _HITS):
            pass
    except TimeoutError:
        return float(_GIVE_UP_MS)
    return (time.thread_time() - start) * 1000


def _posts(source: str, required: Sequence[str]) -> Iterator[str]:
    pieces = list(itertools.islice(_literal_runs(source, required), _MAX_PIECES))
    for piece in pieces:
        yield _filled(piece)
        yield _filled(f"{piece} ")
        yield f"{pieces[0]}{_filled(piece)}\n!"
    yield _filled(" ".join(pieces) + " ")
    for filler in ("a", "1", " ", "中", "a ", "1 ", "aa1-", "\n"):
        yield f"{_filled(filler)}!"
        if pieces:  # some patterns are only tried where their last word stands
            yield f"{pieces[0]}{_filled(filler)}\n {pieces[-1]}"


def _literal_runs(source: str, required: Sequence[str]) -> Iterator[str]:
    """Yield what the expression itself and its required literals are made of, once each."""
    seen: set[str] = set()
    plain = regex.sub(r"\\[bBsSdDwWpP](?:\{[^}]*\})?|\{[\d,]*\}|\(\?[^:=!>)]*[:=!>]", "|", source)
    for run in (*required[:4], *regex.findall(r"[\p{L}\p{N} '-]{1,24}", plain)):
        if run.strip() and run not in seen:
            seen.add(run)
            yield run


def _filled(piece: str) -> str:
    return (piece * (_LENGTH // len(piece) + 1))[:_LENGTH]
