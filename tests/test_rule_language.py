"""What rule files share and say besides conditions: lists, private rules, days, severity."""

from __future__ import annotations

import pickle
from datetime import date
from typing import TYPE_CHECKING

import pytest
from rule_support import POLICY, compiled, context, fired, rule, write_rules

from moderation import Moderator
from moderation.cli import main
from moderation.errors import RuleError
from moderation.rules import compile_rules, load_ruleset
from moderation.rules.literals import LiteralTable
from moderation.rules.selftest import run_rule_tests

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.text import FoldTable


def block(name: str, **fields: object) -> dict:
    """Return a private rule."""
    return {"id": f"gambling.en.{name}", "title": name, "private": True} | fields


def codes(folder: Path, *rules: dict, **options: object) -> list[str]:
    with pytest.raises(RuleError) as caught:
        compile_rules(write_rules(folder, *rules, **options))
    return [f"{d.path}: {d.code} {d.message}" for d in caught.value.diagnostics]


# ---- lists


def test_a_shared_list_is_visible_in_every_pack_and_in_cues(tmp_path: Path):
    ruleset = compiled(
        tmp_path,
        rule("game", any=[{"list": "games"}]),
        rule("cue", all=["win", {"cue": "price"}]),
        rule("drug", any=[{"list": "games"}])
        | {"id": "drugs.en.drug", "sub_label": "drugs.sale", "policy": "drugs"},
        context("talk", "explain", any=[{"list": "games"}]),
        cues={"price": [{"list": "games"}]},
        shared={"games": ["casino", "poker"]},
    )
    assert fired(ruleset, "poker night, win") == ["drug", "game", "cue", "talk"]


def test_lists_include_lists_in_any_order(tmp_path: Path):
    ruleset = compiled(
        tmp_path,
        rule("game", any=[{"list": "games"}]),
        lists={"games": [{"list": "cards"}, {"list": "far"}, "lotto"], "cards": ["bridge"]},
        shared={"far": [{"list": "tables"}], "tables": ["roulette"]},
    )
    for post in ("bridge", "roulette", "lotto"):
        assert fired(ruleset, post) == ["game"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (
            {"lists": {"a": [{"list": "b"}], "b": ["x", {"list": "a"}]}},
            "gambling/pack.yaml: R014 list 'a' includes itself",
        ),
        (
            {"shared": {"a": [{"list": "a"}]}},
            "lists/shared.yaml: R014 list 'a' includes itself",
        ),
        (
            {"lists": {"a": ["poker"]}, "shared": {"a": ["casino"]}},
            "gambling/pack.yaml: R013 list 'a' is already written at lists/shared.yaml:3",
        ),
        (
            {"shared": {"a": [{"list": "local"}]}, "lists": {"local": ["casino"]}},
            "lists/shared.yaml: R009 unknown list 'local'; known: a",
        ),
    ],
)
def test_a_list_that_cannot_be_is_refused(tmp_path: Path, options: dict, found: str):
    assert found in codes(tmp_path, rule("game", any=["casino"]), **options)


def test_two_files_may_have_a_local_list_of_one_name(tmp_path: Path):
    other = rule("sale", any=[{"list": "words"}]) | {
        "id": "drugs.en.sale",
        "sub_label": "drugs.sale",
    }
    ruleset = compiled(
        tmp_path, rule("game", any=[{"list": "words"}]), other, lists={"words": ["casino"]}
    )
    assert fired(ruleset, "casino") == ["sale", "game"]


# ---- private rules


def test_a_private_rule_is_a_part_of_others_and_no_match_by_itself(tmp_path: Path):
    ruleset = compiled(
        tmp_path,
        rule("offer", all=[{"rule": "gambling.en.place"}, "bonus"]),
        block("place", any=["casino", {"rule": "gambling.en.room"}]),
        block("room", near=["card", "room"], within=5),
    )
    assert fired(ruleset, "casino") == []
    assert fired(ruleset, "casino bonus") == fired(ruleset, "card room bonus") == ["offer"]
    assert [r.id for r in ruleset.private] == ["gambling.en.place", "gambling.en.room"]
    assert [r.id for r in ruleset.rules] == ["gambling.en.offer"]


def test_a_private_rule_brings_its_exceptions_along(tmp_path: Path):
    ruleset = compiled(
        tmp_path,
        rule("offer", any=[{"rule": "gambling.en.place"}]),
        block("place", any=["casino"], exceptions=["casino royale"]),
    )
    assert fired(ruleset, "casino royale, the film") == []
    assert fired(ruleset, "our casino") == ["offer"]


