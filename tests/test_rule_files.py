"""Broken rule files: what is wrong, where, under which stable code, everything at once.

Columns are left to the golden files; see test_rule_diagnostics.py.
"""

from __future__ import annotations

import re
from dataclasses import replace
from textwrap import dedent, indent
from typing import TYPE_CHECKING

import pytest
from rule_support import compiled, context, fired, rule, write_rules

from moderation.errors import DataNotFoundError, RuleError
from moderation.rules import (
    CUES,
    compile_rules,
    load_ruleset,
    rules_digest,
)

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """\
schema: 1
policy: gambling
lists:
  games: [casino, poker]
  none-yet: []
rules:
  - id: gambling.en.broken
    title: A rule under test
    sub_label: gambling.promotion
    stance: offer
    level: strong
"""
"""Eleven lines; what a case adds begins on line 12."""


def problems(folder: Path, *, strict: bool = False) -> list[str]:
    with pytest.raises(RuleError) as caught:
        compile_rules(folder, strict=strict)
    assert str(caught.value).splitlines() == [str(d) for d in caught.value.diagnostics]
    return [str(replace(d, column=0)) for d in caught.value.diagnostics]


def with_file(folder: Path, content: str | bytes, name: str = "gambling/pack.yaml") -> Path:
    rules = write_rules(folder)
    path = rules / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return rules


def with_rule(folder: Path, body: str) -> Path:
    return with_file(folder, HEAD + indent(dedent(body), "    "))


IN_A_RULE = [
    ("any: casino", 12, "R003 expected a list, found a scalar"),
    ("any: {list: games}", 12, "R003 expected a list, found a mapping"),
    ("any: [[casino]]", 12, "R003 expected a mapping, found a list"),
    ("any: [casino]\nnotes: [a, b]", 13, "R003 expected a string, found a list"),
    ("any: [casino]\nlanguages: zh", 13, "R003 expected a list, found a scalar"),
    ("any: [casino]\ntests: {hit: casino}", 13, "R003 expected a list, found a scalar"),
    ("any: [{word: casino}]", 12,
     "R004 unknown field 'word'; known: list, regex, require, cue, rule, any, all, none, near, "
     "within, across, in"),
    ("any: [casino]\nwithin: 3", 13, "R004 'within' belongs to 'near'"),
    ("any: [casino]\ntests: {hits: [casino]}", 13,
     "R004 unknown field 'hits'; known: hit, pass, evasion, explain"),
    ("any: [casino]\nany: [poker]", 13, "R005 field 'any' stands twice"),
    ("none: [casino]", 7, "R006 a rule needs 'any', 'all', 'near' or 'across'"),
    ("any: []", 12, "R006 expected at least one item"),
    ("any: [casino]\nnone: []", 13, "R006 expected at least one item"),
    ("any: [{list: games, cue: price}]", 12, "R006 expected exactly one condition in an item"),
    ("near: [casino, bonus]", 12, "R006 'near' needs 'within'"),
    ("near: [casino]\nwithin: 5", 12, "R006 'near' needs two items or more"),
    ("near: [casino, bonus]\nwithin: far", 13,
     "R007 expected a whole number from 1 to 1000, found 'far'"),
    ("near: [casino, bonus]\nwithin: 1001", 13,
     "R007 expected a whole number from 1 to 1000, found '1001'"),
    ("any: [{cue: money}]", 12,
     "R007 expected one of contact, handle, call, price, delivery, link, quantity, age, ask, "
     "porn_sign, drugs_sign, gambling_sign, "
     "found 'money'"),
    (
            "any: [casino]\nviews: [loud]",
            13,
            "R007 expected one of base, compact, shape, sound, found 'loud'",
        ),
    ("any: [casino]\nlanguages: [fr]", 13,
     "R007 expected one of zh, en, mixed, other, found 'fr'"),
    ("any: [casino]\npolicy: drugs", 13, "R007 expected one of gambling, found 'drugs'"),
    ("any: [{list: cards}]", 12, "R009 unknown list 'cards'; known: games, none-yet"),
    ('any: ["\u200b"]', 12, "R010 nothing is left of the term '\\u200b' when folded"),
    ("any: [casino]\nexceptions: ['**']", 13, "R010 nothing is left of the term '**' when folded"),
    ("any: [{cue: price}]", 7,
     "R011 rule gambling.en.broken has no literal to start from: give it a term, a list, or a "
     "regex with 'require'"),
    ("any: [casino, {cue: price}]", 7,
     "R011 rule gambling.en.broken has no literal to start from: give it a term, a list, or a "
     "regex with 'require'"),
    ("any: [{regex: 'win [0-9]+'}]", 7,
     "R011 rule gambling.en.broken has no literal to start from: give it a term, a list, or a "
     "regex with 'require'"),
    ("any: [{regex: '(win', require: [win]}]", 12,
     "R012 not a regular expression: missing ) at position 4"),
    ("any: [{regex: 'w*', require: [win]}]", 12, "R012 the expression matches the empty string"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "line", "message"), IN_A_RULE, ids=[f"{m[:4]} {b}" for b, _, m in IN_A_RULE]
)
def test_a_mistake_in_a_rule_is_named_with_file_and_line(
    tmp_path: Path, body: str, line: int, message: str
):
    assert problems(with_rule(tmp_path, body)) == [f"gambling/pack.yaml:{line}: {message}"]


