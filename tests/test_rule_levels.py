"""How strong a match is: bold views, second cues, and spellings that need one to count at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rule_support import compiled, fired, read, rule

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.rules import Ruleset

LEVELS = [rule(level, any=["casino"], level=level) for level in ("strong", "medium", "weak")]
CUES = ["write to us", "account77", "ten coins", "by post", "page.example", "two boxes"]
"""The words of the cue classes of which one must stand beside an evaded term."""
FRAIL_CUES = ["write to us", "account77", "come and talk"]
"""Those that make a frail spelling count."""
NO_CUES = ["aged twenty"]


def levels(ruleset: Ruleset, post: str) -> dict[str, str | None]:
    return {m.rule.title: m.level for m in read(ruleset, post).matches}


def test_a_plain_hit_keeps_its_level(tmp_path: Path):
    assert levels(compiled(tmp_path, *LEVELS), "casino") == {
        "strong": "strong", "medium": "medium", "weak": "weak",
    }  # fmt: skip


def test_a_strong_rule_that_only_a_bold_view_shows_is_a_medium_one(tmp_path: Path):
    assert levels(compiled(tmp_path, *LEVELS), "c.a.s.i.n.o") == {
        "strong": "medium", "medium": "medium", "weak": "weak",
    }  # fmt: skip


@pytest.mark.parametrize("cue", CUES)
def test_a_second_cue_gives_a_bold_hit_its_level_back(tmp_path: Path, cue: str):
    assert levels(compiled(tmp_path, *LEVELS), f"c.a.s.i.n.o, {cue}")["strong"] == "strong"


@pytest.mark.parametrize("cue", NO_CUES)
def test_an_age_is_no_second_cue(tmp_path: Path, cue: str):
    assert levels(compiled(tmp_path, *LEVELS), f"c.a.s.i.n.o, {cue}")["strong"] == "medium"


def test_a_second_evaded_term_is_a_second_cue(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("both", any=["casino", "poker"]))
    assert levels(ruleset, "c.a.s.i.n.o p.o.k.e.r") == {"both": "strong"}


def test_a_plain_hit_beside_an_evaded_one_keeps_its_level(tmp_path: Path):
    assert levels(compiled(tmp_path, *LEVELS), "c.a.s.i.n.o or casino")["strong"] == "strong"


@pytest.fixture(scope="module")
def games(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    """Return two rules of one policy and one of another, whose terms are two characters long."""
    return compiled(
        tmp_path_factory.mktemp("frail"),
        rule("game", any=["博彩", "赌博"]),
        rule("game-quietly", any=["博彩"], level="medium"),
        rule("room", all=["博彩", "包厢", "今晚"]),
        rule("desk", id="drugs.en.desk", sub_label="drugs.sale", any=["冰毒"]),
        bold=True,
    )


FRAIL = [("玩波采吧", "homophone"), ("睹博", "shape")]


@pytest.mark.parametrize("post", [post for post, _ in FRAIL])
@pytest.mark.parametrize("cue", ["", *NO_CUES])
def test_a_frail_spelling_alone_is_no_match(games: Ruleset, post: str, cue: str):
    assert fired(games, f"{cue} {post}") == []


@pytest.mark.parametrize("cue", ["ten coins", "page.example"])
def test_a_price_or_a_link_speaks_for_a_sound_that_ordinary_text_hardly_has(
    games: Ruleset, cue: str
):
    assert levels(games, f"{cue} 玩波采吧") == {"game": "medium", "game-quietly": "medium"}
    assert fired(games, f"{cue} 睹博") == []


@pytest.mark.parametrize(("post", "fold"), FRAIL)
@pytest.mark.parametrize("cue", FRAIL_CUES)
def test_a_frail_spelling_beside_a_second_cue_is_one(
    games: Ruleset, post: str, fold: str, cue: str
):
    (match, *_) = read(games, f"{cue} {post}").matches
    assert (match.rule.title, match.level, match.bold, match.frail) == (
        "game",
        "medium",
        True,
        False,
    )
    assert [(hit.fold, hit.frail) for hit in match.hits] == [(fold, True)]


def test_two_different_frail_spellings_of_a_policy_speak_for_each_other(games: Ruleset):
    found = read(games, "玩波采吧，睹博").matches
    assert {(m.rule.title, m.level, m.frail) for m in found} == {
        ("game", "medium", True), ("game-quietly", "medium", True),
    }  # fmt: skip


def test_the_same_frail_spelling_twice_does_not(games: Ruleset):
    assert fired(games, "玩波采吧，玩波采吧") == []


def test_a_frail_spelling_of_another_policy_does_not(games: Ruleset):
    assert fired(games, "玩波采吧，买兵毒吧") == []


def test_two_plain_terms_of_the_rule_are_a_second_cue_for_a_frail_one(games: Ruleset):
    assert levels(games, "今晚包厢，玩波采吧") == {"room": "medium"}


def test_a_plain_match_carries_no_doubt(games: Ruleset):
    assert {m.frail for m in read(games, "博彩，玩波采吧").matches} == {False}


def test_a_frail_spelling_is_no_second_cue_for_itself(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("term", any=["博彩"]), cues={"contact": ["博彩"]}, bold=True)
    assert fired(ruleset, "玩波采吧") == []