def test_a_private_rule_is_seen_across_packs(tmp_path: Path):
    talk = context("talk", "explain", any=[{"rule": "gambling.en.place"}])
    assert fired(compiled(tmp_path, talk, block("place", any=["casino"])), "casino") == ["talk"]


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (
            [
                block("a", any=[{"rule": "gambling.en.b"}]),
                block("b", any=[{"rule": "gambling.en.a"}]),
            ],
            "gambling/pack.yaml: R014 private rule 'gambling.en.a' contains itself",
        ),
        (
            [rule("a", any=[{"rule": "gambling.en.x"}]), block("b", any=["casino"])],
            "gambling/pack.yaml: R015 unknown private rule 'gambling.en.x'; known: gambling.en.b",
        ),
        (
            [rule("a", any=[{"rule": "gambling.en.b"}]), rule("b", any=["casino"])],
            "gambling/pack.yaml: R015 unknown private rule 'gambling.en.b'; known: none",
        ),
        (
            [block("a", any=["casino"], stance="offer")],
            "gambling/pack.yaml: R004 unknown field 'stance'; known: id, title, private, any, all, "
            "near, within, across, none, exceptions, allow, notes, tags, tests",
        ),
        (
            [block("a", any=["casino"], tests={"evasion": ["c.a.s.i.n.o"]})],
            "gambling/pack.yaml: R004 unknown field 'evasion'; known: hit, pass",
        ),
        (
            [block("a", any=["casino"]) | {"private": "yes please"}],
            "gambling/pack.yaml: R007 expected one of true, false, found 'yes please'",
        ),
    ],
)  # fmt: skip
def test_a_private_rule_that_cannot_be_is_refused(tmp_path: Path, rules: list, problem: str):
    assert problem in codes(tmp_path, *rules)


def test_a_private_rules_own_tests_ask_whether_it_holds(tmp_path: Path):
    ruleset = compiled(
        tmp_path,
        rule("offer", all=[{"rule": "gambling.en.reach"}, "casino"]),
        block("reach", any=[{"cue": "contact"}], tests={"hit": ["write to us"], "pass": ["no"]}),
        block("wrong", any=["poker"], tests={"hit": ["bridge"], "pass": ["poker night"]}),
    )
    report = run_rule_tests(ruleset)
    assert report.passed == 2
    assert [(f.rule_id, f.kind, f.reason) for f in report.failures] == [
        ("gambling.en.wrong", "hit", "expected a match, the rule does not hold"),
        ("gambling.en.wrong", "pass", "expected no match, the rule holds on 0-5 (base)"),
    ]


# ---- days

SUMMER = {"enabled_from": "2026-06-01", "enabled_until": "2026-09-01"}


@pytest.mark.parametrize(
    ("day", "on"),
    [
        (date(2026, 5, 31), False),
        (date(2026, 6, 1), True),
        (date(2026, 8, 31), True),
        (date(2026, 9, 1), False),
    ],
)
def test_a_rule_counts_from_its_first_day_and_not_on_its_last(tmp_path: Path, day: date, on: bool):
    rules = write_rules(
        tmp_path, rule("cup", any=["casino"], **SUMMER), rule("all", any=["casino"])
    )
    expected = ["cup", "all"] if on else ["all"]
    assert fired(load_ruleset(rules, day), "casino") == expected
    assert fired(load_ruleset(rules), "casino") == ["cup", "all"]


@pytest.mark.parametrize(
    "days", [SUMMER, {"enabled_from": "2126-01-01"}, {"enabled_until": "2020-01-01"}]
)
def test_the_tests_of_a_rule_run_on_a_day_when_it_counts(tmp_path: Path, days: dict):
    tests = {"hit": ["casino"], "pass": ["poker"]}
    ruleset = compiled(tmp_path, rule("cup", any=["casino"], tests=tests, **days))
    for day in (None, date(2026, 1, 1), date(2026, 7, 1), date(2026, 12, 1)):
        assert run_rule_tests(ruleset, as_of=day).failures == ()


@pytest.mark.parametrize(
    ("days", "problem"),
    [
        ({"enabled_from": "1 June"}, "expected a date like 2026-01-31, found '1 June'"),
        ({"enabled_until": "20260601"}, "expected a date like 2026-01-31, found '20260601'"),
        (
            {"enabled_from": "2026-06-01", "enabled_until": "2026-06-01"},
            "expected a day after 'enabled_from' (2026-06-01), found 2026-06-01",
        ),
    ],
)
def test_days_that_cannot_be_are_refused(tmp_path: Path, days: dict, problem: str):
    given = rule("cup", any=["casino"], **days)
    assert codes(tmp_path, given) == [f"gambling/pack.yaml: R007 {problem}"]


