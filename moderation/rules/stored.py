"""Stored: compiled rules as plain numbers and strings, and back, as far as they are asked for."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from moderation.rules import cache
from moderation.rules.automaton import Automaton
from moderation.rules.compiled import CompiledRules, load_ordinary
from moderation.rules.conditions import (
    Across,
    AllOf,
    AnyOf,
    Condition,
    Cue,
    Expression,
    InField,
    Literal,
    Near,
    NoneOf,
    Pattern,
    Rule,
    RuleTests,
    Terms,
)
from moderation.rules.known import KnownWords, meanings_of
from moderation.rules.lookout import Lookout
from moderation.rules.program import Program
from moderation.rules.screen import Screen
from moderation.rules.start import Start
from moderation.text import VIEWS, load_table
from moderation.text.native import kernel
from moderation.text.shape import load_shapes
from moderation.text.sound import load_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.rules.clauses import Clause

__all__ = [
    "load_owners",
    "load_program",
    "load_rules",
    "load_start",
    "store_owners",
    "store_program",
    "store_rules",
    "store_start",
]


class _StoredRule(msgspec.Struct, frozen=True, array_like=True):
    """A rule with its condition as nested lists, and its clauses; sets of literals by number."""

    fields: dict[str, Any]
    languages: tuple[str, ...]
    views: tuple[str, ...]
    condition: list[Any]
    exceptions: int
    literals: int
    tests: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    enabled_from: date | None
    enabled_until: date | None
    allow: frozenset[str]
    clauses: list[list[int]]


class _Written(msgspec.Struct, frozen=True, array_like=True):
    """Everything that compiling reads out of YAML files."""

    sets: list[frozenset[int]]
    rules: list[_StoredRule]
    private: list[_StoredRule]
    cues: dict[str, list[Any]]
    literals: tuple[Literal, ...]
    words: frozenset[str]
    outlines: frozenset[str]


class _StoredRules(msgspec.Struct, frozen=True, array_like=True):
    """What is asked of rules before any is looked at, and the rest, still encoded."""

    terms: int
    dated: list[tuple[str, date | None, date | None]]
    """Rules that do not count on every day: id, first day, first day no more."""
    moved: list[tuple[int, int]]
    """Characters and the look-alike that stands for each, where that is another."""
    written: msgspec.Raw


_PLAIN = (
    "id", "title", "policy", "sub_label", "stance", "level", "path", "line", "column", "severity",
    "private", "has_pattern",
)  # fmt: skip
"""Fields of a rule that are stored as they are."""


class _KeptRules(CompiledRules):
    """Compiled rules whose conditions and literals are read when they are first asked for."""

    def __init__(self, folder: Path, digest: str, stored: _StoredRules) -> None:
        shapes = load_shapes(folder)
        if shapes is not None:
            shapes = shapes.knowing(np.array(stored.moved, np.int64).reshape(-1, 2))
        tables = {
            "table": load_table(folder),
            "sound": load_sound(folder),
            "shapes": shapes,
            "ordinary": load_ordinary(folder),
        }
        self.__dict__.update(tables, digest=digest, terms=stored.terms, _stored=stored)

    @cached_property
    def _written(self) -> _Written:
        stored: _StoredRules = self.__dict__["_stored"]
        return msgspec.msgpack.decode(stored.written, type=_Written)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, context rules last."""
        return tuple(_rule(rule, self._written.sets) for rule in self._written.rules)

    @cached_property
    def private(self) -> tuple[Rule, ...]:
        """The building blocks of other rules."""
        return tuple(_rule(rule, self._written.sets) for rule in self._written.private)

    @cached_property
    def cues(self) -> dict[str, Condition]:
        """The condition of each cue class."""
        return {name: _read(x, self._written.sets) for name, x in self._written.cues.items()}

    @cached_property
    def literals(self) -> tuple[Literal, ...]:
        """Every literal, by number."""
        return self._written.literals

    @cached_property
    def clauses(self) -> tuple[tuple[Clause, ...], ...]:
        """For each rule, alternatives of which a post where the rule holds meets one."""
        sets = self._written.sets
        return tuple(
            tuple(tuple(sets[n] for n in clause) for clause in rule.clauses)
            for rule in self._written.rules
        )

    def known(self) -> KnownWords:
        """Return the Latin words of the rules."""
        return KnownWords(self._written.words, self.ordinary, self._written.outlines)

    def disabled_on(self, day: date) -> tuple[str, ...]:
        """Return the ids of the rules that do not count on a day."""
        stored: _StoredRules = self.__dict__["_stored"]
        if all((a is None or a <= day) and (b is None or day < b) for _, a, b in stored.dated):
            return ()
        return super().disabled_on(day)


