"""Evaded spelling, told from words that only touch once the noise between them is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rule_support import compiled, fired, rule, spans

from moderation.rules.spelling import SIGNS

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.rules import Ruleset


@pytest.fixture(scope="module")
def ruleset(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    terms = [
        "casino",
        "poker",
        "pills",
        "free spins",
        "上下分",
        "博彩",
        "t站",
        "bet365",
        "28",
        "tg",
    ]
    return compiled(tmp_path_factory.mktemp("spelling"), rule("term", any=terms), bold=True)


@pytest.mark.parametrize(
    "post",
    [
        "c.a.s.i.n.o",
        "c a s i n o",
        "c-a-s-i-n-o",
        "C_A_S_I_N_O",
        "c/a/s/i/n/o",
        "c…a…s…i…n…o",
        "c\na\ns\ni\nn\no",
        "cas*ino",
        "cas🎲ino",
        "ca.s.ino",
        "casinooo",
        "caaaasino",
        "p.i.l.l.s",
        "pillllls",
        "f r e e s p i n s",
        "free-spins",
        "freespins",
        "free.spins",
        "b.e.t.3.6.5",
        "上.下.分",
        "上 下 分",
        "上、下、分",
        "上下*分",
        "上🎲下🎲分",
        "博 彩",
        "博-彩",
        "博\n彩",
        "t 站",
    ],
)
def test_a_term_spelled_out_or_stretched_is_found(ruleset: Ruleset, post: str):
    assert fired(ruleset, post) == ["term"]


@pytest.mark.parametrize(
    "post",
    [
        "the cas. In other words",
        "cassino",
        "pils",
        "p.i.l.s",
        "piills",
        "poke.r",
        "slow loss lots",
        "I feel free, spins are for tops",
        "他在台上，下分部开会",
        "我先上。下分钟见",
        "我先上 下分钟见",
        "知识渊博，彩云追月",
        "广博 彩色",
        "2.8",
        "2 8",
        "t.g",
        "t g",
        "c.......a.......s.......i.......n.......o",
    ],
)
def test_words_that_merely_touch_are_not_found(ruleset: Ruleset, post: str):
    assert fired(ruleset, post) == []


@pytest.mark.parametrize(
    ("post", "stretch"),
    [
        ("go to c.a.s.i.n.o.", "c.a.s.i.n.o"),
        ("来 上.下.分 吧", "上.下.分"),
        ("play casinooo!", "casinooo"),
        ("freespins for all", "freespins"),
    ],
)
def test_the_span_holds_the_spelling_and_no_more(ruleset: Ruleset, post: str, stretch: str):
    assert spans(ruleset, post) == [stretch]


def test_a_term_with_a_symbol_is_not_searched_for_without_it(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("symbol", any=["c++", "1$"]))
    assert fired(ruleset, "c++ course") == ["symbol"]
    assert fired(ruleset, "vitamin c, 1 a day") == []


@pytest.mark.parametrize("post", ["casi no", "cas ino", "po ker", "at the casin o"])
def test_a_word_cut_by_a_space_is_one_word_where_its_halves_are_none(ruleset: Ruleset, post: str):
    assert fired(ruleset, post) == ["term"]


@pytest.mark.parametrize("post", ["black jack", "we ed", "some thing", "in the mass age"])
def test_two_words_that_happen_to_make_a_third_are_two(tmp_path: Path, post: str):
    terms = ["blackjack", "weed", "something", "massage"]
    assert fired(compiled(tmp_path, rule("term", any=terms), bold=True), post) == []


@pytest.mark.parametrize(
    ("post", "found"),
    [
        ("ccaassiinnoo", True),
        ("上上下下分分", True),
        ("CCaaSSiinnoo", True),
        ("ccasino", False),
        ("ccaasino", False),
    ],
)
def test_a_term_with_every_character_doubled_is_found(ruleset: Ruleset, post: str, found: bool):
    assert bool(fired(ruleset, post)) is found


@pytest.mark.parametrize("post", ["[爱][爱]", "爱 爱", "爱，爱", "(爱)(爱)", "爱🎲爱", "[爱] [爱]"])
def test_one_character_twice_is_no_word_of_two(tmp_path: Path, post: str):
    ruleset = compiled(tmp_path, rule("term", any=["爱爱"]), bold=True)
    assert fired(ruleset, "爱爱") == ["term"]
    assert fired(ruleset, post) == []


@pytest.mark.parametrize(
    "post",
    ["1月24日", "上1月下24日分", "上2下3分", "博 1 彩", "上3㎏下㎏分", "博2026彩"],
)
def test_digits_between_characters_make_no_word(ruleset: Ruleset, post: str):
    assert fired(ruleset, post) == []


def test_spaces_are_what_python_takes_for_spaces():
    assert SIGNS[-1] == {chr(code) for code in range(0x110000) if chr(code).isspace()}
