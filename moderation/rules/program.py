"""Program: the conditions of all rules as plain numbers, for the native kernel to evaluate.

What each number means, native/conditions.h says. `moderation.rules.evaluate` is the reference.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from moderation.rules.conditions import (
    LEVELS,
    WHOLE_TEXT,
    Across,
    AllOf,
    AnyOf,
    Condition,
    Cue,
    InField,
    Near,
    NoneOf,
    Pattern,
    Terms,
)
from moderation.rules.evaluate import (
    FRAIL_CUES,
    OFFER_CUES,
    RARE_CUES,
    REMARKS,
    SECOND_CUES,
    STANCE_CUES,
)
from moderation.rules.marks import view_bit
from moderation.text.native import kernel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from moderation.rules.compiled import CompiledRules
    from moderation.rules.conditions import Rule
    from moderation.text.fields import FieldSpans

__all__ = ["Program", "context_rules", "written_out"]

_TERMS, _PATTERN, _CUE, _ANY, _ALL, _NONE, _NEAR, _INSIDE, _ACROSS = range(9)
_IN_BASE, _IN_BOLD, _HAS_PATTERN, _IS_REMARK = 1, 2, 4, 8
_NOTHING: Final = -1
_CUE_LISTS: Final = (SECOND_CUES, FRAIL_CUES, RARE_CUES, STANCE_CUES, OFFER_CUES)
_ARRAYS: Final = (
    "nodes", "children", "set_starts", "sets", "needs", "rules", "cue_nodes", "name_starts",
    "field_names", "context_starts", "contexts", "written_starts", "written", "list_starts",
    "lists",
)  # fmt: skip
"""In the order in which the kernel takes them."""
_SKETCHES: Final = (
    "sketch_starts", "sketch_rows", "sketch_sizes", "sketch_classes", "sketch_members",
    "sketch_codes", "sketch_code_classes",
)  # fmt: skip
"""Likewise."""
_Names = tuple[list[str], dict[str, int]]
"""Every regular expression, by number, and the numbers of fields."""


class Program:
    """The conditions of a ruleset, ready to be evaluated on one post after another.

    Attributes:
        native: what the kernel takes it as.
        patterns: every regular expression, by the number that the kernel asks for it by.
        cues: the cue classes, by number.
        rules: every rule, by number.
    """

    def __init__(
        self, compiled: CompiledRules, arrays: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        """Take rules that are written out as numbers.

        Args:
            compiled: the rules.
            arrays: what `written_out` returned for them; None: they are written out now.

        Raises:
            ValueError: the arrays are not those of the rules.
            KeyError: an array is missing.
        """
        arrays = written_out(compiled) if arrays is None else arrays
        sources: list[str]
        self._fields: dict[str, int]
        sources, self._fields = msgspec.msgpack.decode(arrays["names"].tobytes(), type=_Names)
        known = {p.source: p for condition in _conditions(compiled) for p in _patterns(condition)}
        self.patterns = tuple(known[source] for source in sources)
        self.cues = tuple(compiled.cues)
        self.rules = compiled.rules
        self.native = kernel.program(
            len(compiled.literals),
            len(self.patterns),
            self._fields.get(WHOLE_TEXT, _NOTHING),
            len(LEVELS) - 1,
            kernel.sketches(*(arrays[name] for name in _SKETCHES)),
            *(arrays[name] for name in _ARRAYS),
        )

    def fields(self, spans: FieldSpans | None) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return where the fields of each post begin, and name, start and end of each."""
        if spans is None:
            return np.zeros(0, np.int64), np.zeros(0, np.int32)
        names = np.array([self._fields.get(n, _NOTHING) for n in (*spans.names, "")], np.int32)
        rows = np.stack([names[spans.name], spans.start, spans.end], axis=1).astype(np.int32)
        return spans.offsets, rows


def context_rules(compiled: CompiledRules) -> list[list[int]]:
    """Return for each literal the numbers of the context rules that it may be part of, ascending.

    One literal of a clause's smallest group is in every post in which the clause can hold.
    """
    found: list[list[int]] = [[] for _ in compiled.literals]
    for number, (rule, clauses) in enumerate(zip(compiled.rules, compiled.clauses, strict=True)):
        if rule.is_context:
            for literal in {lit for groups in clauses for lit in min(groups, key=len)}:
                found[literal].append(number)
    return found


