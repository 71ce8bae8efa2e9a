"""Conditions evaluated by the native kernel and by the reference: the same matches, always."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.resources import data_root
from moderation.rules.clauses import has_pattern, literals_of
from moderation.rules.compile import CompiledRules, compile_rules
from moderation.rules.conditions import (
    LEVELS,
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
from moderation.rules.evaluate import PostMatcher
from moderation.rules.findings import Hit
from moderation.rules.hits import HitTable, Reading
from moderation.rules.marks import mark_of
from moderation.rules.matching import NativeMatcher
from moderation.rules.program import Program
from moderation.rules.ruleset import post_view
from moderation.text import VIEWS, TextBatch
from moderation.text.fields import FieldSpan
from moderation.text.native import kernel

if TYPE_CHECKING:
    from moderation.text import FoldTable

pytestmark = pytest.mark.skipif(kernel is None, reason="the native kernel was not compiled here")

LITERALS = 6
SOURCES = ("a", "b.c", r"\d赌", "[ab] ?[ab]", "博(?!a)|赌{2}", r"\bx")
sets = st.frozensets(st.integers(0, LITERALS - 1), min_size=1, max_size=3)
views = st.sampled_from([VIEWS, ("base",), ("base", "compact"), ("compact", "sound")])


def pattern(source: str, require: frozenset[int]) -> Pattern:
    return Pattern(source, Expression(source), require)


leaves = st.one_of(
    sets.map(Terms),
    st.builds(pattern, st.sampled_from(SOURCES), st.one_of(st.just(frozenset()), sets)),
)


def grown(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    def some(least: int) -> st.SearchStrategy[tuple[Condition, ...]]:
        return st.lists(inner, min_size=least, max_size=3).map(tuple)

    names = st.frozensets(st.sampled_from(["title", "text"]), min_size=1)
    return st.one_of(
        some(1).map(AnyOf), some(1).map(AllOf), some(1).map(NoneOf), some(2).map(Across),
        st.builds(Near, some(2), st.integers(0, 6)), st.builds(InField, inner, names),
    )  # fmt: skip


cues = st.recursive(leaves, grown, max_leaves=4)
conditions = st.recursive(
    st.one_of(leaves, st.sampled_from(["one", "two"]).map(Cue)), grown, max_leaves=10
)


@cache
def table() -> FoldTable:
    return compile_rules(data_root() / "rules").table


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    condition = draw(conditions)
    return Rule(
        f"drugs.en.r{draw(st.integers(0, 10**9))}", "", "drugs", None, "offer",
        draw(st.sampled_from(LEVELS)), ("en",), draw(views), condition,
        draw(st.one_of(st.just(frozenset()), sets)), literals_of(condition), RuleTests(), "", 1,
        has_pattern=has_pattern(condition),
    )  # fmt: skip


@st.composite
def places(draw: st.DrawFn, length: int) -> list[tuple[int, Hit]]:
    """Return literals and where they stand, as an automaton and its judges would find them."""
    found = []
    for literal in sorted(draw(sets)):
        for view in sorted(draw(st.lists(st.sampled_from(VIEWS), min_size=1, max_size=4))):
            start = draw(st.integers(0, length - 1))
            end = draw(st.integers(start + 1, min(length, start + 4)))
            frail = view != "base" and draw(st.booleans())
            rare = frail and draw(st.booleans())
            fold = draw(st.sampled_from(["", "leet"] if view == "base" else ["", "order", "shape"]))
            hit = Hit(start, end, view, "keyword", False, fold, frail, rare)
            found.append((literal, hit))
    return found


@st.composite
def posts(draw: st.DrawFn) -> tuple[str, tuple[FieldSpan, ...], list[tuple[int, Hit]]]:
    text = draw(st.text("ab赌博x1 .", min_size=3, max_size=24))
    fields: tuple[FieldSpan, ...] = ()
    if draw(st.booleans()):
        border = draw(st.integers(0, len(text) - 1))
        fields = (FieldSpan("title", 0, border), FieldSpan("text", border + 1, len(text)))
    return text, fields, draw(places(len(text)))


def hit_table(found: list[tuple[int, Hit]]) -> HitTable:
    columns = [[literal for literal, _ in found], [hit.start for _, hit in found]]
    columns += [[hit.end for _, hit in found], [mark_of(hit) for _, hit in found]]
    return HitTable(np.array([0, len(found)]), *(np.array(c, np.int32) for c in columns))


@settings(max_examples=150, deadline=None)
@given(st.lists(rules(), min_size=1, max_size=4), cues, cues, posts())
def test_the_kernel_finds_what_the_reference_finds(
    made: list[Rule],
    one: Condition,
    two: Condition,
    post: tuple[str, tuple[FieldSpan, ...], list[tuple[int, Hit]]],
):
    text, fields, found = post
    literals = tuple(Literal(f"l{n}", (f"l{n}",)) for n in range(LITERALS))
    classes = {"one": one, "two": two, **dict.fromkeys(("contact", "handle", "call"), one)}
    classes |= dict.fromkeys(("price", "delivery", "link", "quantity"), two)
    compiled = CompiledRules(
        tuple(made), classes, literals, ((),) * len(made), table(), None, None, None, "", 0
    )  # type: ignore[arg-type]
    batch = TextBatch.from_strings([text])
    base = table().base(batch)
    reading = Reading(
        batch, base, np.zeros(1, np.bool_), {"base": base, "compact": table().compact(base)}, {}
    )
    hits = hit_table(found)
    read = partial(post_view, reading, 0)
    reference = PostMatcher(read, hits.of(0), classes, literals, fields=fields)
    program = Program(compiled)
    native = NativeMatcher(
        read, hits.of(0), classes, literals, fields=fields, program=program,
        post=program.post(program.matter(reading, hits), 0, fields),
    )  # fmt: skip
    numbers = list(range(len(made)))
    wanted = reference.matches(numbers, made, LEVELS)
    assert native.matches(numbers, made, LEVELS) == wanted
    for name in classes:
        assert set(native.cue(name)) == set(reference.cue(name))


def test_a_program_without_patterns_and_rules_is_taken():
    compiled = compile_rules(data_root() / "rules")
    assert Program(replace(compiled, rules=(), clauses=(), cues={})).patterns == ()
