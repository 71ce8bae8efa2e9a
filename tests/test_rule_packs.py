"""The shipped rules: complete, tested by the posts they carry, and true to the policy."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
import yaml
from rule_support import compiled, context, read, rule

from moderation.decide import load_profiles
from moderation.rules import CUES, Ruleset, compile_rules
from moderation.rules.selftest import run_rule_tests
from moderation.types import INNOCENT_STANCES, POLICIES, SUB_LABELS

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.rules import Rule

LEAST_RULES = 300
LEAST_TERMS = 4000
PACKS = (*POLICIES, "context")


@pytest.fixture(scope="module")
def policy_rules(ruleset: Ruleset) -> list[Rule]:
    return [given for given in ruleset.rules if not given.is_context]


def test_the_strict_check_finds_nothing(shipped_rules: Path):
    assert compile_rules(shipped_rules, strict=True).rules


def test_every_yaml_reader_reads_the_same(shipped_rules: Path):
    """The C parser takes more than the standard allows; where it is missing the other one reads."""
    for path in sorted(shipped_rules.rglob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        assert yaml.load(text, yaml.SafeLoader) == yaml.load(text, fast), path.name


@pytest.mark.parametrize("pack", PACKS)
def test_every_rules_own_tests_hold(ruleset: Ruleset, pack: str):
    report = run_rule_tests(ruleset, pack)
    assert [str(failure) for failure in report.failures] == []
    assert report.passed > 0


def test_a_failing_test_is_told_with_its_rule_and_post(tmp_path: Path):
    broken = rule("broken", any=["casino"], tests={"hit": ["poker"], "pass": ["casino"]})
    failures = run_rule_tests(compiled(tmp_path, broken)).failures
    assert [(f.rule_id, f.kind, f.text) for f in failures] == [
        ("gambling.en.broken", "hit", "poker"),
        ("gambling.en.broken", "pass", "casino"),
    ]
    assert str(failures[0]) == (
        "gambling/pack.yaml:4: gambling.en.broken hit: expected a match, the rule did not fire\n"
        "    'poker'"
    )


def test_an_explain_test_wants_the_words_and_an_innocent_stance(tmp_path: Path):
    tests = {"explain": ["beware of the casino", "beware of the river", "our casino"]}
    ruleset = compiled(
        tmp_path, rule("sale", any=["casino"], tests=tests), context("c", "warn", any=["beware"])
    )
    assert [failure.text for failure in run_rule_tests(ruleset).failures] == [
        "beware of the river", "our casino",
    ]  # fmt: skip


def test_there_are_enough_rules_for_every_policy_and_language(
    ruleset: Ruleset, policy_rules: list[Rule]
):
    assert len(policy_rules) >= LEAST_RULES
    assert ruleset.terms >= LEAST_TERMS
    counts = Counter((r.policy, language) for r in policy_rules for language in r.languages)
    for policy in POLICIES:
        for language in ("zh", "en"):
            assert counts[policy, language] >= 5, (policy, language)


def test_every_sub_label_has_a_rule(policy_rules: list[Rule]):
    expected = {name for names in SUB_LABELS.values() for name in names}
    assert {given.sub_label for given in policy_rules} == expected


def test_every_innocent_stance_has_a_context_rule_in_both_languages(ruleset: Ruleset):
    contexts = [given for given in ruleset.rules if given.is_context]
    for stance in INNOCENT_STANCES:
        languages = {n for r in contexts if r.stance == stance for n in r.languages}
        assert {"zh", "en"} <= languages, stance


def test_an_id_names_policy_and_language(policy_rules: list[Rule]):
    for given in policy_rules:
        policy, language, slug = given.id.split(".")
        assert policy == given.policy
        assert language in {"zh", "en", "mixed", "any"}
        assert slug


def test_sexual_teasing_alone_never_blocks(shipped_rules: Path):
    for profile in load_profiles(shipped_rules).values():
        assert profile.ceiling["porn.innuendo"] in {"pass", "review"}


def test_anything_with_a_minor_blocks_in_every_region(shipped_rules: Path):
    profiles = load_profiles(shipped_rules)
    assert set(profiles) == {"cn", "us", "global"}
    assert {profile.always.get("porn.minors") for profile in profiles.values()} == {"block"}


@pytest.mark.parametrize(
    ("post", "cue"),
    [
        ("加我微信 abc123456", "contact"),
        ("dm me for details", "contact"),
        ("telegram: @river_song77", "handle"),
        ("想要的私我", "call"),
        ("一张 200元", "price"),
        ("only $20 each", "price"),
        ("顺丰包邮", "delivery"),
        ("same day delivery", "delivery"),
        ("https://shop.example/cats", "link"),
        ("3克起", "quantity"),
        ("two ounces", "quantity"),
        ("19岁 学生", "age"),
        ("求推荐", "ask"),
        ("where can i find a park", "ask"),
    ],
)
def test_a_cue_reads_the_words_people_use(ruleset: Ruleset, post: str, cue: str):
    assert cue in CUES
    assert cue in read(ruleset, post).cues


ORDINARY = [
    "今天喝了一杯咖啡，天气真好",
    "期末卷子上下分值一样吗",
    "周末去爬山，有没有一起的",
    "我家猫今天又把杯子打翻了",
    "高数第三章的概率题怎么做",
    "想问一下布洛芬饭前吃还是饭后吃",
    "cat tax: here is my orange boy asleep on the sofa",
    "Does anyone have notes for the statistics homework?",
    "We baked bread this morning and it smells wonderful",
    "My grandmother taught me how to plant tomatoes",
    "The film about the card player was really moving",
    "新来的朋友们，这里的评论区很友好",
]


@pytest.mark.parametrize("post", ORDINARY)
def test_no_rule_fires_on_an_ordinary_post(ruleset: Ruleset, post: str):
    assert [m.rule.id for m in read(ruleset, post).matches if m.level != "weak"] == []
