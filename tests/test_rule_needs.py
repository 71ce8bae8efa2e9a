"""What a condition needs: a look at the literals of a post spares a look at the rest."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from moderation.resources import data_root
from moderation.rules.compile import compile_rules
from moderation.rules.conditions import (
    AllOf,
    AnyOf,
    Cue,
    InField,
    Near,
    NoneOf,
    Terms,
    needs,
)
from moderation.rules.ruleset import Ruleset
from moderation.text import TextBatch

if TYPE_CHECKING:
    from moderation.rules.compile import CompiledRules

ONE, TWO, THREE = (Terms(frozenset(range(n * 10, n * 10 + n))) for n in (1, 2, 3))


def test_every_part_of_all_and_near_is_needed():
    groups = (ONE.literals, TWO.literals)
    assert needs(AllOf((ONE, TWO, ONE))) == needs(Near((ONE, TWO), 5)) == groups


def test_of_any_one_group_of_each_branch_is_needed():
    assert needs(AnyOf((ONE, AllOf((THREE, TWO))))) == (ONE.literals | TWO.literals,)


def test_where_a_branch_needs_nothing_nothing_is_needed():
    assert needs(AnyOf((ONE, Cue("contact")))) == ()
    assert needs(AnyOf((ONE, NoneOf((TWO,))))) == ()
    assert needs(AllOf((InField(TWO, frozenset(["title"])), NoneOf((ONE,))))) == (TWO.literals,)


@pytest.fixture(scope="module")
def compiled() -> CompiledRules:
    return compile_rules(data_root() / "rules")


def test_rules_find_the_same_when_every_condition_is_looked_at(compiled: CompiledRules):
    tests = [rule.tests for rule in (*compiled.rules, *compiled.private)]
    posts = [post for t in tests for post in (*t.hit, *t.passes, *t.evasion, *t.explain)]
    # Neighbours share a post as well: terms of one rule beside those of another.
    posts = [*posts[::2], *(f"{a}\n{b}" for a, b in zip(posts[1::6], posts[4::6], strict=False))]
    thorough = dataclasses.replace(
        compiled,
        rules=tuple(
            dataclasses.replace(rule, condition=_without_needs(rule.condition))
            for rule in compiled.rules
        ),
        cues={name: _without_needs(cue) for name, cue in compiled.cues.items()},
    )
    batch = TextBatch.from_strings(posts)
    wanted = np.arange(len(posts)) % 3 == 0
    found = Ruleset(compiled).evaluate(batch, wanted)
    assert found == Ruleset(thorough).evaluate(batch, wanted)
    assert sum(bool(f.matches) for f in found) > len(posts) // 3


def _without_needs(node: Any) -> Any:
    """Return a condition that is looked at all the way down."""
    if not hasattr(node, "needs"):
        return node
    part = "item" if isinstance(node, InField) else "items"
    inner = getattr(node, part)
    changed = tuple(map(_without_needs, inner)) if part == "items" else _without_needs(inner)
    found = dataclasses.replace(node, **{part: changed})
    object.__setattr__(found, "needs", ())
    return found
