"""Stored: compiled rules as plain numbers and strings, and back."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec

from moderation.rules import cache
from moderation.rules.automaton import Automaton
from moderation.rules.compile import CompiledRules, load_ordinary
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
from moderation.rules.screen import Screen
from moderation.text import load_table
from moderation.text.shape import load_shapes
from moderation.text.sound import load_sound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from moderation.text import FoldTable
    from moderation.text.ordinary import Ordinary

__all__ = [
    "load_automata",
    "load_rules",
    "load_screen",
    "store_automata",
    "store_rules",
    "store_screen",
]


class _StoredRule(msgspec.Struct, frozen=True, array_like=True):
    """A rule with its condition as nested lists, and its clauses."""

    fields: dict[str, Any]
    languages: tuple[str, ...]
    views: tuple[str, ...]
    condition: list[Any]
    exceptions: list[int]
    literals: list[int]
    tests: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    enabled_from: date | None
    enabled_until: date | None
    allow: list[str]
    clauses: list[list[list[int]]]


class _StoredRules(msgspec.Struct, frozen=True, array_like=True):
    """Everything that compiling reads out of YAML files."""

    rules: list[_StoredRule]
    private: list[_StoredRule]
    cues: dict[str, list[Any]]
    literals: list[tuple[str, tuple[str, ...], int]]
    """Base view, compact forms, and open edges: 1 left, 2 right."""


_Automata = dict[str, dict[str, cache.StoredArray]]
_PLAIN = (
    "id", "title", "policy", "sub_label", "stance", "level", "path", "line", "column", "severity",
    "private", "has_pattern",
)  # fmt: skip
"""Fields of a rule that are stored as they are."""


def store_rules(compiled: CompiledRules) -> None:
    """Keep compiled rules for the next process."""
    stored = _StoredRules(
        [
            _stored_rule(rule, clauses)
            for rule, clauses in zip(compiled.rules, compiled.clauses, strict=True)
        ],
        [_stored_rule(rule, ()) for rule in compiled.private],
        {name: _written(condition) for name, condition in compiled.cues.items()},
        [(lit.base, lit.compact, lit.left_open | lit.right_open << 1) for lit in compiled.literals],
    )
    with suppress(UnicodeEncodeError):  # a lone surrogate in a title or a test is not stored
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
    literals = tuple(
        Literal(base, compact, bool(edges & 1), bool(edges & 2))
        for base, compact, edges in stored.literals
    )
    return CompiledRules(
        tuple(map(_rule, stored.rules)),
        {name: _read(condition) for name, condition in stored.cues.items()},
        literals,
        tuple(
            tuple(tuple(map(frozenset, clause)) for clause in rule.clauses) for rule in stored.rules
        ),
        load_table(folder),
        load_sound(folder),
        load_shapes(folder),
        load_ordinary(folder),
        digest,
        len(literals),
        tuple(map(_rule, stored.private)),
    )


def store_automata(automata: Mapping[str, Automaton], digest: str) -> None:
    """Keep automata for the next process."""
    stored = {name: cache.pack(automaton.arrays) for name, automaton in automata.items()}
    cache.store("automata", digest, msgspec.msgpack.encode(stored))


def load_automata(digest: str, table: FoldTable, ordinary: Ordinary) -> dict[str, Automaton] | None:
    """Return the automata that were built for rules of this digest; None: build them."""
    data = cache.load("automata", digest)
    if data is None:
        return None
    try:
        stored = msgspec.msgpack.decode(data, type=_Automata)
    except msgspec.MsgspecError:
        return None
    return {
        name: Automaton.restored(name, cache.unpack(arrays), table, ordinary)
        for name, arrays in stored.items()
    }


def store_screen(screen: Screen, digest: str) -> None:
    """Keep a screen for the next process."""
    cache.store("screen", digest, msgspec.msgpack.encode(cache.pack(screen.arrays)))


def load_screen(digest: str, automata: Mapping[str, Automaton]) -> Screen | None:
    """Return the screen that was made for rules of this digest; None: make it."""
    data = cache.load("screen", digest)
    if data is None:
        return None
    try:
        stored = msgspec.msgpack.decode(data, type=dict[str, cache.StoredArray])
    except msgspec.MsgspecError:
        return None
    return Screen.restored(cache.unpack(stored), automata)


def _stored_rule(rule: Rule, clauses: tuple[tuple[frozenset[int], ...], ...]) -> _StoredRule:
    tests = rule.tests
    return _StoredRule(
        {name: getattr(rule, name) for name in _PLAIN},
        rule.languages,
        rule.views,
        _written(rule.condition),
        list(rule.exceptions),
        list(rule.literals),
        (tests.hit, tests.passes, tests.evasion, tests.explain),
        rule.enabled_from,
        rule.enabled_until,
        sorted(rule.allow),
        [[list(group) for group in clause] for clause in clauses],
    )


def _rule(stored: _StoredRule) -> Rule:
    return Rule(
        **stored.fields,
        languages=stored.languages,
        views=stored.views,
        condition=_read(stored.condition),
        exceptions=frozenset(stored.exceptions),
        literals=frozenset(stored.literals),
        tests=RuleTests(*stored.tests),
        enabled_from=stored.enabled_from,
        enabled_until=stored.enabled_until,
        allow=frozenset(stored.allow),
    )


def _written(condition: Condition) -> list[Any]:
    """Return a condition as nested lists: its kind, and what it is made of."""
    kind = type(condition).__name__
    match condition:
        case Terms(literals):
            return [kind, list(literals)]
        case Pattern(source=source, require=require):
            return [kind, source, list(require)]
        case Cue(name):
            return [kind, name]
        case Near(items, within):
            return [kind, list(map(_written, items)), within]
        case InField(item, names):
            return [kind, _written(item), sorted(names)]
        case AnyOf(items) | AllOf(items) | NoneOf(items) | Across(items):
            return [kind, list(map(_written, items))]


def _read(written: list[Any]) -> Condition:
    match written:
        case ["Terms", literals]:
            return Terms(frozenset(literals))
        case ["Pattern", source, require]:
            return Pattern(source, Expression(source), frozenset(require))
        case ["Cue", name]:
            return Cue(name)
        case ["Near", items, within]:
            return Near(tuple(map(_read, items)), within)
        case ["InField", item, names]:
            return InField(_read(item), frozenset(names))
        case ["AnyOf", items]:
            return AnyOf(tuple(map(_read, items)))
        case ["AllOf", items]:
            return AllOf(tuple(map(_read, items)))
        case ["NoneOf", items]:
            return NoneOf(tuple(map(_read, items)))
        case ["Across", items]:
            return Across(tuple(map(_read, items)))
    raise ValueError(f"no condition is written so: {written[:1]}")