def written_out(compiled: CompiledRules) -> dict[str, NDArray[Any]]:
    """Return the conditions of rules as numbers: what a Program is made of."""
    writer = _Writer({name: number for number, name in enumerate(compiled.cues)})
    cues = [writer.condition(condition) for condition in compiled.cues.values()]
    rules = [number for rule in compiled.rules for number in writer.rule(rule)]
    from moderation.rules.sketch import sketch
    from moderation.rules.sketch_arrays import sketch_arrays

    made: tuple[NDArray[Any], ...] = (
        *map(_numbers, (writer.nodes, writer.children)),
        *_rows(sorted(literals) for literals in writer.sets),
        *map(_numbers, (writer.needs, rules, cues)),
        *_rows(writer.names),
        *_rows(context_rules(compiled)),
        *_rows([ord(c) for c in literal.base] for literal in compiled.literals),
        *_rows([writer.cues[n] for n in names if n in writer.cues] for names in _CUE_LISTS),
    )
    names = msgspec.msgpack.encode((list(writer.patterns), writer.fields))
    return {
        **dict(zip(_ARRAYS, made, strict=True)),
        "names": np.frombuffer(names, np.uint8),
        **sketch_arrays([sketch(source) for source in writer.patterns]),
    }


def _conditions(compiled: CompiledRules) -> Iterator[Condition]:
    yield from compiled.cues.values()
    for rule in compiled.rules:
        yield rule.condition


def _patterns(condition: Condition) -> Iterator[Pattern]:
    """Yield the regular expressions within a condition."""
    match condition:
        case Pattern():
            yield condition
        case InField(item):
            yield from _patterns(item)
        case Terms() | Cue():
            pass
        case AnyOf(items) | AllOf(items) | NoneOf(items) | Near(items) | Across(items):
            for item in items:
                yield from _patterns(item)


class _Writer:
    """Lays conditions out; what a condition is made of comes before it."""

    def __init__(self, cues: dict[str, int]) -> None:
        self.cues = cues
        self.patterns: dict[str, int] = {}
        self.nodes: list[int] = []
        self.children: list[int] = []
        self.sets: dict[frozenset[int], int] = {}
        self.needs: list[int] = []
        self.fields: dict[str, int] = {}
        self.policies: dict[str, int] = {}
        self.names: list[list[int]] = []

    def rule(self, rule: Rule) -> tuple[int, ...]:
        """Return the numbers of a rule."""
        flags = _IN_BASE * ("base" in rule.views)
        flags |= _IN_BOLD * (rule.views != ("base",)) | _HAS_PATTERN * rule.has_pattern
        flags |= _IS_REMARK * (rule.stance in REMARKS)
        return (
            self.condition(rule.condition),
            self._set(rule.exceptions) if rule.exceptions else _NOTHING,
            self._set(rule.literals),
            sum(map(view_bit, rule.views)),
            flags,
            _NOTHING if rule.level is None else LEVELS.index(rule.level),
            self.policies.setdefault(rule.policy, len(self.policies)),
        )

    def condition(self, condition: Condition) -> int:
        """Add a condition and return its number."""
        row = self._row(condition)
        needs = getattr(condition, "needs", ())
        self.nodes += [*row, len(self.needs), len(needs)]
        self.needs += map(self._set, needs)
        return len(self.nodes) // 6 - 1

    def _row(self, condition: Condition) -> tuple[int, int, int, int]:
        match condition:
            case Terms(literals):
                return _TERMS, self._set(literals), 0, 0
            case Pattern(source=source, require=require):
                number = self.patterns.setdefault(source, len(self.patterns))
                return _PATTERN, number, self._set(require) if require else _NOTHING, 0
            case Cue(name):
                return _CUE, self.cues[name], 0, 0
            case AnyOf(items):
                return _ANY, *self._items(items), 0
            case AllOf(items):
                return _ALL, *self._items(items), 0
            case NoneOf(items):
                return _NONE, *self._items(items), 0
            case Near(items, within):
                return _NEAR, *self._items(items), within
            case Across(items):
                return _ACROSS, *self._items(items), 0
            case InField(item, names):
                where = self._items((item,))
                self.names.append([self.fields.setdefault(n, len(self.fields)) for n in names])
                return _INSIDE, *where, len(self.names) - 1

    def _items(self, items: Sequence[Condition]) -> tuple[int, int]:
        numbers = [self.condition(item) for item in items]
        self.children += numbers
        return len(self.children) - len(numbers), len(numbers)

    def _set(self, literals: frozenset[int]) -> int:
        return self.sets.setdefault(literals, len(self.sets))


def _numbers(numbers: Iterable[int]) -> NDArray[np.int32]:
    return np.array(list(numbers), np.int32)


def _rows(rows: Iterable[Sequence[int]]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return where each row begins, and the numbers of all of them."""
    rows = list(rows)
    starts = _numbers(accumulate(map(len, rows), initial=0))
    return starts, np.fromiter((n for row in rows for n in row), np.int32, int(starts[-1]))
