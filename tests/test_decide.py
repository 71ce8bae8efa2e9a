"""Deciding: probability, rules, stance and region to one label and its action."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_support import POLICY, compiled, context, read, write_rules

from moderation.decide import (
    Decision,
    Profile,
    decide_policy,
    load_profiles,
    probability,
    profile_for,
    risk_level,
)
from moderation.errors import ConfigError, RuleError
from moderation.types import ACTIONS, INNOCENT_STANCES, POLICIES, SUB_LABELS, Label

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.rules import Ruleset

REVIEW, BLOCK = 0.5, 0.9
WEIGHTS = {"weak": 1.0, "medium": 2.0, "strong": 4.0}
UNLIKELY, LIKELY, CERTAIN = math.log(0.01 / 0.99), math.log(0.7 / 0.3), math.log(0.999 / 0.001)
"""Log-odds of a classifier that says 0.01, 0.7 and 0.999."""


def word(sub_label: str) -> str:
    """Return the made-up word that the rules of a sub-label look for."""
    return sub_label.replace(".", "")


@pytest.fixture(scope="module")
def ruleset(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    rules = [
        {
            "id": f"{policy}.en.{name.partition('.')[2]}-{level}",
            "title": name,
            "sub_label": name,
            "stance": "offer",
            "level": level,
            "any": [f"{level} {word(name)}"],
        }
        for policy, names in SUB_LABELS.items()
        for name in names
        for level in ("weak", "medium", "strong")
    ]
    contexts = [context(stance, stance, any=[f"to {stance}"]) for stance in INNOCENT_STANCES]
    return compiled(tmp_path_factory.mktemp("decide"), *rules, *contexts)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """Return a profile without ceilings."""
    return profile_for(write_rules(tmp_path_factory.mktemp("plain")), "cn")


def decide(
    ruleset: Ruleset,
    profile: Profile,
    post: str,
    log_odds: float = UNLIKELY,
    *,
    policy: str = "gambling",
    points: tuple[float, float] = (REVIEW, BLOCK),
) -> Decision:
    return decide_policy(
        POLICIES.index(policy),
        log_odds,
        np.array(points),
        read(ruleset, post),
        [],
        WEIGHTS,
        profile,
    )


def label_of(decision: Decision) -> Label:
    assert decision.label is not None
    return decision.label


STRONG = "strong gamblingpromotion"
MEDIUM = "medium gamblingpromotion"
WEAK = "weak gamblingpromotion"


def test_without_evidence_there_is_a_score_and_no_label(ruleset: Ruleset, plain: Profile):
    assert decide(ruleset, plain, "a walk") == Decision(0.01, None)


@pytest.mark.parametrize(
    ("log_odds", "action", "threshold"), [(LIKELY, "review", REVIEW), (CERTAIN, "block", BLOCK)]
)
def test_the_classifier_alone_makes_a_label_without_sub_label(
    ruleset: Ruleset, plain: Profile, log_odds: float, action: str, threshold: float
):
    label = label_of(decide(ruleset, plain, "a walk", log_odds))
    assert (label.action, label.sub_label, label.threshold) == (action, None, threshold)
    assert label.score == round(probability(log_odds), 4)


@pytest.mark.parametrize(
    ("post", "action", "score"), [(STRONG, "block", 0.97), (MEDIUM, "review", 0.75)]
)
def test_a_rule_lifts_an_unlikely_post_to_its_floor(
    ruleset: Ruleset, plain: Profile, post: str, action: str, score: float
):
    decision = decide(ruleset, plain, post)
    assert (label_of(decision).action, decision.score) == (action, score)
    assert label_of(decision).score == score
    assert label_of(decision).sub_label == "gambling.promotion"


def test_a_rule_is_held_against_its_floor_where_the_point_is_higher(
    ruleset: Ruleset, plain: Profile
):
    high = (0.85, 0.995)
    strong = decide(ruleset, plain, STRONG, points=high)
    assert (strong.score, label_of(strong).threshold) == (0.97, 0.97)
    assert label_of(strong).action == "block"
    assert label_of(decide(ruleset, plain, MEDIUM, points=high)).threshold == 0.75
    assert label_of(decide(ruleset, plain, MEDIUM, points=high)).action == "review"


def test_a_weak_rule_only_adds_its_weight(ruleset: Ruleset, plain: Profile):
    decision = decide(ruleset, plain, WEAK)
    assert decision.score == round(probability(UNLIKELY + WEIGHTS["weak"]), 4)
    assert label_of(decision).action == "pass"


def test_a_weak_rule_tips_a_likely_post(ruleset: Ruleset, plain: Profile):
    likely = math.log(0.4 / 0.6)
    assert decide(ruleset, plain, "a walk", likely).label is None
    assert label_of(decide(ruleset, plain, WEAK, likely)).action == "review"


def test_rule_and_classifier_add_up(ruleset: Ruleset, plain: Profile):
    decision = decide(ruleset, plain, MEDIUM, LIKELY)
    assert decision.score == round(probability(LIKELY + WEIGHTS["medium"]), 4)
    assert label_of(decision).action == "block"


@given(
    st.floats(-12, 12),
    st.sampled_from(["", WEAK, MEDIUM, STRONG, f"to warn {STRONG}", f"to warn {MEDIUM}"]),
)
def test_scores_are_rounded_probabilities_and_agree_with_the_action(
    ruleset: Ruleset, plain: Profile, log_odds: float, post: str
):
    decision = decide(ruleset, plain, post, log_odds)
    assert 0 <= decision.score <= 1
    assert decision.score == round(decision.score, 4)
    if decision.label is not None and "to warn" not in post:
        expected = "block" if decision.score >= BLOCK else "review"
        expected = expected if decision.score >= REVIEW else "pass"
        assert (decision.label.action, decision.label.score) == (expected, decision.score)


@given(st.floats(-12, 12), st.floats(-12, 12), st.sampled_from(["", WEAK, MEDIUM, STRONG]))
def test_a_surer_classifier_never_lowers_score_or_action(
    ruleset: Ruleset, plain: Profile, one: float, two: float, post: str
):
    low, high = (decide(ruleset, plain, post, x) for x in sorted((one, two)))
    assert low.score <= high.score
    assert strength(low) <= strength(high)


def strength(decision: Decision) -> int:
    return -1 if decision.label is None else ACTIONS.index(decision.label.action)


@pytest.mark.parametrize("log_odds", [-math.inf, -800.0, 0.0, 800.0, math.inf])
def test_probability_stands_any_log_odds(log_odds: float):
    assert 0.0 <= probability(log_odds) <= 1.0


@pytest.mark.parametrize(
    ("post", "points", "action"),
    [(STRONG, (0.5, 0.98764), "block"), (MEDIUM, (0.80004, 0.99), "review")],
)
def test_a_rule_reaches_a_point_that_is_not_rounded(
    ruleset: Ruleset, plain: Profile, post: str, points: tuple[float, float], action: str
):
    assert label_of(decide(ruleset, plain, post, points=points)).action == action


@pytest.mark.parametrize("stance", INNOCENT_STANCES)
def test_an_innocent_stance_passes_and_keeps_the_evidence(
    ruleset: Ruleset, plain: Profile, stance: str
):
    decision = decide(ruleset, plain, f"to {stance}: {STRONG}")
    label = label_of(decision)
    assert (label.action, label.stance, label.sub_label) == ("pass", stance, "gambling.promotion")
    assert decision.score == 0.01


def test_an_innocent_stance_caps_a_sure_classifier_at_review(ruleset: Ruleset, plain: Profile):
    assert label_of(decide(ruleset, plain, f"to warn: {STRONG}", CERTAIN)).action == "review"
    assert label_of(decide(ruleset, plain, "to warn", CERTAIN)).action == "review"
    nearly = math.log(0.99 / 0.01)
    assert label_of(decide(ruleset, plain, f"to warn: {STRONG}", nearly)).action == "pass"


def test_an_offer_in_innocent_clothes_is_blocked(ruleset: Ruleset, plain: Profile):
    label = label_of(decide(ruleset, plain, f"to warn: {STRONG}, come and talk"))
    assert (label.action, label.stance) == ("block", "offer")


def test_a_rule_speaks_for_its_own_policy_alone(ruleset: Ruleset, plain: Profile):
    assert decide(ruleset, plain, STRONG, policy="drugs").label is None


@pytest.mark.parametrize(
    ("sub_label", "cn", "us", "world"),
    [
        ("porn.explicit", "block", "review", "block"),
        ("porn.solicitation", "block", "block", "block"),
        ("porn.resources", "block", "block", "block"),
        ("porn.innuendo", "review", "pass", "review"),
        ("porn.minors", "block", "block", "block"),
        ("drugs.sale", "block", "block", "block"),
        ("drugs.seeking", "block", "block", "block"),
        ("drugs.use", "block", "review", "review"),
        ("drugs.making", "block", "block", "block"),
        ("gambling.promotion", "block", "block", "block"),
        ("gambling.tips", "block", "review", "block"),
        ("gambling.recruiting", "block", "block", "block"),
        ("gambling.seeking", "block", "review", "review"),
    ],
)
def test_a_region_caps_a_sub_label(
    ruleset: Ruleset, shipped_rules: Path, sub_label: str, cn: str, us: str, world: str
):
    policy = sub_label.partition(".")[0]
    for region, action in (("cn", cn), ("us", us), ("global", world)):
        profile = profile_for(shipped_rules, region)
        for log_odds in (UNLIKELY, CERTAIN):
            label = label_of(
                decide(ruleset, profile, f"strong {word(sub_label)}", log_odds, policy=policy)
            )
            assert (label.action, label.sub_label) == (action, sub_label), region


@pytest.mark.parametrize("region", ["cn", "us", "global"])
def test_a_region_changes_the_action_not_the_evidence(
    ruleset: Ruleset, shipped_rules: Path, plain: Profile, region: str
):
    profile = profile_for(shipped_rules, region)
    here = decide(ruleset, profile, "strong pornexplicit", policy="porn")
    anywhere = decide(ruleset, plain, "strong pornexplicit", policy="porn")
    assert here.score == anywhere.score
    assert label_of(here).stance == label_of(anywhere).stance


@pytest.mark.parametrize("region", ["cn", "us", "global"])
def test_a_minor_is_blocked_whatever_stands_beside(
    ruleset: Ruleset, shipped_rules: Path, region: str
):
    profile = profile_for(shipped_rules, region)
    for post in (
        "strong pornminors",
        "strong pornminors, strong porninnuendo",
        "strong porninnuendo and strong pornexplicit and strong pornminors",
    ):
        label = label_of(decide(ruleset, profile, post, policy="porn"))
        assert (label.action, label.sub_label) == ("block", "porn.minors")


def test_a_lesson_about_minors_is_not_forced(ruleset: Ruleset, shipped_rules: Path):
    profile = profile_for(shipped_rules, "cn")
    label = label_of(decide(ruleset, profile, "to warn: strong pornminors", policy="porn"))
    assert label.action == "pass"


def test_the_strongest_rule_names_the_sub_label(ruleset: Ruleset, plain: Profile):
    post = "medium gamblingpromotion, strong gamblingtips, weak gamblingseeking"
    assert label_of(decide(ruleset, plain, post)).sub_label == "gambling.tips"


@pytest.mark.parametrize(
    ("worse", "harmless"),
    [
        ("strong pornexplicit", "weak porninnuendo"),
        ("medium drugssale", "strong drugsuse"),
        ("strong pornsolicitation", "strong pornexplicit"),
        ("medium pornresources", "strong porninnuendo"),
    ],
)
def test_more_evidence_never_lowers_the_action(
    ruleset: Ruleset, shipped_rules: Path, worse: str, harmless: str
):
    profile = profile_for(shipped_rules, "us")
    policy = "drugs" if "drugs" in worse else "porn"
    alone = decide(ruleset, profile, worse, policy=policy)
    both = decide(ruleset, profile, f"{worse} and {harmless}", policy=policy)
    assert strength(both) >= strength(alone)


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ([], "none"),
        (["pass"], "low"),
        (["pass", "review"], "medium"),
        (["review", "block", "pass"], "high"),
    ],
)
def test_the_risk_level_is_that_of_the_strongest_label(actions: list, expected: str):
    assert risk_level([Label("porn", None, a, 0.9, 0.5, "offer") for a in actions]) == expected


def test_the_shipped_regions_are_cn_us_and_global(shipped_rules: Path):
    profiles = load_profiles(shipped_rules)
    assert set(profiles) == {"cn", "us", "global"}
    assert all(profile.title for profile in profiles.values())


def test_an_unknown_region_lists_the_known_ones(shipped_rules: Path):
    with pytest.raises(ConfigError) as caught:
        profile_for(shipped_rules, "mars")
    assert str(caught.value) == "unknown region 'mars'; known: cn, global, us"


def without(key: str) -> dict:
    return {k: v for k, v in POLICY.items() if k != key}


def region(**fields: object) -> dict:
    return POLICY | {"regions": {"cn": {"title": "T"} | fields}}


def test_profiles_are_read_from_yaml_once_by_all_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_rules(tmp_path)
    program = (
        "import sys; from pathlib import Path; from moderation.decide import load_profiles\n"
        "found = load_profiles(Path(sys.argv[1])); print('yaml' in sys.modules, found)"
    )
    first, again = (
        subprocess.run(
            [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    )
    assert first.startswith("True ")
    assert again == first.replace("True", "False", 1)


def test_kept_profiles_are_those_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("earth", "mars"):
        policy = POLICY | {"regions": {name: {"title": name}}}
        folder = write_rules(tmp_path / name, policy=policy)
        found = load_profiles(folder)
        assert list(found) == [name]
        (kept,) = (tmp_path / "cache" / "moderation-engine").glob("policy-*")
        kept.write_bytes(kept.read_bytes()[:-1])
        (folder / "policy.yaml").touch()  # so that this process looks again
        assert load_profiles(folder) == found
        kept.unlink()


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        (without("regions"), "policy.yaml:1: R006 missing field 'regions'"),
        (
            POLICY | {"schema": 2},
            "policy.yaml:1: R007 expected a whole number from 1 to 1, found '2'",
        ),
        (POLICY | {"regions": {}}, "policy.yaml:21: R006 expected at least one region"),
        (
            POLICY | {"rule_floor": {"strong": 2, "medium": 0.5}},
            "policy.yaml:3: R007 expected a number from 0.0 to 1.0, found '2'",
        ),
        (
            POLICY | {"rule_floor": {"strong": ".nan", "medium": 0.5}},
            "policy.yaml:3: R007 expected a number from 0.0 to 1.0, found '.nan'",
        ),
        (
            POLICY | {"rule_floor": {"strong": 0.9}},
            "policy.yaml:3: R006 missing field 'medium'",
        ),
        (
            region(ceiling={"porn.innuendo": "delete"}),
            "policy.yaml:25: R007 expected one of pass, review, block, found 'delete'",
        ),
        (
            region(always={"porn.kids": "block"}),
            "policy.yaml:25: R004 unknown field 'porn.kids'; known: "
            + ", ".join(name for names in SUB_LABELS.values() for name in names),
        ),
        (
            region(colour="red"),
            "policy.yaml:24: R004 unknown field 'colour'; known: title, ceiling, always",
        ),
        (
            POLICY | {"stances": POLICY["stances"] | {"explain": {"action": "pass"}}},
            "policy.yaml:7: R006 missing field 'escalate_at'",
        ),
    ],
)  # fmt: skip
def test_a_broken_policy_file_is_named_with_its_line(tmp_path: Path, policy: dict, problem: str):
    with pytest.raises(RuleError) as caught:
        load_profiles(write_rules(tmp_path, policy=policy))
    (found,) = caught.value.diagnostics
    assert str(replace(found, column=0)) == problem


def test_a_stance_without_a_ceiling_is_refused(tmp_path: Path):
    stances = {k: v for k, v in POLICY["stances"].items() if k != "recover"}
    with pytest.raises(RuleError, match="R006 missing field 'recover'"):
        load_profiles(write_rules(tmp_path, policy=POLICY | {"stances": stances}))


def test_by_default_the_classifier_alone_blocks_nobody(ruleset: Ruleset, tmp_path: Path):
    policy = {key: value for key, value in POLICY.items() if key != "classifier_alone"}
    cautious = profile_for(write_rules(tmp_path, policy=policy), "cn")
    assert label_of(decide(ruleset, cautious, "", 12.0)).action == "review"
    assert label_of(decide(ruleset, cautious, STRONG, 12.0)).action == "block"
