"""Outline: where the terms, patterns and references of rule files are written, for the lint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

__all__ = [
    "GroupKind",
    "Outline",
    "Place",
    "TermGroup",
    "WrittenPattern",
    "WrittenTerm",
    "WrittenTest",
]

GroupKind = Literal["list", "any", "all", "near", "across", "none", "exceptions", "require"]


class Place(NamedTuple):
    """A place in a file; line and column are 1-based."""

    path: str
    line: int
    column: int


class WrittenTerm(NamedTuple):
    """One term as it stands in a file."""

    written: str
    literal: int
    """Its index in the ruleset's table."""
    place: Place


@dataclass(frozen=True, slots=True)
class TermGroup:
    """Terms written side by side: a list, or the plain terms of one condition."""

    kind: GroupKind
    owner: str
    """Id of the rule, name of the list, or name of the cue class."""
    terms: tuple[WrittenTerm, ...]
    lists: tuple[str, ...]
    """Names of the lists named beside them."""
    place: Place


@dataclass(frozen=True, slots=True)
class WrittenPattern:
    """One regular expression as it stands in a file."""

    owner: str
    source: str
    require: frozenset[int]
    place: Place


class WrittenTest(NamedTuple):
    """One test as it stands in a file."""

    owner: str
    kind: str
    """hit, pass, evasion or explain."""
    text: str
    place: Place


@dataclass(slots=True)
class Outline:
    """Filled while files are compiled, where somebody asks for it: loading rules does not.

    Attributes:
        groups: every group of terms, in the order of compilation.
        patterns: every regular expression.
        tests: every test.
        lists: place of every list, by file ("" for shared lists) and name.
        used_lists: the keys of `lists` that a condition, an exception or another list names.
        used_blocks: ids of the private rules that a rule names.
    """

    groups: list[TermGroup] = field(default_factory=list)
    patterns: list[WrittenPattern] = field(default_factory=list)
    tests: list[WrittenTest] = field(default_factory=list)
    lists: dict[tuple[str, str], Place] = field(default_factory=dict)
    used_lists: set[tuple[str, str]] = field(default_factory=set)
    used_blocks: set[str] = field(default_factory=set)
