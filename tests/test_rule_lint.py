"""The lint: what compiles and is still likely a mistake, with its code, and what is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rule_support import context, rule, write_rules

from moderation.rules import compile_rules
from moderation.rules.backtracking import LONGEST_MS, shape_problem, slowest
from moderation.rules.lint import lint_rules, ordinary_counts

if TYPE_CHECKING:
    from pathlib import Path

TESTED = {
    "hit": ["casino one"],
    "pass": ["no game"],
    "evasion": ["c.a.s.i.n.o"],
    "explain": ["warning"],
}


def said(
    folder: Path, *rules: dict, counts: dict[str, int] | None = None, **options: Any
) -> list[str]:
    """Return code and message of everything the lint says, but of missing tests."""
    known = None if counts is None else lambda term: counts.get(term, 0)
    found = lint_rules(write_rules(folder, *rules, **options), known).diagnostics
    return [f"{d.code} {d.severity}: {d.message}" for d in found if d.code != "L103"]


def block(name: str, **fields: Any) -> dict:
    return {"id": f"gambling.en.{name}", "title": name, "private": True} | fields


TERMS = [
    (
        rule("a", any=["casino"], exceptions=["casino"]),
        "L101 error: 'casino' is a term of the rule as well: an exception covers shorter terms "
        "only",
    ),
    (
        rule("a", any=["casino"], exceptions=["poker night"]),
        "L101 warning: the exception 'poker night' covers no term of the rule",
    ),
    (
        rule("a", any=["casino"], none=["film"], exceptions=["casino film"]),
        "L101 warning: the exception 'casino film' covers the veto 'film': there it is no veto",
    ),
    (
        rule("a", any=["娱楽"]),
        "L106 warning: the term '娱楽' is folded to '娱乐' (traditional): write that",
    ),
    (
        rule("a", any=["casino", "poker", "Casino"]),
        "L107 warning: the term 'Casino' stands twice (line 10)",
    ),
    (
        rule("a", any=["casino", "best casino"]),
        "L107 warning: the term 'best casino' adds nothing to 'casino'",
    ),
    (
        rule("a", any=["上下分", "代上下分"]),
        "L107 warning: the term '代上下分' adds nothing to '上下分'",
    ),
    (
        rule("a", any=["casino", "casino*"]),
        "L107 warning: the term 'casino' adds nothing to 'casino*'",
    ),
    (
        rule("a", all=["casino"], none=["write to us"]),
        "L109 warning: the veto 'write to us' is a word of offers (a cue)",
    ),
    (
        rule("a", all=["casino"], none=["me"]),
        "L109 warning: the veto 'me' is a common word: easy to hide behind",
    ),
    (
        rule("a", all=["casino", {"regex": "win [0-9]"}]),
        "L110 warning: the pattern has no 'require': it is tried on every candidate post",
    ),
]


@pytest.mark.parametrize(("given", "expected"), TERMS, ids=[e[:40] for _, e in TERMS])
def test_a_likely_mistake_is_told(tmp_path: Path, given: dict, expected: str):
    assert said(tmp_path, given) == [expected]


@pytest.mark.parametrize(
    "given",
    [
        rule("a", any=["casino"], exceptions=["casino royale"]),
        rule("a", any=["Ｃasino", "❄️"]),
        rule("a", any=["casino", "mycasino", "casinos", "casi"]),
        rule("a", any=["casino", "casinos*"]),
        rule("a", near=["casino", "best casino"], within=20),
        rule("a", all=["casino"], none=["film", "考试"]),
        rule("a", all=["casino", {"regex": "win [0-9]", "require": ["win"]}]),
    ],
)
def test_what_is_well_made_is_left_alone(tmp_path: Path, given: dict):
    assert said(tmp_path, given) == []


def test_a_rule_may_allow_what_it_says_why(tmp_path: Path):
    given = rule("a", any=["casino"], exceptions=["poker night"], allow=["L101"], notes="Later.")
    assert said(tmp_path, given) == []


@pytest.mark.parametrize(
    ("fields", "loud"),
    [
        ({"any": ["casino"]}, True),
        ({"any": [{"list": "games"}]}, True),
        ({"any": ["casino"], "none": ["film"]}, True),
        ({"any": ["casino"], "level": "weak"}, False),
        ({"all": ["casino", "bonus"]}, False),
        ({"any": ["poker"]}, False),
    ],
)
def test_an_ordinary_word_that_stands_alone_is_told(tmp_path: Path, fields: dict, loud: bool):
    found = said(tmp_path, rule("a", **fields), counts={"casino": 120}, lists={"games": ["casino"]})
    wanted = [
        "L105 warning: the term 'casino' stands in 120 of a million ordinary posts, and makes "
        "gambling.en.a fire by itself"
    ]
    assert [line for line in found if line.startswith("L105")] == (wanted if loud else [])


def test_counts_are_read_from_the_table_of_ordinary_language(tmp_path: Path):
    folder = write_rules(tmp_path, rule("a", any=["casino"]))
    assert ordinary_counts(compile_rules(folder)) is None
    # 32-bit FNV-1a of "a" and of U+0001 before "b".
    in_han = ((((2166136261 ^ 1) * 16777619) % 2**32) ^ ord("b")) * 16777619 % 2**32
    keys = np.array([0xE40C292C, in_han], np.uint32)
    order = np.argsort(keys)
    counts = np.array([7, 9], np.uint16)
    path = folder / "fold" / "ordinary.npz"
    np.savez(path, key=keys[order], per_million=counts[order])
    per_million = ordinary_counts(compile_rules(folder))
    assert per_million is not None
    assert [per_million(term) for term in ("a", "b", "c")] == [7, 9, 0]
    assert per_million("two words") is per_million("五个汉字了") is None


def test_what_nobody_names_is_told(tmp_path: Path):
    found = said(
        tmp_path,
        rule("a", any=[{"list": "used"}, {"rule": "gambling.en.named"}]),
        block("named", any=["poker"]),
        block("idle", any=["bridge"]),
        lists={"used": [{"list": "inner"}], "inner": ["casino"], "spare": ["lotto"]},
        shared={"far": ["bingo"]},
    )
    assert found == [
        "L108 warning: nothing names the list 'spare'",
        "L108 warning: nothing names the private rule 'gambling.en.idle'",
        "L108 warning: nothing names the list 'far'",
    ]


BOTH = "L104 error: the text is {!r} here and 'hit' of gambling.en.a: both cannot be wanted"
AGAIN = "L104 warning: the text is already 'hit' of gambling.en.a (gambling/pack.yaml:13)"


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ({"hit": ["x y"], "pass": ["x y"]}, {}, BOTH.format("pass")),
        ({"hit": ["x y"]}, {"explain": ["x y"]}, BOTH.format("explain")),
        ({"hit": ["x y"]}, {"pass": [" x y"]}, AGAIN),
        ({"hit": ["x y", "x y"]}, {}, AGAIN),
        ({"hit": ["x y"]}, {"hit": ["x z"]}, None),
    ],
)
def test_tests_that_contradict_or_repeat_others_are_told(
    tmp_path: Path, one: dict, two: dict, expected: str | None
):
    found = said(tmp_path, rule("a", any=["x"], tests=one), rule("b", any=["x"], tests=two))
    assert found == ([] if expected is None else [expected])


def test_tests_of_two_policies_may_share_a_post(tmp_path: Path):
    talk = context("c", "warn", any=["x"], tests={"hit": ["x y"]})
    assert said(tmp_path, rule("a", any=["x"], tests={"explain": ["x y"]}), talk) == []


def test_missing_tests_are_told_of_private_rules_too(tmp_path: Path):
    rules = (
        rule("a", any=[{"rule": "gambling.en.b"}], tests=TESTED),
        block("b", any=["casino"], tests={"hit": ["casino"]}),
    )
    found = lint_rules(write_rules(tmp_path, *rules)).diagnostics
    assert [f"{d.code} {d.message}" for d in found] == ["L103 the rule has no pass test"]


@pytest.mark.parametrize(
    "pattern",
    [r"(?:a+b?)+", r"(?:\w+\d*)*x", r"((a|b)+)*c", r"(?:[ab]|b)+", r"(?:ab|a)*", r"(?:.{0,40})+"],
)
def test_a_shape_that_backtracks_without_end_is_told(pattern: str):
    assert shape_problem(pattern) is not None


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:\w+ )+",
        r"(?:ab|cd|ae)*",
        r"a+b+",
        r"(?:a++b?)+",
        r"(?>a+b?)+x",
        r"(?:\d{1,3},)*\d+",
        r"(?<![a-z])(?:号|[@:]|➕)*x",
        r"[[a-z]--[aeiou]]+",
        r"\p{L}+(?: \p{L}+)*",
        r"[]a]+\]",
    ],
)
def test_a_harmless_shape_is_left_alone(pattern: str):
    assert shape_problem(pattern) is None


@pytest.mark.parametrize("pattern", [r"(x+x+)+y", r"(?:a|aa)+c", r"(?:\w+\s?)*stop"])
def test_a_pattern_that_runs_away_takes_too_long(tmp_path: Path, pattern: str):
    assert slowest(pattern, []) > LONGEST_MS
    given = rule("a", all=["casino", {"regex": pattern, "require": ["x"]}])
    (found,) = said(tmp_path, given)
    assert found.startswith("L102 error: the pattern takes ")


def test_a_shape_that_the_clock_does_not_confirm_is_a_warning(tmp_path: Path):
    given = rule("a", all=["casino", {"regex": r"casino(?:[+-]*,?)*", "require": ["casino"]}])
    assert said(tmp_path, given) == [
        "L102 warning: the pattern has an unbounded quantifier inside another"
    ]