def test_a_moderator_holds_its_day(tmp_path: Path):
    rules = write_rules(tmp_path, rule("cup", any=["casino"], **SUMMER))
    inside = Moderator(rules=rules, as_of=date(2026, 7, 1))
    outside = Moderator(rules=rules, as_of=date(2026, 10, 1))
    assert inside.check("our casino bonus").action == "block"
    assert all(label.sub_label is None for label in outside.check("our casino bonus").labels)
    assert pickle.loads(pickle.dumps(inside)).as_of == date(2026, 7, 1)
    assert Moderator(rules=rules).as_of is not None


# ---- severity


@pytest.mark.parametrize(
    ("rules", "risk"),
    [
        ([rule("a", any=["casino"])], "high"),
        ([rule("a", any=["casino"], severity="low")], "low"),
        ([rule("a", any=["casino"], severity="low"), rule("b", any=["bonus"])], "high"),
        ([rule("a", any=["casino"], level="medium", severity="high")], "high"),
        ([rule("a", any=["casino"], severity="low"),
          rule("b", any=["bonus"], level="medium", severity="high")], "low"),
    ],
)  # fmt: skip
def test_severity_is_what_a_rule_makes_of_the_risk(tmp_path: Path, rules: list, risk: str):
    folder = write_rules(tmp_path, *rules, policy=POLICY | {"classifier_alone": "pass"})
    assert Moderator(rules=folder).check("casino bonus").risk_level == risk


def test_severity_counts_for_nothing_where_the_post_passes(tmp_path: Path):
    folder = write_rules(
        tmp_path,
        rule("a", any=["casino"], severity="high"),
        context("c", "warn", any=["beware"]),
        policy=POLICY | {"classifier_alone": "pass"},
    )
    verdict = Moderator(rules=folder).check("beware of the casino")
    assert (verdict.action, verdict.risk_level) == ("pass", "low")


def test_a_context_rule_has_no_severity(tmp_path: Path):
    given = context("c", "warn", any=["beware"], severity="high")
    assert codes(tmp_path, given) == ["context/pack.yaml: R004 a context rule has no 'severity'"]


# ---- the command line


def test_scan_and_explain_take_the_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rules = write_rules(tmp_path, rule("cup", any=["teapot"], **SUMMER))
    for day, shown in (("2026-07-01", True), ("2026-10-01", False)):
        assert main(["explain", "our teapot", "--rules", str(rules), "--as-of", day]) == 0
        assert ("gambling.en.cup" in capsys.readouterr().out) is shown
    assert main(["explain", "x", "--rules", str(rules), "--as-of", "July"]) == 2


def test_check_lints_only_where_it_is_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rules = write_rules(tmp_path, rule("cup", any=["teapot", "big teapot"]))
    assert main(["rules", "check", str(rules)]) == 0
    capsys.readouterr()
    assert main(["rules", "check", str(rules), "--strict"]) == 2
    shown = capsys.readouterr()
    assert [line.split(" ")[1] for line in shown.out.splitlines()] == ["L103"]
    assert shown.err == "1 warnings (L107 1); --warnings prints them\n1 errors\n"
    assert main(["rules", "check", str(rules), "--strict", "--warnings"]) == 2
    shown = capsys.readouterr()
    assert [line.split(" ")[1] for line in shown.out.splitlines()] == ["L103", "L107"]


def test_a_warning_alone_does_not_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    tests = {"hit": ["a teapot"], "pass": ["a cup"], "evasion": ["a t.e.a.p.o.t"],
             "explain": ["no teapot here, it gets removed"]}  # fmt: skip
    rules = write_rules(tmp_path, rule("cup", any=["teapot", "big teapot"], tests=tests))
    assert main(["rules", "check", str(rules), "--strict"]) == 0
    assert capsys.readouterr().err == "1 warnings (L107 1); --warnings prints them\n"


def test_terms_folded_ahead_of_time_are_the_same(table: FoldTable):
    words = [
        "*Ｃasino*",
        "發財",
        "c-a-s-i-n-o",
        "free  spins",
        "dolls",
        "㎏",
        "tg",
        "*",
        "**",
        "㊙️图",
    ]
    one, many = LiteralTable(table), LiteralTable(table)
    many.prepare(words)
    assert [one.add(word) for word in words] == [many.add(word) for word in words]
    assert list(one.index) == list(many.index)
