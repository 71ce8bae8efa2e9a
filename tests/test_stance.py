"""Stance: what a post does with a topic, read from rules, contexts and cues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rule_support import compiled, context, read, rule

from moderation.rules.stance import is_innocent, resolve_stance
from moderation.types import INNOCENT_STANCES, VIOLATING_STANCES

if TYPE_CHECKING:
    from moderation.rules import Ruleset

HANDLE = "account77"
CALL = "come and talk"
"""The cues of `rule_support` by which an author offers something."""


@pytest.fixture(scope="module")
def ruleset(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    return compiled(
        tmp_path_factory.mktemp("stance"),
        rule("sale", any=["casino"], stance="offer"),
        rule("wish", any=["poker room"], stance="seek", level="medium"),
        rule("boast", any=["jackpot"], stance="engage", level="weak"),
        rule("lesson", any=["card counting"], stance="instruct"),
        rule("stake", any=["high stakes"], stance="engage"),
        context("rules", "explain", any=["is against the rules"]),
        context("beware", "warn", any=["beware"]),
        context("complaint", "report", any=["reported"]),
        context("recovery", "recover", any=["days without a bet"]),
        context("film", "figurative", any=["the film"]),
        context("drug-news", "warn", any=["court news"], policy="drugs"),
    )


def stance(ruleset: Ruleset, post: str) -> str:
    return resolve_stance(read(ruleset, post), "gambling")


@pytest.mark.parametrize(
    ("post", "expected"),
    [
        ("our casino", "offer"),
        ("a poker room", "seek"),
        ("jackpot", "engage"),
        ("card counting", "instruct"),
    ],
)
def test_a_rule_gives_its_stance(ruleset: Ruleset, post: str, expected: str):
    assert stance(ruleset, post) == expected


def test_the_strongest_rule_decides(ruleset: Ruleset):
    assert stance(ruleset, "jackpot in a poker room") == "seek"
    assert stance(ruleset, "card counting in a poker room") == "instruct"


def test_between_equals_an_offer_decides(ruleset: Ruleset):
    assert stance(ruleset, "high stakes in our casino") == "offer"
    assert stance(ruleset, "our casino, high stakes") == "offer"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a casino is against the rules", "explain"),
        ("beware of the casino", "warn"),
        ("I reported the casino", "report"),
        ("casino: ninety days without a bet", "recover"),
        ("casino, the film", "figurative"),
    ],
)
def test_a_context_makes_the_post_innocent(ruleset: Ruleset, words: str, expected: str):
    assert stance(ruleset, words) == expected


def test_a_context_makes_a_post_innocent_without_any_rule(ruleset: Ruleset):
    assert stance(ruleset, "beware") == "warn"


def test_of_several_contexts_the_first_innocent_stance_is_named(ruleset: Ruleset):
    assert INNOCENT_STANCES.index("explain") < INNOCENT_STANCES.index("warn")
    assert stance(ruleset, "beware, a casino is against the rules") == "explain"


def test_a_context_of_one_policy_says_nothing_of_another(ruleset: Ruleset):
    findings = read(ruleset, "court news: a casino")
    assert resolve_stance(findings, "drugs") == "warn"
    assert resolve_stance(findings, "gambling") == "offer"


@pytest.mark.parametrize("cue", [HANDLE, CALL])
def test_an_offer_wrapped_in_a_warning_is_an_offer(ruleset: Ruleset, cue: str):
    assert stance(ruleset, f"beware of high stakes, {cue}") == "offer"


@pytest.mark.parametrize("cue", ["write to us", "ten coins", "page.example"])
def test_a_mere_mention_of_contact_price_or_link_is_no_offer(ruleset: Ruleset, cue: str):
    assert stance(ruleset, f"beware of the casino, {cue}") == "warn"


@pytest.mark.parametrize(
    "post",
    [
        f'beware of "casino, {CALL}"',
        f"beware of 'casino, {CALL}' here",
        f"beware: “casino {CALL}”",
        f"beware: 「casino {CALL}」",
        f"beware: 【casino {HANDLE}】",
    ],
)
def test_words_in_quotation_marks_are_somebody_elses(ruleset: Ruleset, post: str):
    assert stance(ruleset, post) == "warn"


def test_a_cue_outside_the_quotation_is_the_authors_own(ruleset: Ruleset):
    assert stance(ruleset, f'beware of "casino", {CALL}') == "offer"


def test_an_apostrophe_opens_no_quotation(ruleset: Ruleset):
    assert stance(ruleset, f"beware, don't miss the casino, {CALL}, it's open") == "offer"


def test_a_remark_about_rules_after_the_cue_speaks_of_others(ruleset: Ruleset):
    assert stance(ruleset, f"casino posts with {CALL} is against the rules") == "explain"
    assert stance(ruleset, f"casino posts with {CALL} get reported") == "report"


def test_a_cue_after_the_remark_is_the_authors_own(ruleset: Ruleset):
    assert stance(ruleset, f"a casino is against the rules, so {CALL}") == "offer"


def test_a_remark_far_behind_the_cue_does_not_reach_it(ruleset: Ruleset):
    filler = "and then we went for a very long walk along the river and had some tea, "
    assert stance(ruleset, f"casino {CALL}, {filler} is against the rules") == "offer"


def test_a_warning_after_the_cue_is_no_remark(ruleset: Ruleset):
    assert stance(ruleset, f"casino {CALL}, beware") == "offer"


@pytest.mark.parametrize(
    ("post", "expected"),
    [(f"{CALL}", "offer"), ("who has", "seek"), ("nothing to see", "engage")],
)
def test_without_rule_and_context_the_cues_decide(ruleset: Ruleset, post: str, expected: str):
    assert stance(ruleset, post) == expected


def test_only_innocent_stances_lower_an_action():
    assert all(is_innocent(name) for name in INNOCENT_STANCES)
    assert not any(is_innocent(name) for name in (*VIOLATING_STANCES, "none"))