def store_rules(compiled: CompiledRules) -> None:
    """Keep compiled rules for the next process."""
    sets: dict[frozenset[int], int] = {}
    rules = [
        _stored_rule(rule, clauses, sets)
        for rule, clauses in zip(compiled.rules, compiled.clauses, strict=True)
    ]
    private = [_stored_rule(rule, (), sets) for rule in compiled.private]
    cues = {name: _written(condition, sets) for name, condition in compiled.cues.items()}
    known = compiled.known()
    written = _Written(
        list(sets), rules, private, cues, compiled.literals, known.words, known.outlines
    )
    with suppress(UnicodeEncodeError):  # a lone surrogate in a title or a test is not stored
        stored = _StoredRules(
            compiled.terms,
            [
                (rule.id, rule.enabled_from, rule.enabled_until)
                for rule in compiled.rules
                if rule.enabled_from is not None or rule.enabled_until is not None
            ],
            [] if compiled.shapes is None else compiled.shapes.moved().tolist(),
            msgspec.Raw(msgspec.msgpack.encode(written)),
        )
        cache.store("rules", compiled.digest, msgspec.msgpack.encode(stored))


def load_rules(folder: Path, digest: str) -> CompiledRules | None:
    """Return the rules that were compiled from a folder of this digest; None: compile them."""
    data = cache.load("rules", digest)
    if data is None:
        return None
    try:
        stored = msgspec.msgpack.decode(data, type=_StoredRules)
    except msgspec.MsgspecError:
        return None
    return _KeptRules(folder, digest, stored)


def store_start(start: Start, compiled: CompiledRules) -> None:
    """Keep what noticing posts begins with for the next process."""
    arrays: dict[str, NDArray[Any]] = {
        "rules": start.clause_rules,
        "outlines": start.meanings.outlines,
        "words": start.meanings.words,
        **{f"screen.{name}": array for name, array in start.screen.arrays.items()},
    }
    for view, automaton in start.automata.items():
        arrays |= {f"{view}.{name}": array for name, array in automaton.patterns.items()}
    if start.lookout is not None:
        arrays |= {f"sieve.{name}": array for name, array in start.lookout.sieves.items()}
    cache.store_arrays("start", compiled.digest, arrays)
    store_owners({n: automaton.owners for n, automaton in start.automata.items()}, compiled.digest)


