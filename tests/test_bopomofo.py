"""Bopomofo is read as Han characters of the same sound."""

from __future__ import annotations

import pytest

from moderation.resources import data_root
from moderation.text import TextBatch, load_table
from moderation.text.bopomofo import read_bopomofo, to_pinyin
from moderation.text.sound import load_sound

RULES = data_root() / "rules"


def sounds(text: str) -> str:
    """Return the sound view of a text whose bopomofo is read."""
    table, sound = load_table(RULES), load_sound(RULES)
    assert sound is not None
    batch = TextBatch.from_strings([text])
    return sound.view(read_bopomofo(table.base(batch), batch, sound), table).text()


@pytest.mark.parametrize(
    ("initial", "final", "pinyin"),
    [("ㄅ", "ㄛ", "bo"), ("", "ㄧㄡ", "you"), ("ㄒ", "ㄩㄝ", "xue"), ("ㄓ", "", "zhi"),
     ("", "ㄨㄥ", "weng"), ("ㄌ", "ㄩ", "lv"), ("ㄏ", "", ""), ("", "ㄩㄢ", "yuan")],
)  # fmt: skip
def test_a_syllable_becomes_pinyin(initial: str, final: str, pinyin: str):
    assert to_pinyin(initial, final) == pinyin


@pytest.mark.parametrize(
    ("written", "plain"),
    [("玩ㄅㄛˊㄘㄞˇ吗", "玩博彩吗"), ("ㄉㄨˇㄔㄤˇ", "赌场"), ("去ㄓㄨㄥㄍㄨㄛˊ玩", "去中国玩")],
)
def test_a_run_sounds_like_what_it_spells(written: str, plain: str):
    assert sounds(written) == sounds(plain)


@pytest.mark.parametrize("text", ["ㄏㄏ 好笑", "我ㄉ书", "ㄎㄎㄎ", "没有"])
def test_single_letters_and_laughter_stay(text: str):
    table, sound = load_table(RULES), load_sound(RULES)
    batch = TextBatch.from_strings([text])
    base = table.base(batch)
    assert read_bopomofo(base, batch, sound).text() == base.text()


def test_places_point_at_the_syllables():
    table, sound = load_table(RULES), load_sound(RULES)
    batch = TextBatch.from_strings(["去ㄅㄛˊㄘㄞˇ吗"])
    view = read_bopomofo(table.base(batch), batch, sound)
    assert view.source.tolist() == [0, 1, 4, 7]
    assert view.last.tolist()[0] == 0
    assert view.last.tolist()[-1] == 7
