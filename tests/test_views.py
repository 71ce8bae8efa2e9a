"""Views from end to end: an evaded term is found where it stands, innocent words are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from rule_support import batch, compiled, fired, read, rule, spans, write_rules
from view_support import CUE, TERMS

from moderation import Moderator
from moderation.rules import load_ruleset
from moderation.text import TextBatch, join_fields

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.rules import Ruleset


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("views")
    return write_rules(folder, rule("term", any=TERMS), bold=True)


@pytest.fixture(scope="module")
def ruleset(rules: Path) -> Ruleset:
    return load_ruleset(rules)


def folds(ruleset: Ruleset, post: str) -> set[tuple[str, str, str]]:
    """Return the stretches that the matches of a post point at, each with its view and fold."""
    hits = [hit for match in read(ruleset, post).matches for hit in match.hits]
    return {(post[hit.start : hit.end], hit.view, hit.fold) for hit in hits}


@pytest.mark.parametrize(
    ("before", "evaded", "after", "view", "fold"),
    [
        ("", "菠菜", "", "sound", "homophone"),
        ("来 ", "波采", " 吧", "sound", "homophone"),
        ("来玩", "bo彩", "", "sound", "homophone"),
        ("来玩", "bocai", "吧", "sound", "homophone"),
        ("来 ", "Bó cǎi", " 吧", "sound", "homophone"),
        ("来玩", "线尚堵厂", "吧", "sound", "homophone"),
        ("来玩", "xianshangduchang", "吧", "sound", "homophone"),
        ("来玩", "xian shang du chang", "吧", "sound", "homophone"),
        ("the ", "c4s1n0", " opens", "base", "leet"),
        ("the ", "C4$IN0", " opens", "base", "leet"),
        ("去", "p0k3r", "吧", "base", "leet"),
        ("", "睹博", "", "shape", "shape"),
        ("去 ", "线上睹场", " 吧", "shape", "shape"),
        ("", "强女干", "", "compact", "split"),
        ("去 ", "线上贝者场", " 吧", "compact", "split"),
        ("来 ", "上分下", " 吧", "compact", "order"),
        ("来玩", "百乐家", "，", "compact", "order"),
        ("a ", "pkoer", " night", "compact", "order"),
        ("the ", "onisac", " opens", "compact", "mirror"),
        ("get ", "spins free", " here", "compact", "words"),
        ("来玩", "bjl", "吧", "compact", "initials"),
        ("来玩 ", "bjl", " 吧", "compact", "initials"),
        ("来 ", "上上下下分分", " 吧", "compact", ""),
        ("the ", "ccaassiinnoo", " opens", "compact", ""),
        ("the ", "casinooo", " opens", "compact", ""),
        ("the ", "casi no", " opens", "compact", ""),
        ("the ", "c.a.s.i.n.o", " opens", "compact", ""),
        ("来 ", "上🎲下🎲分", " 吧", "compact", ""),
        ("", "冰 毒", "", "compact", ""),
    ],
)
def test_an_evaded_term_is_found(
    ruleset: Ruleset, before: str, evaded: str, after: str, view: str, fold: str
):
    post = f"{CUE}，{before}{evaded}{after}"
    assert (evaded, view, fold) in folds(ruleset, post)
    assert {stretch for stretch, _, _ in folds(ruleset, post)} == {evaded}


@pytest.mark.parametrize(
    "post",
    [
        "1月24日",
        "上1月下24日分",
        "博1月24日彩",
        "赌3㎏博",
        "[爱][爱]",
        "爱 爱",
        "爱，爱",
        "we ed",
        "black jack",
        "bocai",
        "bjl",
        "see bjl later",
        "来玩bjl.example 吧",
        "来玩@bjl 吧",
        "来玩bjl7吧",
        "上分",
        "# 上分",
        "波，采",
        "波。采",
        "玩波\n采吧",
        "电脑中了病毒",
        "大妈在跳广场舞",
        "去大马旅游",
        "那只大马很高",
        "好大妈呀",
        "楼上下，分三次搬",
        "她很博学，彩色的",
    ],
)
@pytest.mark.parametrize("cue", ["", CUE])
def test_what_merely_resembles_a_term_is_left_alone(ruleset: Ruleset, post: str, cue: str):
    assert spans(ruleset, f"{cue}，{post}") == []


@pytest.mark.parametrize(
    ("post", "stretches"),
    [
        ("#上分", ["#上分"]),
        ("＃上分", ["＃上分"]),
        ("#上.分", ["上.分"]),
        ("#尚分", ["尚分"]),
        ("上.分", []),
        ("尚分", []),
    ],
)
def test_a_hashtag_wants_its_mark_in_every_view(ruleset: Ruleset, post: str, stretches: list[str]):
    assert spans(ruleset, f"{CUE}，{post}") == stretches


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("玩波", "采吧"),
        ("睹", "博"),
        ("来玩bo", "cai吧"),
        ("c4s", "1n0"),
        ("上上", "下下分分"),
        ("强女", "干"),
    ],
)
def test_no_spelling_runs_from_one_field_into_the_next(ruleset: Ruleset, title: str, text: str):
    joined, layout = join_fields([("title", title), ("text", text), ("tags", CUE)])
    posts = TextBatch.from_strings([joined]).with_fields([layout])
    assert ruleset.evaluate(posts)[0].matches == ()


@pytest.mark.parametrize("view", ["compact", "shape", "sound"])
def test_a_rule_is_found_in_its_own_views_alone(tmp_path: Path, view: str):
    ruleset = compiled(tmp_path, rule("term", any=["天上人间"], views=["base", view]), bold=True)
    evaded = {"compact": "天.上.人.间", "shape": "夫上入间", "sound": "添尚人尖"}
    assert {name: bool(fired(ruleset, post)) for name, post in evaded.items()} == {
        name: name == view for name in evaded
    }


def test_an_exception_is_read_plain_and_through_noise(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("term", any=["博彩"], exceptions=["博彩业史"]), bold=True)
    assert fired(ruleset, f"博彩业史，{CUE}") == fired(ruleset, f"博.彩.业.史，{CUE}") == []


def test_a_veto_is_read_plain_alone(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("term", any=["赌博"], none=["新闻报道"]), bold=True)
    assert fired(ruleset, "赌博 新闻报道") == []
    assert fired(ruleset, "赌博 新.闻.报.道") == fired(ruleset, "赌博 辛闻抱到") == ["term"]


# Patterns and distances.

BONUS = {"regex": "bonus[0-9]{3}", "require": ["bonus*"]}


@pytest.mark.parametrize(
    ("post", "stretches"),
    [
        ("bonus777 today", ["bonus777"]),
        ("b.o.n.u.s.7.7.7 today", ["b.o.n.u.s.7.7.7"]),
        ("bonus 7 7 7 today", ["bonus 7 7 7"]),
        ("bonus of 777", []),
    ],
)
def test_a_pattern_is_also_tried_without_the_noise(tmp_path: Path, post: str, stretches: list[str]):
    assert spans(compiled(tmp_path, rule("pattern", any=[BONUS])), post) == stretches


def test_a_pattern_found_without_the_noise_is_a_bold_hit(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("pattern", any=[BONUS]))
    (match,) = read(ruleset, "bonus 7*7*7").matches
    assert (match.level, match.bold) == ("medium", True)
    assert [(hit.kind, hit.view) for hit in match.hits] == [("regex", "compact")]
    plain = compiled(tmp_path / "plain", rule("pattern", any=[BONUS], views=["base"]))
    assert fired(plain, "bonus 7*7*7") == []


@pytest.mark.parametrize(
    ("post", "found"),
    [
        ("alpha beta", True),
        ("alpha --------- beta", False),
        ("a.l.p.h.a --------- beta", True),
        ("a.l.p.h.a and then beta", False),
    ],
)
def test_noise_is_no_distance_where_a_term_is_evaded(tmp_path: Path, post: str, found: bool):
    ruleset = compiled(tmp_path, rule("near", near=["alpha", "beta"], within=3))
    assert bool(fired(ruleset, post)) is found


def test_evidence_names_how_a_term_was_hidden(rules: Path):
    moderator = Moderator(rules=rules)
    named = {}
    for evaded in ("波采", "c4s1n0", "ONISAC", "线上睹场", "spins  free", "bjl", "上🎲下🎲分分分"):
        verdict = moderator.check(f"大家早，{CUE}，来 {evaded} 吧")
        (piece,) = {e for label in verdict.labels for e in label.evidence if e.rule_id is not None}
        named[evaded] = set(piece.transforms)
    assert named == {
        "波采": {"homophone"},
        "c4s1n0": {"leet"},
        "ONISAC": {"mirror", "case"},
        "线上睹场": {"shape"},
        "spins  free": {"order", "noise"},
        "bjl": {"initials"},
        "上🎲下🎲分分分": {"noise", "repeat"},
    }


def test_the_views_of_a_post_are_in_order_of_boldness(ruleset: Ruleset):
    posts = batch(["来bo彩"])
    reading = ruleset.read(posts)
    assert list(reading.views) == ["base", "compact", "shape", "sound"]
    assert ruleset.scan(posts).posts.tolist() == [0]
    assert np.array_equal(reading.views["base"].codepoints, reading.base.codepoints)