IN_A_FILE = [
    (b"schema: 1 # \xff\n", ": R001 expected UTF-8, found byte 0xff"),
    ("a: [\n", ":2: R002 not valid YAML: did not find expected node content"),
    (
        "a: \x00\n",
        ": R002 not valid YAML: unacceptable character #x0000: control characters are not allowed",
    ),
    ("schema: 1\n---\nschema: 1\n", ":2: R002 not valid YAML: but found another document"),
    ("- a\n", ": R003 expected a mapping at the top, found a list"),
    ("", ": R003 expected a mapping at the top, found nothing"),
    ("schema: 1\npolicy: gambling\nrules:\n", ":3: R003 expected a list, found a scalar"),
    (
        "schema: 1\npolicy: gambling\nrules:\n  - casino\n",
        ":4: R003 expected a mapping, found a scalar",
    ),
    (
        "schema: 1\npolicy: gambling\nrules: []\nauthor: me\n",
        ":4: R004 unknown field 'author'; known: schema, policy, lists, rules",
    ),
    ("schema: 1\nrules: []\n", ":1: R006 missing field 'policy'"),
    (
        "schema: 2\npolicy: gambling\nrules: []\n",
        ":1: R007 expected a whole number from 1 to 1, found '2'",
    ),
    (
        "schema: 1\npolicy: porn\nrules: []\n",
        ":2: R007 expected one of gambling, found 'porn'",
    ),
    (
        "schema: 1\npolicy: gambling\nlists:\n  a: [{list: b}]\nrules: []\n",
        ":4: R009 unknown list 'b'; known: a",
    ),
]


@pytest.mark.parametrize(("content", "problem"), IN_A_FILE, ids=[p for _, p in IN_A_FILE])
def test_a_mistake_in_a_file_is_named_with_file_and_line(
    tmp_path: Path, content: str | bytes, problem: str
):
    assert problems(with_file(tmp_path, content)) == [f"gambling/pack.yaml{problem}"]


@pytest.mark.parametrize(
    ("line", "written", "message"),
    [
        (7, "- id: Casino", "R007 expected an id like gambling.zh.top-up, found 'Casino'"),
        (
            7,
            "- id: drugs.en.casino",
            "R007 id 'drugs.en.casino' must start with 'gambling'",
        ),
        (
            9,
            "  sub_label: drugs.sale",
            "R007 expected one of gambling.promotion, gambling.tips, gambling.recruiting, "
            "gambling.seeking, found 'drugs.sale'",
        ),
        (
            10,
            "  stance: warn",
            "R007 expected one of offer, seek, engage, instruct, found 'warn'",
        ),
        (11, "  level: huge", "R007 expected one of weak, medium, strong, found 'huge'"),
    ],
)
def test_a_value_outside_its_choices_is_named(
    tmp_path: Path, line: int, written: str, message: str
):
    lines = [*HEAD.splitlines(), "    any: [casino]"]
    lines[line - 1] = f"  {written}"
    assert problems(with_file(tmp_path, "\n".join(lines))) == [
        f"gambling/pack.yaml:{line}: {message}"
    ]


