"""moderate rules coverage: what each rule catches of labelled posts."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from rule_support import context, rule, write_rules

from moderation.cli import main
from moderation.evaluation.labelled import labelled_batches, read_labelled
from moderation.types import NOT_SHOWN

if TYPE_CHECKING:
    from pathlib import Path

VIOLATIONS = [
    "chips", "chips poker", "chips poker", "chips poker dice", "dice", "roulette",
    "beware of poker", "nothing here",
]  # fmt: skip
INNOCENT = ["a walk", "dice", "beware of dice"]
"""The rules below look for chips, poker, dice and roulette; one stays silent."""


def labelled(path: Path, rows: list[tuple[str, int | None]], policy: str = "gambling") -> Path:
    lines = [
        json.dumps({"id": f"p{n}", "text": text, "labels": {policy: label}})
        for n, (text, label) in enumerate(rows)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    weak = rule("weak", any=["walk"]) | {"level": "weak"}
    rules = [rule(word, any=[word]) for word in ("chips", "poker", "dice", "roulette", "silent")]
    return write_rules(tmp_path, *rules, weak, context("c", "warn", any=["beware"]))


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    rows = [*((text, 1) for text in VIOLATIONS), *((text, 0) for text in INNOCENT)]
    return labelled(tmp_path / "labelled.jsonl", [*rows, ("chips", None)])


def covered(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert main(["rules", "coverage", *map(str, arguments), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    return {each["policy"]: each for each in found["policies"]}


def by_rule(found: dict) -> dict[str, dict]:
    return {each["rule_id"].rpartition(".")[2]: each for each in found["rules"]}


def test_posts_are_counted_by_label(capsys, folder: Path, posts: Path):
    found = covered(capsys, posts, "--rules", folder)
    assert list(found) == ["gambling"]
    counts = {k: v for k, v in found["gambling"].items() if isinstance(v, int | float)}
    assert counts == {
        "violations": 8, "innocent": 3, "caught": 6, "missed": 2, "recall": 0.75,
        "false_hits": 1, "precision": 0.8571, "excused_violations": 1, "excused_innocent": 1,
    }  # fmt: skip


def test_rules_are_ordered_as_a_greedy_cover(capsys, folder: Path, posts: Path):
    rules = covered(capsys, posts, "--rules", folder)["gambling"]["rules"]
    cover = [(r["rule_id"], r["gained"], r["recall"]) for r in rules if r["order"]]
    assert cover == [
        ("gambling.en.chips", 4, 0.5),
        ("gambling.en.roulette", 1, 0.625),
        ("gambling.en.dice", 1, 0.75),
    ]


def test_a_rule_s_own_catch_and_mistakes_are_told(capsys, folder: Path, posts: Path):
    rules = by_rule(covered(capsys, posts, "--rules", folder)["gambling"])
    figures = {
        name: (r["true_positives"], r["false_positives"], r["alone"], r["precision"])
        for name, r in rules.items()
    }
    assert figures == {
        "chips": (4, 0, 1, 1.0),
        "poker": (3, 0, 0, 1.0),
        "dice": (2, 1, 1, 0.6667),
        "roulette": (1, 0, 1, 1.0),
        "silent": (0, 0, 0, None),
        "weak": (0, 0, 0, None),
    }


def test_a_level_decides_what_counts(capsys, folder: Path, posts: Path):
    found = covered(capsys, posts, "--rules", folder, "--level", "weak")["gambling"]
    assert by_rule(found)["weak"]["false_positives"] == 1


def test_examples_are_ids_and_only_on_request_texts(capsys, folder: Path, posts: Path):
    options = (posts, "--rules", folder, "--misses", 5, "--false", 5)
    found = covered(capsys, *options)["gambling"]
    assert found["misses"] == [
        {"id": "p6", "rules": ["gambling.en.poker"], "excused": True},
        {"id": "p7", "rules": [], "excused": False},
    ]
    assert [each["id"] for each in found["false"]] == ["p9"]
    found = covered(capsys, *options, "--with-text")["gambling"]
    assert [each["text"] for each in found["misses"]] == ["beware of poker", "nothing here"]


def test_the_table_says_the_same(capsys, folder: Path, posts: Path):
    arguments = ["rules", "coverage", str(posts), "--rules", str(folder), "--misses", "1"]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "gambling: 8 violations, 6 caught, 2 missed (recall 75.0%); 3 innocent, 1 hit "
        "(precision 85.7%)"
    )
    assert lines[3].split() == ["1", "gambling.en.chips", "4", "0", "100.0%", "1", "4", "50.0%"]
    assert lines[6].split() == ["-", "gambling.en.poker", "3", "0", "100.0%", "0", "0", "-"]
    assert lines[-2:] == [
        "      2 rules fired on none of these posts",
        "missed: p6 (excused: gambling.en.poker)",
    ]


def test_a_post_about_minors_is_not_shown(capsys, tmp_path: Path):
    hidden = {
        "id": "porn.en.minors-x", "title": "t", "sub_label": "porn.minors", "stance": "offer",
        "level": "strong", "any": ["firstword"],
    }  # fmt: skip
    rules = write_rules(tmp_path, hidden)
    posts = labelled(tmp_path / "labelled.jsonl", [("firstword", 0)], "porn")
    found = covered(capsys, posts, "--rules", rules, "--false", 1, "--with-text")["porn"]
    assert found["false"][0]["text"] == NOT_SHOWN


def test_a_long_post_is_read_in_windows(capsys, folder: Path, tmp_path: Path):
    text = "chips " + "word " * 1000 + "chips"
    posts = labelled(tmp_path / "long.jsonl", [(text, 1)])
    found = by_rule(covered(capsys, posts, "--rules", folder)["gambling"])
    assert found["chips"]["true_positives"] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "labelled.jsonl:1: not JSON"),
        (b'{"text": "a"}', "labelled.jsonl:1: expected an object with 'text' and 'labels'"),
        (b'{"text": "a", "labels": {"fraud": 1}}', "unknown policies in 'labels': fraud"),
    ],
)
def test_bad_input_is_refused_with_its_line(
    capsys, folder: Path, tmp_path: Path, content: bytes, message: str
):
    path = tmp_path / "labelled.jsonl"
    path.write_bytes(content)
    assert main(["rules", "coverage", str(path), "--rules", str(folder)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--level", "high"], "unknown level 'high'; known: weak, medium, strong"),
        (["--policy", "context"], "unknown policy 'context'; known: porn, drugs, gambling"),
        (["--misses", "-1"], "Invalid value for '--misses'"),
    ],
)
def test_bad_options_are_refused(capsys, posts: Path, option: list[str], message: str):
    assert main(["rules", "coverage", str(posts), *option]) == 2
    assert message in capsys.readouterr().err


def test_a_file_is_read_the_same_in_batches(tmp_path: Path, posts: Path):
    packed = tmp_path / "labelled.jsonl.gz"
    packed.write_bytes(gzip.compress(posts.read_bytes()))
    whole = read_labelled(packed)
    batches = list(labelled_batches(packed, 5))
    assert [len(batch.ids) for batch in batches] == [5, 5, 2]
    assert [name for batch in batches for name in batch.ids] == whole.ids
    assert whole.labels.shape == (12, 3)
    assert set(whole.sources) == {"labelled"}
