"""Automata and sieves that come back from arrays find the same; arrays that lie do no harm."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("moderation._kernel")

from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_support import DATE_API, REFUSALS
from test_kernel import (
    ANY_CLAUSES,
    GUARDED,
    LITERALS,
    ORDINARY,
    PLAIN,
    SHAPES,
    SOUND,
    TABLE,
    TEXTS,
    automaton,
    views_of,
)

from moderation.rules.automaton import Automaton
from moderation.rules.compiled import CompiledRules
from moderation.rules.lookout import Lookout
from moderation.rules.screen import Screen
from moderation.text import VIEWS
from moderation.text.native import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.rules.conditions import Literal
    from moderation.rules.forms import Form

COMPILED = CompiledRules((), {}, (), (), TABLE, SOUND, SHAPES, ORDINARY, "sha256:", 0)
CALLS = 3_000


def restored(made: Automaton, **changed: NDArray[Any]) -> Automaton:
    patterns = made.patterns | changed
    return Automaton.restored(made.view, patterns, lambda: made.owners, TABLE, ORDINARY)


@settings(max_examples=200)
@given(st.lists(PLAIN | GUARDED, max_size=12), ANY_CLAUSES, TEXTS)
def test_what_comes_back_finds_the_same(
    forms: list[tuple[Literal, Form]],
    clauses: list[tuple[tuple[str, ...], tuple[frozenset[int], ...]]],
    texts: list[str],
):
    views = views_of(texts)
    made = {name: automaton(name, forms) for name in VIEWS}
    again = {name: restored(each) for name, each in made.items()}
    for name in VIEWS:
        found = again[name].scan(views[name], views["base"])
        assert found == made[name].scan(views[name], views["base"])
    screen = Screen(clauses, made)
    lookout = Lookout(COMPILED, made, screen)
    back = Lookout(COMPILED, again, Screen.restored(screen.arrays, again), lookout.sieves)
    nobody = np.zeros(len(texts), np.bool_)
    found, expected = (each.clauses(views["base"], nobody) for each in (back, lookout))
    assert found.tolist() == expected.tolist()


def altered(array: NDArray[Any], random_: random.Random) -> NDArray[Any]:
    """Return an array with a few numbers changed, or of another length."""
    if not random_.randrange(8):
        return array[: random_.randrange(len(array) + 1)]
    changed = array.copy()
    limits = np.iinfo(array.dtype)
    for _ in range(random_.randrange(1, 4)):
        at = random_.randrange(len(changed))
        near = int(changed[at]) + random_.choice((-1, 1))
        other = int(changed[random_.randrange(len(changed))])
        chosen = random_.choice((limits.min, limits.max, 0, 1, near, other))
        changed[at] = min(max(chosen, limits.min), limits.max)
    return changed


def test_cells_that_lie_are_refused_or_do_no_harm():
    random_ = random.Random("cells")
    made = automaton("compact", LITERALS)
    texts = ["赌b 博1a " * 9, "ab赌博" * 30, ""]
    views = views_of(texts)
    refused = 0
    for _ in range(CALLS):
        name = random_.choice(("cells", "cells", "offsets", "used"))
        try:
            found = restored(made, **{name: altered(made.patterns[name], random_)})
        except ValueError:
            refused += 1
            continue
        found.scan(views["compact"], views["base"])
    assert refused > CALLS // 3


def test_sieves_that_lie_are_refused_or_do_no_harm():
    random_ = random.Random("sieves")
    made = {name: automaton(name, LITERALS) for name in VIEWS}
    screen = Screen([(VIEWS, (frozenset([n]),)) for n in range(len(LITERALS))], made)
    sieves = Lookout(COMPILED, made, screen).sieves
    base = views_of(["赌b 博1a " * 9, "ab赌博" * 30, ""])["base"]
    refused = 0
    for _ in range(CALLS):
        name = random_.choice([*sieves, *[x for x in sieves if x.endswith("starts")] * 4])
        try:
            lookout = Lookout(
                COMPILED, made, screen, sieves | {name: altered(sieves[name], random_)}
            )
        except ValueError:
            refused += 1
            continue
        lookout.clauses(base, np.zeros(3, np.bool_))
    assert refused > CALLS // 10


@pytest.mark.parametrize("name", ["cells", "sieve_parts"])
@pytest.mark.parametrize("wrong", [None, 7, b"", DATE_API])
def test_only_our_own_are_taken_apart(name: str, wrong: Any):
    with pytest.raises(REFUSALS):
        getattr(kernel, name)(wrong)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_arrays_are_refused(count: int):
    for name in ("restored", "restored_sieve"):
        with pytest.raises(TypeError):
            getattr(kernel, name)(*[b""] * count)


def test_an_automaton_outlives_the_names_of_its_arrays():
    made = automaton("base", LITERALS)
    patterns = {name: array.copy() for name, array in made.patterns.items()}
    again = Automaton.restored("base", patterns, dict, TABLE, ORDINARY)
    native = again.native
    del patterns, again
    garbage = [np.ones(1 << 16, np.int32) for _ in range(64)]
    assert len(garbage) == 64
    assert kernel.cells(native) == kernel.cells(made.native)