def test_every_required_field_of_a_rule_is_asked_for(tmp_path: Path):
    content = "schema: 1\npolicy: gambling\nrules:\n  - any: [casino]\n"
    assert problems(with_file(tmp_path, content)) == [
        f"gambling/pack.yaml:4: R006 missing field {field!r}"
        for field in ("id", "title", "stance", "sub_label", "level")
    ]


def test_an_id_may_stand_once_in_the_whole_folder(tmp_path: Path):
    rules = write_rules(tmp_path, rule("twin", any=["casino"]))
    first = (rules / "gambling" / "pack.yaml").read_bytes()
    (rules / "gambling" / "second.yaml").write_bytes(first)
    assert problems(rules) == [
        "gambling/second.yaml:4: R008 id 'gambling.en.twin' is already used at gambling/pack.yaml:4"
    ]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"level": "weak"}, "R004 a context rule has no 'level'"),
        ({"sub_label": "gambling.tips"}, "R004 a context rule has no 'sub_label'"),
        (
            {"stance": "offer"},
            "R007 expected one of explain, warn, report, recover, figurative, found 'offer'",
        ),
    ],
)
def test_a_context_rule_reads_a_stance_and_nothing_else(tmp_path: Path, fields: dict, problem: str):
    rules = write_rules(tmp_path, context("beware", "warn", any=["beware"]) | fields)
    (found,) = problems(rules)
    assert found.startswith("context/pack.yaml:")
    assert found.endswith(f": {problem}")


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "hit, pass, evasion, explain"),
        ({"hit": ["casino"], "pass": ["cat"]}, "evasion, explain"),
        ({"hit": [], "pass": ["cat"], "evasion": ["c.a.s.i.n.o"], "explain": ["no casino"]}, "hit"),
    ],
)
def test_strict_refuses_a_rule_without_its_tests(tmp_path: Path, given: dict, missing: str):
    rules = write_rules(tmp_path, rule("untested", any=["casino"], tests=given))
    assert problems(rules, strict=True) == [
        f"gambling/pack.yaml:4: L103 the rule has no {missing} test"
    ]


def test_strict_asks_a_weak_rule_for_no_explain_test(tmp_path: Path):
    tests = {"hit": ["casino"], "pass": ["cat"], "evasion": ["c.a.s.i.n.o"]}
    rules = write_rules(tmp_path, rule("loaded", any=["casino"], level="weak", tests=tests))
    assert len(compile_rules(rules, strict=True).rules) == 1


def test_strict_asks_a_context_rule_for_hit_and_pass_alone(tmp_path: Path):
    beware = context("beware", "warn", any=["beware"])
    assert problems(write_rules(tmp_path, beware), strict=True) == [
        "context/pack.yaml:4: L103 the rule has no hit, pass test"
    ]


def test_without_strict_a_rule_may_lack_tests(tmp_path: Path):
    assert fired(compiled(tmp_path, rule("untested", any=["casino"])), "casino") == ["untested"]


def test_every_cue_class_must_be_defined(tmp_path: Path):
    rules = with_file(tmp_path, "schema: 1\ncues:\n  price: [coins]\n", "cues.yaml")
    assert problems(rules) == [
        f"cues.yaml:3: R006 missing field {name!r}" for name in CUES if name != "price"
    ]


def test_a_folder_without_cues_names_the_file(tmp_path: Path):
    rules = write_rules(tmp_path)
    (rules / "cues.yaml").unlink()
    assert problems(rules) == ["cues.yaml: R001 cannot be read: No such file or directory"]


def test_everything_wrong_in_a_folder_is_said_at_once_in_order(tmp_path: Path):
    rules = with_rule(tmp_path, "any: [{list: cards}, {cue: money}]\nviews: [loud]\n")
    (rules / "drugs").mkdir()
    (rules / "drugs" / "b.yaml").write_text("- a\n")
    (rules / "drugs" / "a.yaml").write_text("schema: 1\npolicy: drugs\n")
    assert [problem.split(" ")[:2] for problem in problems(rules)] == [
        ["drugs/a.yaml:1:", "R006"],
        ["drugs/b.yaml:", "R003"],
        ["gambling/pack.yaml:12:", "R009"],
        ["gambling/pack.yaml:12:", "R007"],
        ["gambling/pack.yaml:13:", "R007"],
    ]


