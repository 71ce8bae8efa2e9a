"""moderate rules test: what a failing test shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rule_support import context, rule, write_rules

from moderation.cli import main
from moderation.cli.carets import Mark, underlined
from moderation.evaluation.near_miss import near_misses
from moderation.rules import Ruleset, compile_rules
from moderation.types import NOT_SHOWN

if TYPE_CHECKING:
    from pathlib import Path


def shown(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    main(["rules", "test", str(folder), *options])
    return capsys.readouterr().out.splitlines()


def parts(folder: Path, post: str, **fields: Any) -> list[tuple[str, bool, list[str], str]]:
    """Return the near miss of a rule and a post: YAML, whether it holds, words, note."""
    rules = write_rules(folder, rule("r", **fields))
    (found,) = [r for r in compile_rules(rules).rules if r.id == "gambling.en.r"]
    (near,) = near_misses(rules, [(found, post)])
    return [(p.written, p.holds, [post[a:b] for a, b in p.spans], p.note) for p in near]


@pytest.mark.parametrize(
    ("text", "marks", "lines"),
    [
        ("the chips here", [Mark(4, 9)], ["the chips here", "    ^^^^^"]),
        ("要上分吗", [Mark(1, 3)], ["要上分吗", "  ^^^^"]),
        ("ｘ上x分", [Mark(3, 4)], ["ｘ上x分", "     ^^"]),
        ("e\u0301a b", [Mark(3, 5)], ["e\u0301a b", "  ^^"]),
        ("a\u200bb", [Mark(2, 3)], ["a\\u200bb", "       ^"]),
        ("one\ntwo", [Mark(4, 7)], ["one\\n", "two", "^^^"]),
        ("a b", [Mark(0, 1, "~"), Mark(0, 3)], ["a b", "~^^"]),
        ("plain", [], ["plain"]),
        ("", [], []),
    ],
)
def test_carets_stand_under_what_they_mean(text: str, marks: list[Mark], lines: list[str]):
    assert underlined(text, marks, 80) == lines


def test_long_lines_are_broken_at_the_width():
    assert underlined("一二三四五", [Mark(1, 4)], 4) == ["一二", "  ^^", "三四", "^^^^", "五"]


def test_of_many_lines_those_with_marks_stay():
    text = "\n".join(str(n) for n in range(30))
    lines = underlined(text, [Mark(len(text) - 2, len(text))], 80)
    assert lines[-2:] == ["29", "^^"]
    assert lines[:2] == ["0\\n", "1\\n"]
    assert "…" in lines


def test_a_failed_pass_shows_what_fired(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = write_rules(tmp_path, rule("r", any=["chips"], tests={"pass": ["我的 chips"]}))
    assert shown(folder, capsys) == [
        "gambling/pack.yaml:4: gambling.en.r: pass test",
        "    我的 chips",
        "         ^^^^^",
        "  - expected: gambling.en.r does not fire",
        "  + found:    it fires (strong)",
        "    gambling.en.r: “chips”@3-8",
        "",
        "0 passed, 1 failed",
    ]


def test_a_failed_hit_shows_which_condition_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    wanted = rule("r", all=["chips", {"cue": "contact"}], tests={"hit": ["chips here"]})
    other = rule("other", any=["here"])
    assert shown(write_rules(tmp_path, wanted, other), capsys) == [
        "gambling/pack.yaml:4: gambling.en.r: hit test",
        "    chips here",
        "    ~~~~~",
        "  - expected: gambling.en.r fires",
        "  + found:    it does not; instead: gambling.en.other (strong)",
        "    conditions of gambling.en.r:",
        "    fails  line 9     all",
        "    holds  line 10      chips  ← “chips”@0-5",
        "    fails  line 11      cue: contact",
        "",
        "0 passed, 1 failed",
    ]


def test_a_failed_explain_says_why_the_stance_is_not_innocent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    tests = {"explain": ["chips", "beware of chips, come and talk", "beware"]}
    folder = write_rules(
        tmp_path, rule("r", any=["chips"], tests=tests), context("c", "warn", any=["beware"])
    )
    found = [line for line in shown(folder, capsys) if line.startswith("  + found")]
    assert found == [
        "  + found:    the stance is offer: no context rule fires (cues: none)",
        "  + found:    the stance is offer: an offer of the author's own outweighs the context "
        "(cues: call)",
        "  + found:    no rule of gambling fires",
    ]


@pytest.mark.parametrize("kind", ["hit", "pass"])
def test_words_about_minors_are_never_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
):
    hidden = {
        "id": "porn.en.minors-x",
        "title": "t",
        "sub_label": "porn.minors",
        "stance": "offer",
        "level": "strong",
        "all": ["firstword", "secondword"],
        "tests": {kind: ["firstword alone" if kind == "hit" else "firstword secondword"]},
    }
    lines = shown(write_rules(tmp_path, hidden), capsys)
    assert "1 failed" in lines[-1]
    assert f"    {NOT_SHOWN}" in lines
    assert "word" not in "\n".join(lines)


def test_a_post_on_which_such_a_rule_fires_is_not_shown_either(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    hidden = {
        "id": "porn.en.minors-x",
        "title": "t",
        "sub_label": "porn.minors",
        "stance": "offer",
        "level": "strong",
        "any": ["firstword"],
    }
    wanted = rule("r", any=["chips"], tests={"pass": ["chips and firstword"]})
    assert "firstword" not in "\n".join(shown(write_rules(tmp_path, hidden, wanted), capsys))


def test_one_rule_can_be_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rules = [rule(n, any=["chips"], tests={"hit": ["chips"], "pass": ["x"]}) for n in ("a", "b")]
    folder = write_rules(tmp_path, *rules)
    assert shown(folder, capsys, "--rule", "gambling.en.a") == ["2 passed, 0 failed"]
    assert main(["rules", "test", str(folder), "--rule", "gambling.en.aa"]) == 2
    assert "did you mean gambling.en.a" in capsys.readouterr().err


def test_nothing_is_coloured_outside_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = write_rules(tmp_path, rule("r", any=["chips"], tests={"pass": ["chips"]}))
    assert "\x1b" not in "\n".join(shown(folder, capsys))


def test_colours_mark_expected_and_found(tmp_path: Path):
    from moderation.cli.rule_failures import failure_lines
    from moderation.rules.selftest import run_rule_tests

    folder = write_rules(tmp_path, rule("r", any=["chips"], tests={"pass": ["chips"]}))
    (failure,) = run_rule_tests(Ruleset(compile_rules(folder))).failures
    lines = failure_lines(failure, (), 80, colour=True)
    assert lines[2] == "    \x1b[36m^^^^^\x1b[0m"
    assert lines[3].startswith("\x1b[31m  - expected")
    assert lines[4].startswith("\x1b[32m  + found")


def test_a_near_that_is_too_far_says_how_far(tmp_path: Path):
    found = parts(tmp_path, "chips are what we sell", near=["chips", "sell"], within=5)
    assert found == [
        ("near: - chips - sell within: 5", False, [],
         "every item holds, but 13 characters lie between them"),
        ("chips", True, ["chips"], ""),
        ("sell", True, ["sell"], ""),
    ]  # fmt: skip


def test_a_near_whose_items_overlap_says_so(tmp_path: Path):
    found = parts(tmp_path, "卖大麻种子", near=["大麻", "大麻种子"], within=5)
    assert found[0][3] == "the same stretch would serve twice"


def test_a_veto_is_named_with_its_words(tmp_path: Path):
    found = parts(tmp_path, "chips at school", any=["chips"], none=["school", "exam"])
    assert found == [
        ("any: - chips", True, ["chips"], ""),
        ("none: - school - exam", False, [], ""),
        ("school", False, ["school"], "is a veto"),
    ]


def test_a_word_that_an_exception_covers_is_named(tmp_path: Path):
    found = parts(tmp_path, "fish and chips", any=["chips"], exceptions=["fish and chips"])
    assert found == [("any: - chips", False, [], "found, but an exception of the rule covers it")]


def test_a_word_inside_a_longer_one_is_named(tmp_path: Path):
    found = parts(tmp_path, "casinos", any=["casino"])
    assert found[0][3] == "'casino' stands inside a longer word"


def test_of_an_any_only_what_partly_holds_is_told(tmp_path: Path):
    groups = [{"all": ["chips", "sell"]}, {"all": ["poker", "room"]}]
    found = parts(tmp_path, "chips here", any=groups)
    assert [(written, holds) for written, holds, _, _ in found[1:]] == [
        ("all", False), ("chips", True), ("sell", False),
    ]  # fmt: skip


def test_a_pattern_bound_to_the_ends_of_a_post_is_judged_on_the_post_itself(tmp_path: Path):
    whole = {"regex": "^chips now$", "require": ["chips"]}
    found = parts(tmp_path, "chips now", all=[whole, "poker"])
    assert [holds for _, holds, _, _ in found] == [False, True, False]


def test_lists_are_looked_up(tmp_path: Path):
    rules = write_rules(
        tmp_path,
        rule("r", all=[{"list": "words"}, "poker"]),
        lists={"words": ["chips"]},
    )
    (found,) = compile_rules(rules).rules
    (near,) = near_misses(rules, [(found, "chips")])
    assert [(p.depth, p.holds, p.spans) for p in near] == [
        (0, False, ()), (1, True, ((0, 5),)), (1, False, ()),
    ]  # fmt: skip


def test_a_post_without_words_has_no_near_miss(tmp_path: Path):
    assert parts(tmp_path, "🎰", any=["chips"]) == []
