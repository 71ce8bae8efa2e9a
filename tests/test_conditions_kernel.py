"""Conditions evaluated by the native kernel and by the reference: the same matches, always."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_support import rule, write_rules

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
from moderation.rules.evaluate import NOISY, QUOTED, PostMatcher
from moderation.rules.findings import Findings, Hit
from moderation.rules.hits import HitTable, Reading
from moderation.rules.marks import mark_of
from moderation.rules.matching import match_posts
from moderation.rules.program import Program, context_rules
from moderation.rules.reference import findings_of
from moderation.rules.ruleset import post_view
from moderation.text import VIEWS, TextBatch
from moderation.text.fields import FieldSpan
from moderation.text.fold import load_table
from moderation.text.native import kernel

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.text import FoldTable

pytestmark = pytest.mark.skipif(kernel is None, reason="the native kernel was not compiled here")

WRITTEN = ("赌博", "bob", "a b", "ab", "x1", "博")
LITERALS = len(WRITTEN)
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
    return load_table(data_root() / "rules")


kinds_of_rule = st.one_of(
    st.tuples(st.sampled_from(["drugs", "porn"]), st.just("offer"), st.sampled_from(LEVELS)),
    st.tuples(st.just("any"), st.sampled_from(["explain", "report", "warn"]), st.none()),
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    condition = draw(conditions)
    policy, stance, level = draw(kinds_of_rule)
    return Rule(
        f"{policy}.en.r{draw(st.integers(0, 10**9))}", "", policy, None, stance,
        level, ("en",), draw(views), condition,
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
    text = draw(st.text("ab赌博x1 .'\"“”*", min_size=3, max_size=30))
    fields: tuple[FieldSpan, ...] = ()
    if draw(st.booleans()):
        border = draw(st.integers(0, len(text) - 1))
        fields = (FieldSpan("title", 0, border), FieldSpan("text", border + 1, len(text)))
    return text, fields, draw(places(len(text)))


def hit_table(found: list[tuple[int, Hit]]) -> HitTable:
    columns = [[literal for literal, _ in found], [hit.start for _, hit in found]]
    columns += [[hit.end for _, hit in found], [mark_of(hit) for _, hit in found]]
    return HitTable(np.array([0, len(found)]), *(np.array(c, np.int32) for c in columns))


def said(
    made: list[Rule],
    classes: dict[str, Condition],
    post: tuple[str, tuple[FieldSpan, ...], list[tuple[int, Hit]]],
    wanted: bool = True,
    every_cue: bool = True,
) -> tuple[Findings, Findings]:
    """Return what the reference and what the kernel says of a post."""
    text, fields, found = post
    literals = tuple(Literal(base, (base,)) for base in WRITTEN)
    clauses = tuple(((frozenset({0, 1, 4}),),) if rule.is_context else () for rule in made)
    compiled = CompiledRules(
        tuple(made), classes, literals, clauses, table(), None, None, None, "", 0
    )  # type: ignore[arg-type]
    batch = TextBatch.from_strings([text])
    if fields:
        batch = batch.with_fields([fields])
    base = table().base(batch)
    views = {"base": base, "compact": table().compact(base)}
    reading = Reading(batch, base, np.zeros(1, np.bool_), views, {})
    hits = hit_table(found)
    tried = [number for number, rule in enumerate(made) if not rule.is_context]
    read = partial(post_view, reading, 0)
    matcher = PostMatcher(read, hits.of(0), classes, literals, fields=fields)
    contexts = context_rules(compiled)
    expected = findings_of(matcher, tried, made, contexts, wanted, every_cue=every_cue)
    pairs = np.array([(0, number) for number in tried], np.int32).reshape(-1, 2)
    closer = np.array([wanted])
    native = match_posts(Program(compiled), reading, hits, pairs, closer, every_cue=every_cue)
    return expected, native[0]


def every_class(one: Condition, two: Condition) -> dict[str, Condition]:
    classes = {"one": one, "two": two, **dict.fromkeys(("contact", "handle", "call"), one)}
    return classes | dict.fromkeys(("price", "delivery", "link", "quantity", "ask"), two)


@settings(max_examples=300, deadline=None)
@given(st.lists(rules(), min_size=1, max_size=5), cues, cues, posts(), st.booleans(), st.booleans())
def test_the_kernel_finds_what_the_reference_finds(
    made: list[Rule],
    one: Condition,
    two: Condition,
    post: tuple[str, tuple[FieldSpan, ...], list[tuple[int, Hit]]],
    wanted: bool,
    every_cue: bool,
):
    expected, native = said(made, every_class(one, two), post, wanted, every_cue)
    assert native == expected


@settings(max_examples=300)
@given(st.lists(st.sampled_from([*"国a1 _.+-/，*\u3000\n😀é٣", "国*国", "a.b.c"]), max_size=12))
def test_marks_where_ordinary_writing_has_none_are_seen_as_the_expression_sees_them(
    parts: list[str],
):
    text = "".join(parts)
    marked = Rule(
        "drugs.en.r", "", "drugs", None, "offer", "medium", ("en",), VIEWS,
        pattern("yz", frozenset()), frozenset(), frozenset(), RuleTests(), "", 1, has_pattern=True,
    )  # fmt: skip
    none = Terms(frozenset({0}))
    # Only the compact view shows the pattern, and it is looked at where marks hide something.
    expected, native = said([marked], every_class(none, none), (f"{text}\ny.z\n", (), []))
    assert native == expected
    folded = table().base(TextBatch.from_strings([f"{text}\ny.z\n"]))
    shown = folded.codepoints.tobytes().decode("utf-32-le")
    assert bool(native.matches) == (regex.search(NOISY, shown) is not None)


@settings(max_examples=300)
@given(st.text("ab1\n'\"“”「」『』‘’【】《》", min_size=1, max_size=30), st.data())
def test_a_cue_in_quotation_marks_is_somebody_elses(text: str, data: st.DataObject):
    at = data.draw(st.integers(0, len(text) - 1))
    hit = Hit(at, at + 1, "base")
    one, two = Terms(frozenset({0})), Terms(frozenset({1}))
    expected, native = said([], every_class(one, two), (text, (), [(0, hit)]))
    assert native == expected
    quoted = any(q.start() <= at and at < q.end() for q in regex.finditer(QUOTED, text))
    assert native.offers != quoted


@pytest.mark.parametrize("length", [1, 2, 120, 121])
def test_what_is_quoted_is_a_few_characters_to_a_line_or_two(length: int):
    one, two = Terms(frozenset({0})), Terms(frozenset({1}))
    post = ('"' + "a" * length + '"', (), [(0, Hit(1, 2, "base"))])
    expected, native = said([], every_class(one, two), post)
    assert native == expected
    assert native.offers != (2 <= length <= 120)


def test_a_program_without_patterns_and_rules_is_taken(tmp_path: Path):
    compiled = compile_rules(write_rules(tmp_path, rule("term", any=["casino"])))
    assert Program(replace(compiled, rules=(), clauses=(), cues={})).patterns == ()
