"""The sound view: what sounds alike is alike, and what is plain stays out of it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.text import FoldTable, TextBatch, View
from moderation.text.fold import CLASS_HAN
from moderation.text.sound import SYLLABLES, SoundTable, load_sound

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def sound(shipped_rules: Path) -> SoundTable:
    found = load_sound(shipped_rules)
    assert found is not None
    return found


def view_of(sound: SoundTable, table: FoldTable, *posts: str, letters: bool = False) -> View:
    return sound.view(table.base(TextBatch.from_strings(posts)), table, letters=letters)


def same(sound: SoundTable, table: FoldTable, one: str, two: str) -> bool:
    """Say whether two words sound alike inside a Chinese post."""
    posts = view_of(sound, table, f"来{one}吧", f"来{two}吧").texts()
    return posts[0] == posts[1]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("菠菜", "博彩"),
        ("冰读", "冰毒"),
        ("bocai", "博彩"),
        ("BoCai", "博彩"),
        ("ｂｏｃａｉ", "博彩"),
        ("bo彩", "博彩"),
        ("博cai", "博彩"),
        ("bócǎi", "博彩"),
        ("bo\u200bcai", "博彩"),
        ("bó cǎi", "博彩"),
        ("xianshang", "线上"),
        ("lv", "绿"),
        ("纸", "子"),
        ("春", "村"),
        ("是", "四"),
        ("南", "兰"),
        ("青", "亲"),
        ("风", "分"),
        ("网", "碗"),
        ("賭場", "堵厂"),
    ],
)
def test_words_that_sound_alike_are_alike(sound: SoundTable, table: FoldTable, one: str, two: str):
    assert same(sound, table, one, two)


@pytest.mark.parametrize(
    ("one", "two"),
    [("飞", "灰"), ("热", "乐"), ("菠菜", "白菜"), ("bocai", "白菜"), ("绿", "路"), ("黑", "嗨")],
)
def test_words_that_sound_different_are_not(
    sound: SoundTable, table: FoldTable, one: str, two: str
):
    assert not same(sound, table, one, two)


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("c4s1n0", "casino"),
        ("C4$1N0", "casino"),
        ("cas!no", "casino"),
        ("ca5ino", "casino"),
        ("casin00", "casino"),
        ("c4sssino", "casino"),
        ("p0k3r", "poker"),
        ("j@ckpo7", "jackpot"),
        ("p0rn", "porn"),
        ("pr0n", "pron"),
        ("fr33", "fre"),
    ],
)
def test_leet_is_read_as_letters(sound: SoundTable, table: FoldTable, written: str, word: str):
    expected = view_of(sound, table, word, letters=True).post(0)
    assert view_of(sound, table, written, letters=True).post(0) == expected
    assert view_of(sound, table, f"see {written}").post(0).endswith(expected)


@pytest.mark.parametrize(
    "post", ["", "bocai", "see you at the casino", "page 12, line 7", "12:30", "$ 5"]
)
def test_a_post_without_han_or_leet_has_no_sound_view(
    sound: SoundTable, table: FoldTable, post: str
):
    assert view_of(sound, table, post).post(0) == ""


def test_a_number_alone_is_no_leet(sound: SoundTable, table: FoldTable):
    assert view_of(sound, table, "年2024").post(0)[1:] == "2024"


def test_a_latin_word_that_is_no_pinyin_keeps_its_letters(sound: SoundTable, table: FoldTable):
    assert view_of(sound, table, "来bjk").post(0)[1:] == "bjk"


def test_every_syllable_knows_where_it_was_written(sound: SoundTable, table: FoldTable):
    view = view_of(sound, table, "㎏来b\u200bo.cai")
    spans = list(zip(view.source.tolist(), view.last.tolist(), strict=True))
    assert view.post(0).startswith("kg")
    assert spans == [(0, 0), (0, 0), (1, 1), (2, 4), (6, 8)]


def test_a_word_is_cut_into_the_longest_syllables(sound: SoundTable):
    def cut(word: str) -> list[str]:
        return [sound.syllables[number] for number, _ in sound.cut_pinyin(word)]

    assert cut("xianshang") == ["xian", "shang"]
    assert cut("duchang") == ["du", "chang"]
    assert cut("bjk") == []
    assert cut("a" * 49) == []


texts = st.lists(
    st.text(
        st.sampled_from("菠菜龘bocai xn4$0!|.，\n㎏é\u200b\ud800😀") | st.characters(), max_size=20
    ),
    max_size=5,
)


@given(texts)
def test_places_go_forward_and_stay_within_the_post(
    sound: SoundTable, table: FoldTable, posts: list[str]
):
    batch = TextBatch.from_strings(posts)
    base = table.base(batch)
    view = sound.view(base, table)
    assert len(view.codepoints) == len(view.source) == len(view.base_last) == view.offsets[-1]
    assert (view.base_first <= view.base_last).all()
    for post, (begin, end) in enumerate(pairwise(view.offsets.tolist())):
        assert (view.base_first[begin:end][1:] > view.base_last[begin:end][:-1]).all()
        assert (view.source[begin:end] >= batch.offsets[post]).all()
        assert (view.last[begin:end] < batch.offsets[post + 1]).all()
    assert (base.source[view.base_first] == view.source).all()
    assert (base.last[view.base_last] == view.last).all()


@given(texts)
def test_a_post_sounds_the_same_alone_as_in_a_batch(
    sound: SoundTable, table: FoldTable, posts: list[str]
):
    together = view_of(sound, table, *posts).texts()
    assert together == [view_of(sound, table, post).post(0) for post in posts]


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), max_size=20))
def test_every_han_character_is_one_place_of_the_view(
    sound: SoundTable, table: FoldTable, text: str
):
    base = table.base(TextBatch.from_strings([text]))
    view = sound.view(base, table)
    han = table.classes[base.codepoints] & CLASS_HAN
    assert np.array_equal(view.base_first, np.flatnonzero(han))
    assert all(ord(c) >= SYLLABLES or c in base.post(0) for c in view.post(0))


def test_a_folder_without_the_table_has_no_sound(tmp_path: Path):
    assert load_sound(tmp_path) is None
