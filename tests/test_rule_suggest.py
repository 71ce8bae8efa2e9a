"""moderate rules suggest: terms that set missed violations apart from innocent posts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rule_support import rule, write_rules
from scan_support import write_jsonl

from moderation.cli import main
from moderation.evaluation.log_odds import log_odds_z
from moderation.evaluation.near_duplicates import NearDuplicates
from moderation.evaluation.terms import TermStatistics, counted_terms, latin_terms, terms

if TYPE_CHECKING:
    from pathlib import Path

MISSED = [
    "厅里接电投 老板放心", "今晚电投开台 名额有限", "做电投的来 价格好谈", "稳定电投 长期有效",
    "want phone bets tonight", "phone bets open for the weekend", "taking phone bets again",
    "our phone bets are live now",
]  # fmt: skip
INNOCENT = [
    "国家招聘开始了 名额有限", "老板今晚请客 价格好", "想找长期有效的药", "厅里放心坐",
    "want a phone tonight", "open for the weekend", "again and again we walk",
    "the shop bets on spring", "live now from the garden",
]  # fmt: skip
ORDINARY = ["my phone bets it rains", "长期", "老板放心吃吧"]


def rows(texts: list[str], label: int, name: str) -> list[dict]:
    return [
        {"id": f"{name}{n}", "text": text, "labels": {"gambling": label}}
        for n, text in enumerate(texts)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_rules(tmp_path, rule("chips", any=["chips", "开台"]))


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    caught = rows([f"chips and dice number {n}" for n in "abcdef"], 1, "c")
    posts = [*rows(MISSED, 1, "m"), *rows(INNOCENT, 0, "i"), *caught]
    return write_jsonl(tmp_path / "labelled.jsonl", *posts)


def suggested(capsys, *arguments: object) -> dict:
    options = [*map(str, arguments), "--format", "json"]
    assert main(["rules", "suggest", *options]) == 0
    (found,) = json.loads(capsys.readouterr().out)["policies"]
    return found


def test_terms_of_missed_violations_are_proposed(capsys, folder: Path, labelled: Path):
    found = suggested(capsys, labelled, "--rules", folder)
    assert [each["term"] for each in found["terms"]] == ["phone bets", "电投"]
    assert (found["missed"], found["distinct"], found["negatives"]) == (7, 7, 9)


def test_what_rules_catch_and_know_is_not_proposed(capsys, folder: Path, labelled: Path):
    found = suggested(capsys, labelled, "--rules", folder, "--support", 2)
    names = {each["term"] for each in found["terms"]}
    assert not {"chips", "dice", "开台"} & names


def test_ordinary_posts_are_counted(capsys, folder: Path, labelled: Path, tmp_path: Path):
    ordinary = write_jsonl(tmp_path / "plain.jsonl", *({"text": text} for text in ORDINARY))
    found = suggested(capsys, labelled, "--rules", folder, "--ordinary", ordinary)
    assert found["ordinary"] == 3
    counts = {each["term"]: (each["support"], each["ordinary"]) for each in found["terms"]}
    assert counts == {"phone bets": (4, 1), "电投": (3, 0)}


def test_near_duplicates_count_once(capsys, folder: Path, tmp_path: Path):
    advert = "厅里接电投 老板放心 长期有效 价格好谈 随时可以开始 {}"
    copies = rows([advert.format(n * 7) for n in range(6)], 1, "m")
    labelled = write_jsonl(tmp_path / "labelled.jsonl", *copies, *rows(INNOCENT, 0, "i"))
    found = suggested(capsys, labelled, "--rules", folder)
    assert (found["missed"], found["distinct"], found["terms"]) == (6, 1, [])


def test_the_same_input_gives_the_same_terms(capsys, folder: Path, labelled: Path):
    runs = [suggested(capsys, labelled, "--rules", folder, "--support", 2) for _ in range(2)]
    assert runs[0] == runs[1]


def test_the_table_shows_masked_contexts_on_request(capsys, folder: Path, tmp_path: Path):
    texts = [
        "phone bets: @river_song77 for all of you", "phone bets at page.example/abc tonight",
        "phone bets 138****0000", "we take phone bets",
    ]  # fmt: skip
    posts = [*rows(texts, 1, "m"), *rows(INNOCENT, 0, "i")]
    labelled = write_jsonl(tmp_path / "labelled.jsonl", *posts)
    arguments = ["rules", "suggest", str(labelled), "--rules", str(folder)]
    assert main(arguments) == 0
    assert "river" not in capsys.readouterr().out
    assert main([*arguments, "--with-text"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("gambling: 4 missed violations, 4 with near-duplicates as one; ")
    assert lines[2].split()[:5] == ["phone", "bets", "4", "0", "0"]
    assert lines[3:6] == [
        "    phone bets: #…", "    phone bets at #…", "    phone bets #****#",
    ]  # fmt: skip


def test_nothing_comes_from_posts_about_minors(capsys, tmp_path: Path):
    hidden = {
        "id": "porn.en.minors-x", "title": "t", "sub_label": "porn.minors", "stance": "offer",
        "level": "weak", "any": ["firstword"],
    }  # fmt: skip
    folder = write_rules(tmp_path, hidden)
    texts = [f"secondword firstword {name}" for name in ("river", "mountain", "garden")]
    posts = [{"text": t, "labels": {"porn": 1}} for t in texts]
    posts.append({"text": "else", "labels": {"porn": 1}})
    labelled = write_jsonl(tmp_path / "labelled.jsonl", *posts)
    found = suggested(capsys, labelled, "--rules", folder, "--with-text")
    assert (found["missed"], found["terms"]) == (1, [])


def test_bad_ordinary_records_end_with_3(capsys, folder: Path, labelled: Path, tmp_path: Path):
    ordinary = write_jsonl(tmp_path / "plain.jsonl", b"{", {"text": "x"})
    arguments = ["rules", "suggest", str(labelled), "--rules", str(folder)]
    assert main([*arguments, "--ordinary", str(ordinary)]) == 3
    assert "plain.jsonl:1: malformed_json" in capsys.readouterr().err


def test_a_pipe_of_labelled_posts_is_refused(capsys, folder: Path, tmp_path: Path):
    assert main(["rules", "suggest", str(tmp_path), "--rules", str(folder)]) == 2
    assert "expected a file, which is read twice" in capsys.readouterr().err


def test_log_odds_are_those_of_the_paper():
    """Worked by hand: y = 8 of 10 and 2 of 20 posts, prior .3 worth 10 posts.

    Odds (8 + 3)/(20 - 11) and (2 + 3)/(30 - 5); variance 1/11 + 1/5.
    """
    z = log_odds_z(np.array([8.0]), np.array([2.0]), (10, 20), np.array([0.3]), 10.0)
    assert z[0] == pytest.approx((np.log(11 / 9) - np.log(5 / 25)) / np.sqrt(1 / 11 + 1 / 5))


def test_a_word_as_common_in_both_sets_has_no_log_odds():
    z = log_odds_z(np.array([5.0]), np.array([10.0]), (10, 20), np.array([0.5]), 30.0)
    assert z[0] == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("dm me now", ["dm", "dm me", "me", "dm me now", "me now", "now"]),
        ("加vx上分", ["vx"]),
        ("bet365 now", ["bet365", "bet365 now", "now"]),
        ("a, b", ["a", "b"]),
        ("ask @river page.example https://x.test/y 12345 abc12345", ["ask"]),
    ],
)
def test_latin_terms_are_whole_words(text: str, found: list[str]):
    assert sorted(term for term, _ in latin_terms(text)) == sorted(found)


def test_han_terms_do_not_cross_what_is_not_han():
    assert terms("上下，分a了") == {"上下", "a"}


def test_terms_are_counted_by_posts():
    assert counted_terms(["上分上分", "上分", "上"], 2) == {"上分": 2}


def test_a_part_of_a_longer_word_has_no_branching():
    texts = [f"{a}现场代投{b}" for a, b in ("甲子", "乙丑", "丙寅", "丁卯")]
    found = TermStatistics(texts, ["现场代投", "场代投", "现场代"])
    assert found.branching("现场代投") == pytest.approx(2.0)
    assert found.branching("场代投") == 0.0
    assert found.branching("现场代") == 0.0
    assert found.cohesion("现场代投") > 0


@pytest.mark.parametrize(
    ("other", "new"),
    [
        ("厅里接电投老板放心长期有效价格好谈随时可以开始今晚名额有限", False),
        ("厅里接电投老板放心长期有效价格好谈随时可以开始今晚名额不多", False),
        ("今天下雨了记得带伞路上小心早点回家晚饭做了你爱吃的菜", True),
        ("", True),
    ],
)
def test_near_duplicates_are_told(other: str, new: bool):
    seen = NearDuplicates()
    letters = [
        np.frombuffer(text.encode("utf-32-le"), np.uint32)
        for text in ("厅里接电投老板放心长期有效价格好谈随时可以开始今晚名额有限", other)
    ]
    assert seen.is_new(letters[0])
    assert seen.is_new(letters[1]) is new