def load_start(
    compiled: CompiledRules, owners: Callable[[str], dict[str, NDArray[Any]]]
) -> Start | None:
    """Return what was made for noticing posts by these rules; None: make it.

    Args:
        compiled: the rules.
        owners: returns the owners of a view's patterns.
    """
    arrays = cache.load_arrays("start", compiled.digest)
    if arrays is None:
        return None
    parts: dict[str, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        part, _, own = name.partition(".")
        parts.setdefault(part, {})[own] = array
    try:
        automata: dict[str, Automaton] = {
            view: Automaton.restored(
                view, parts[view], partial(owners, view), compiled.table, compiled.ordinary
            )
            for view in VIEWS
            if view in parts
        }
        screen = Screen.restored(parts["screen"], automata)
        lookout = None
        if kernel is not None:
            lookout = Lookout(compiled, automata, screen, parts["sieve"])
        meanings = meanings_of(arrays["outlines"], arrays["words"], compiled.ordinary)
        return Start(automata, screen, lookout, arrays["rules"], meanings)
    except (KeyError, ValueError):
        return None


def store_owners(owners: Mapping[str, Mapping[str, NDArray[Any]]], digest: str) -> None:
    """Keep the owners of the patterns of every view for the next process."""
    arrays = {f"{view}.{name}": a for view, found in owners.items() for name, a in found.items()}
    cache.store_arrays("owners", digest, arrays)


def load_owners(digest: str) -> dict[str, dict[str, NDArray[Any]]] | None:
    """Return the owners of the patterns of every view; None: gather them."""
    arrays = cache.load_arrays("owners", digest)
    if arrays is None:
        return None
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        view, _, own = name.partition(".")
        found.setdefault(view, {})[own] = array
    return found


def store_program(arrays: Mapping[str, NDArray[Any]], digest: str) -> None:
    """Keep conditions that are written out as numbers for the next process."""
    cache.store_arrays("program", digest, arrays)


def load_program(compiled: CompiledRules) -> Program | None:
    """Return the program of these rules; None: write it out."""
    arrays = cache.load_arrays("program", compiled.digest)
    if arrays is None:
        return None
    try:
        return Program(compiled, arrays)
    except (KeyError, ValueError):
        return None


def _stored_rule(
    rule: Rule, clauses: tuple[Clause, ...], sets: dict[frozenset[int], int]
) -> _StoredRule:
    tests = rule.tests
    return _StoredRule(
        {name: getattr(rule, name) for name in _PLAIN},
        rule.languages,
        rule.views,
        _written(rule.condition, sets),
        _number(rule.exceptions, sets),
        _number(rule.literals, sets),
        (tests.hit, tests.passes, tests.evasion, tests.explain),
        rule.enabled_from,
        rule.enabled_until,
        rule.allow,
        [[_number(group, sets) for group in clause] for clause in clauses],
    )


def _rule(stored: _StoredRule, sets: list[frozenset[int]]) -> Rule:
    return Rule(
        **stored.fields,
        languages=stored.languages,
        views=stored.views,
        condition=_read(stored.condition, sets),
        exceptions=sets[stored.exceptions],
        literals=sets[stored.literals],
        tests=RuleTests(*stored.tests),
        enabled_from=stored.enabled_from,
        enabled_until=stored.enabled_until,
        allow=stored.allow,
    )


def _number(literals: frozenset[int], sets: dict[frozenset[int], int]) -> int:
    return sets.setdefault(literals, len(sets))


def _written(condition: Condition, sets: dict[frozenset[int], int]) -> list[Any]:
    """Return a condition as nested lists: its kind, and what it is made of."""
    kind = type(condition).__name__
    match condition:
        case Terms(literals):
            return [kind, _number(literals, sets)]
        case Pattern(source=source, require=require):
            return [kind, source, _number(require, sets)]
        case Cue(name):
            return [kind, name]
        case Near(items, within):
            return [kind, [_written(item, sets) for item in items], within]
        case InField(item, names):
            return [kind, _written(item, sets), sorted(names)]
        case AnyOf(items) | AllOf(items) | NoneOf(items) | Across(items):
            return [kind, [_written(item, sets) for item in items]]


def _read(written: list[Any], sets: list[frozenset[int]]) -> Condition:
    kind, first = written[:2]
    if kind == "Terms":
        return Terms(sets[first])
    if kind == "Pattern":
        return Pattern(first, Expression(first), sets[written[2]])
    if kind == "Cue":
        return Cue(first)
    if kind == "InField":
        return InField(_read(first, sets), frozenset(written[2]))
    items = tuple([_read(item, sets) for item in first])
    if kind == "Near":
        return Near(items, written[2])
    return _OF_ITEMS[kind](items)


_OF_ITEMS: dict[str, Callable[[tuple[Condition, ...]], Condition]] = {
    "AnyOf": AnyOf, "AllOf": AllOf, "NoneOf": NoneOf, "Across": Across,
}  # fmt: skip