@pytest.mark.parametrize(
    ("body", "line", "code"),
    [
        ("all: []", 12, "R006"),
        ("near: []\nwithin: 5", 12, "R006"),
        ("any: [{}]", 12, "R006"),
        ("any: [{list: none-yet}]", 12, "R006"),
        ("any: [{regex: 'win', require: []}]", 12, "R006"),
        ("all: [casino, {list: none-yet}]", 12, "R006"),
        ("all: [casino, {any: [{}]}]", 12, "R006"),
        ("all: [casino, {regex: 'win', require: []}]", 12, "R006"),
        ("any: [casino]\nviews: []", 13, "R006"),
        ("any: [{list: games, within: 5}]", 12, "R004"),
        ("any: [{list: games, require: [x]}]", 12, "R004"),
    ],
)
def test_a_condition_that_says_nothing_is_refused(tmp_path: Path, body: str, line: int, code: str):
    assert [p.split(" ")[:2] for p in problems(with_rule(tmp_path, body))] == [
        [f"gambling/pack.yaml:{line}:", code]
    ]


def test_lists_must_be_a_mapping(tmp_path: Path):
    content = "schema: 1\npolicy: gambling\nlists: [casino, poker]\nrules: []\n"
    assert problems(with_file(tmp_path, content)) == [
        "gambling/pack.yaml:3: R003 expected a mapping, found a list"
    ]


def test_a_list_may_stand_once(tmp_path: Path):
    content = "schema: 1\npolicy: gambling\nlists:\n  a: [casino]\n  a: [poker]\nrules: []\n"
    assert problems(with_file(tmp_path, content)) == [
        "gambling/pack.yaml:5: R005 field 'a' stands twice"
    ]


@pytest.mark.parametrize(
    "body", ["any: &a [{any: *a}]", "any: " + "[{any: " * 70 + "[casino]" + "}]" * 70]
)
def test_a_condition_without_end_is_refused(tmp_path: Path, body: str):
    assert problems(with_rule(tmp_path, body)) == [
        "gambling/pack.yaml: R002 nested more than 64 levels deep"
    ]


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path):
    content = "\ufeff" + HEAD + "    any: [casino]\n"
    assert len(compile_rules(with_file(tmp_path, content)).rules) == 1


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(DataNotFoundError) as caught:
        load_ruleset(tmp_path / "none")
    assert str(caught.value) == f"expected a rules folder at {tmp_path / 'none'}"


def test_the_digest_is_that_of_names_and_bytes(tmp_path: Path):
    one = write_rules(tmp_path / "one", rule("a", any=["casino"]))
    two = write_rules(tmp_path / "two", rule("a", any=["casino"]))
    assert rules_digest(one) == rules_digest(two)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", rules_digest(one))
    (two / "gambling" / "pack.yaml").rename(two / "gambling" / "other.yaml")
    assert rules_digest(one) != rules_digest(two)


@pytest.mark.parametrize("name", ["gambling/pack.yaml", "cues.yaml", "policy.yaml"])
def test_the_digest_covers_every_file_that_changes_a_verdict(tmp_path: Path, name: str):
    rules = write_rules(tmp_path, rule("a", any=["casino"]))
    before = rules_digest(rules)
    with (rules / name).open("a") as file:
        file.write("# a remark\n")
    assert rules_digest(rules) != before


def test_the_same_bytes_are_compiled_once(tmp_path: Path):
    rules = write_rules(tmp_path, rule("a", any=["casino"]))
    assert load_ruleset(rules) is load_ruleset(rules)


def test_changed_bytes_are_compiled_again(tmp_path: Path):
    rules = write_rules(tmp_path, rule("a", any=["casino"]))
    assert fired(load_ruleset(rules), "poker night") == []
    path = rules / "gambling" / "pack.yaml"
    path.write_text(path.read_text().replace("casino", "poker"))
    assert fired(load_ruleset(rules), "poker night") == ["a"]
