"""moderate explain: one post on one screen, and what it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rule_support import rule, write_rules

from moderation.cli import main

if TYPE_CHECKING:
    from pathlib import Path


def explained(capfd: pytest.CaptureFixture[str], post: str, *options: str) -> list[str]:
    assert main(["explain", post, *options]) == 0
    return capfd.readouterr().out.splitlines()


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a rules folder with terms that may be hidden in every way."""
    folder = write_rules(
        tmp_path_factory.mktemp("explain"),
        rule("game", any=["博彩", "线上赌场", "casino", "上下分"]),
        rule("minors", id="porn.zh.minors", sub_label="porn.minors", any=["茶壶"]),
        bold=True,
    )
    return str(folder)


def test_the_words_of_a_rule_are_shown_with_their_place(capfd: pytest.CaptureFixture[str]):
    lines = explained(capfd, "老板要上.下.分找客服\x1b")
    assert lines[0] == "post      “老板要上.下.分找客服\\u001b”"
    assert any("“上.下.分”@3-8" in line for line in lines)


@pytest.mark.parametrize(
    "post",
    [
        "今晚 未成年色情 出售 加V",
        "今晚 未.成.年.色.情 出.售 加V",
        "男子出售未成年色情，法院判刑十年",
    ],
)
def test_words_about_minors_are_not_shown_only_their_place(
    capfd: pytest.CaptureFixture[str], post: str
):
    lines = explained(capfd, post)
    rules = [line for line in lines if line.startswith("rule") and ".minors-" in line]
    assert rules
    assert all("(not shown)@" in line for line in rules)
    for line in lines[:5]:
        assert "(not shown)" in line
    plain = "".join(lines).replace(".", "")
    for word in ("未成年", "色情", "出售", "wei-cen-lian", "se-qin", "cu-sou"):
        assert word not in plain


def test_the_rest_of_such_a_post_is_shown(capfd: pytest.CaptureFixture[str]):
    assert explained(capfd, "今晚 未成年色情 出售 加V")[0] == (
        "post      “今晚 (not shown) (not shown) (not shown)”"
    )


def test_every_view_is_shown_as_rules_read_it(capfd: pytest.CaptureFixture[str], rules: str):
    lines = explained(capfd, "来 玩 Ｂo 彩 吧 的 呀，c4s1nooo", "--rules", rules)
    shown = dict(line.split(maxsplit=1) for line in lines[:5])
    assert list(shown) == ["post", "base", "compact", "shape", "sound"]
    assert shown["base"] == "“来玩 bo 彩吧的呀,c4s1nooo”"
    assert shown["compact"] == "“来玩bo彩吧的呀c4s1no”"
    assert shown["sound"] == "“lai-wan-bo-cai-ba-de-ya-casino”"
    assert shown["shape"].startswith("“")
    assert not any("a" <= c <= "z" for c in shown["shape"])


def test_syllables_are_never_shown_as_private_characters(
    capfd: pytest.CaptureFixture[str], rules: str
):
    lines = explained(capfd, "菠菜真好吃，绿油油的", "--rules", rules)
    assert lines[4] == "sound     “bo-cai-zen-hao-ci-lv-you-you-de”"


def test_a_rules_folder_without_tables_has_two_views(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
):
    folder = write_rules(tmp_path, rule("game", any=["casino"]))
    lines = explained(capfd, "c.a.s.i.n.o", "--rules", str(folder))
    assert [line.split()[0] for line in lines[:4]] == ["post", "base", "compact", "language"]


@pytest.mark.parametrize(
    ("post", "place"),
    [
        ("a casino here", "“casino”@2-8"),
        ("a c.a.s.i.n.o here", "“c.a.s.i.n.o”@2-13 (compact)"),
        ("a c4s1n0 here", "“c4s1n0”@2-8 (base: leet)"),
        ("an onisac here", "“onisac”@3-9 (compact: mirror)"),
        ("线上睹场", "“线上睹场”@0-4 (shape: shape)"),
        ("线尚堵厂", "“线尚堵厂”@0-4 (sound: homophone)"),
        ("有 老板 要 上 下分 吗", "“上 下分”@7-11 (base: noise)"),
    ],
)
def test_a_hit_names_its_view_and_how_it_was_hidden(
    capfd: pytest.CaptureFixture[str], rules: str, post: str, place: str
):
    lines = explained(capfd, post, "--rules", rules)
    (line,) = (line for line in lines if line.startswith("rule "))
    assert line.startswith("rule      gambling.en.game [offer ")
    assert line.endswith(f"] {place}")


def test_a_frail_spelling_with_a_second_cue_counts(capfd: pytest.CaptureFixture[str], rules: str):
    lines = explained(capfd, "菠菜，write to us", "--rules", rules)
    assert "rule      gambling.en.game [offer medium] “菠菜”@0-2 (sound: homophone, frail)" in lines
    assert "          “菠菜”@0-2 gambling.en.game through homophone" in lines


def test_frail_spellings_that_speak_for_one_another_are_marked(
    capfd: pytest.CaptureFixture[str], rules: str
):
    lines = explained(capfd, "菠菜，上分下", "--rules", rules)
    (line,) = (line for line in lines if line.startswith("rule "))
    assert line == (
        "rule      gambling.en.game [offer medium frail] "
        "“菠菜”@0-2 (sound: homophone, frail), “上分下”@3-6 (compact: order, frail)"
    )


def test_a_frail_spelling_alone_is_shown_and_does_not_count(
    capfd: pytest.CaptureFixture[str], rules: str
):
    lines = explained(capfd, "菠菜", "--rules", rules)
    (doubted,) = (line for line in lines if line.startswith("doubted"))
    assert doubted == (
        "doubted   gambling.en.game [offer medium frail] "
        "“菠菜”@0-2 (sound: homophone, frail): no second cue, does not count"
    )
    assert not any(line.startswith("rule ") for line in lines)
    assert not any("gambling.en.game" in line for line in lines if line != doubted)


@pytest.mark.parametrize("post", ["这只查湖", "这只查湖，write to us"])
def test_a_doubted_word_about_minors_is_not_shown_either(
    capfd: pytest.CaptureFixture[str], rules: str, post: str
):
    lines = explained(capfd, post, "--rules", rules)
    text = "\n".join(lines)
    assert "porn.zh.minors" in text
    assert "(not shown)@2-4" in text
    assert "查湖" not in text
    assert "ca-hu" not in text
