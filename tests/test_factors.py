"""What a text must hold for a regular expression to match in it."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.resources import data_root
from moderation.rules.compile import compile_rules
from moderation.rules.conditions import Pattern
from moderation.rules.factors import Factor, factors

DIGIT = regex.compile(r"\d")


def holds(text: str, factor: Factor) -> bool:
    there = [string for string in factor.strings if string in text]
    if there and factor.least == 1:
        return True
    found = sum(text.startswith(string, at) for string in there for at in range(len(text)))
    return found + factor.digit * len(DIGIT.findall(text)) >= factor.least


def strings(source: str) -> list[set[str]]:
    return [set(factor.strings) for factor in factors(source)]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("spins", [{"spins"}]),
        (r"\bfree spins?\b", [{"free spin", "free spins"}]),
        (r"t\s?\.\s?me", [{"me"}, {"."}, {"t"}]),
        ("加(?:微|薇)信", [{"加微信", "加薇信"}]),
        ("(?<!不)赌(?=场)", [{"赌"}]),
        (r"(?:poker|slots)[^.\n]{0,9}(?:tonight|now)", [{"tonight", "now"}, {"poker", "slots"}]),
        (r"(?P<word>chips)\s\u8d4c", [{"赌"}, {"chips"}]),
        ("1[3-5]x{1}9", [{"13x9", "14x9", "15x9"}]),
    ],
)
def test_the_strings_of_an_expression_are_found(source: str, found: list[set[str]]):
    assert sorted(map(sorted, strings(source))) == sorted(map(sorted, found))


def test_a_digit_of_any_script_will_do_for_a_class_of_digits():
    assert factors(r"\d") == (Factor(frozenset(), digit=True),)
    assert factors(r"[\d壹]") == (Factor(frozenset("壹"), digit=True),)


def test_what_is_repeated_is_needed_as_often():
    assert factors(r"(?:\s?[\d壹]){7,11}") == (Factor(frozenset("壹"), digit=True, least=7),)
    assert factors("(?:赌博{2}){3}|钱{9}") == (Factor(frozenset("博钱"), least=6),)


@pytest.mark.parametrize(
    "source",
    [
        "(?:chips)?", "chips|.", "(?:chips)*", r"\w+", "[^c]", "(?i)chips", "(?i:chips)",
        r"(chips)\1|(?1)", "(?:chips){e<=1}", "[[a-z]&&[c]]", "[c--d]", "(?#chips)x?",
        "chips{0,3}|x?", r"\N{BULLET}", r"\L<terms>", "[]c]",
    ],
)  # fmt: skip
def test_nothing_is_needed_for_what_may_match_without_or_is_not_understood(source: str):
    assert factors(source) == ()


pieces = st.sampled_from(
    [
        "a", "bc", "赌", r"\d", "[ab]", "[^a]", r"[\dc]", r"\s", ".", r"\b", "^", "(?!b)",
        "(?<=a)", r"\.", "[a-c]",
    ]
)  # fmt: skip


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = inner.map(lambda source: f"(?:{source})")
    marks = st.sampled_from(["", "?", "*", "+", "{2}", "{0,2}", "{1,}", "{1}", "{,1}", "??"])
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(group, marks).map("".join),
    )


@settings(max_examples=300, deadline=None)
@given(st.recursive(pieces, grown, max_leaves=8), st.text("abc赌1٣. \n", max_size=12))
def test_whatever_matches_holds_every_factor(source: str, text: str):
    if regex.search(source, text, regex.V1):
        assert all(holds(text, factor) for factor in factors(source))


def test_nearly_every_shipped_pattern_needs_something_and_its_matches_hold_it():
    compiled = compile_rules(data_root() / "rules")
    found: dict[str, Pattern] = {}

    def walk(node: object) -> None:
        if isinstance(node, Pattern):
            found[node.source] = node
        for item in (*getattr(node, "items", ()), *filter(None, [getattr(node, "item", None)])):
            walk(item)

    for condition in (*(rule.condition for rule in compiled.rules), *compiled.cues.values()):
        walk(condition)
    posts = [post for rule in compiled.rules for post in (*rule.tests.hit, *rule.tests.passes)]
    texts = compiled.table.fold_text("\n".join(posts[::9])).split("\n")
    known = {source: factors(source) for source in found}
    assert sum(map(bool, known.values())) > 0.8 * len(known)
    for source, wanted in known.items():
        for text in texts:
            if not all(holds(text, factor) for factor in wanted):
                assert regex.search(source, text, regex.V1) is None, source
