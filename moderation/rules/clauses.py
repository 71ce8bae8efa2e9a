"""Clauses: what must be in a post for a condition to hold, so that a screen can look for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moderation.rules.conditions import (
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

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Clause", "clauses", "cost", "has_pattern", "literals_of", "positive_literals"]

MAX_CLAUSES: Final = 32

Clause = tuple[frozenset[int], ...]
"""Sets of literals, one of each of which must be in a post."""


def cost(condition: Condition) -> int:
    """Return a rank by which the items of `all` are tried: what is cheap to refute first."""
    match condition:
        case Terms():
            return 0
        case Pattern(require=require):
            return 2 if require else 4
        case Cue():
            return 3
        case AnyOf(items) | AllOf(items) | Near(items) | Across(items):
            return max(cost(item) for item in items)
        case InField(item):
            return cost(item)
        case NoneOf(items):
            return 1 if all(isinstance(item, Terms) for item in items) else 5


def clauses(condition: Condition) -> tuple[Clause, ...]:
    """Return alternatives, one of which is met by every post where the condition holds.

    No alternatives mean that nothing is known of such posts.
    """
    match condition:
        case Terms(literals):
            return ((literals,),)
        case Pattern(require=require):
            return ((require,),) if require else ()
        case AnyOf(items):
            found = [clauses(item) for item in items]
            return _merged(clause for known in found for clause in known) if all(found) else ()
        case InField(item):
            return clauses(item)
        case AllOf(items) | Near(items) | Across(items):
            out: tuple[Clause, ...] = ()
            for known in sorted(filter(None, map(clauses, items)), key=len):
                if len(out) * len(known) > MAX_CLAUSES:
                    break  # the alternatives so far are necessary all the same
                pairs = [(*a, *b) for a in out for b in known] if out else list(known)
                out = _merged(tuple(dict.fromkeys(pair)) for pair in pairs)
            return out
        case _:
            return ()


def _merged(clauses: Iterable[Clause]) -> tuple[Clause, ...]:
    """Join the alternatives of a single group into one; they are most of them."""
    single: set[int] = set()
    rest: list[Clause] = []
    for clause in clauses:
        if len(clause) == 1:
            single |= clause[0]
        else:
            rest.append(clause)
    return (*(((frozenset(single),),) if single else ()), *dict.fromkeys(rest))


def literals_of(condition: Condition) -> frozenset[int]:
    """Return every literal a condition looks for, those of cues left out."""
    match condition:
        case Terms(literals):
            return literals
        case Pattern(require=require):
            return require
        case AnyOf(items) | AllOf(items) | NoneOf(items) | Near(items) | Across(items):
            return frozenset().union(*map(literals_of, items))
        case InField(item):
            return literals_of(item)
        case Cue():
            return frozenset()


def positive_literals(condition: Condition) -> frozenset[int]:
    """Return the literals that help a condition hold: those of `none` and of cues left out."""
    match condition:
        case AnyOf(items) | AllOf(items) | Near(items) | Across(items):
            return frozenset().union(*map(positive_literals, items))
        case InField(item):
            return positive_literals(item)
        case NoneOf():
            return frozenset()
        case _:
            return literals_of(condition)


def has_pattern(condition: Condition) -> bool:
    """Say whether a condition that helps a rule hold is a regular expression."""
    match condition:
        case InField(item):
            return has_pattern(item)
        case AnyOf(items) | AllOf(items) | Near(items) | Across(items):
            return any(map(has_pattern, items))
        case _:
            return isinstance(condition, Pattern)
