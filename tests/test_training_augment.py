import re

import numpy as np
import pytest

pytest.importorskip("pypinyin", reason="needs the extra [train]")

from moderation.training import augment
from moderation.training.augment import disguised

HAN = "周末去山里看日出，风景很好！路上买了两斤橘子"
LATIN = "we walked along the river on sunday, then had soup at the station"
MIXED = "周末 we walked 去看日出，然后 coffee 一杯"
COPIES = 300
"""Copies made of a post where every kind of disguise should have occurred."""


def copies(text, count=COPIES):
    generator = np.random.default_rng(3)
    return [disguised(text, generator) for _ in range(count)]


def is_han(character):
    return "\u3400" <= character <= "\u9fff"


def han(text):
    return "".join(filter(is_han, text))


def syllables(text):
    from pypinyin import lazy_pinyin

    return [lazy_pinyin(character)[0] for character in han(text)]


def seeds(kind, text, count=40):
    return {kind(text, np.random.default_rng(seed)) for seed in range(count)}


@pytest.mark.parametrize("text", [HAN, LATIN, MIXED, "🔥橘子🔥 soup", "好"])
def test_the_state_of_the_generator_decides_the_copy(text):
    first, second = (np.random.default_rng(7) for _ in range(2))
    assert [disguised(text, first) for _ in range(20)] == [
        disguised(text, second) for _ in range(20)
    ]


@pytest.mark.parametrize("text", [HAN, LATIN, MIXED])
def test_a_generator_goes_on_to_other_copies(text):
    assert len(set(copies(text, 20))) > 10


def test_most_copies_differ_from_the_post():
    assert sum(copy == HAN for copy in copies(HAN)) < COPIES / 4


@pytest.mark.parametrize("text", ["  ", "。\n", "\u200d", "好好", "ab", "a好", "#", "，，"])
def test_short_posts_are_copied_without_error(text):
    assert all(isinstance(copy, str) for copy in copies(text, 60))


@pytest.mark.parametrize("text", ["", " ", "\n", "。", "🔥", "a", "7", "好"])
def test_posts_of_at_most_one_character_hide_nothing(text):
    assert set(copies(text, 60)) == {text}


def test_posts_without_a_letter_stay_as_they_are():
    assert set(copies("🔥🔥 ✨ ... 💐")) == {"🔥🔥 ✨ ... 💐"}


def test_emoji_are_never_split_or_lost():
    text = "👩‍🌾 picked 三斤 橘子 🍊🍊 today 👍🏽"
    for copy in copies(text):
        assert "👩‍🌾" in copy
        assert "🍊🍊" in copy
        assert "👍🏽" in copy


def test_latin_posts_get_no_chinese_characters():
    assert not any(han(copy) for copy in copies(LATIN))


def test_chinese_posts_get_letters_only_as_syllables():
    read = re.compile(f"(?:{'|'.join(syllables(HAN))})*")
    for copy in copies(HAN):
        assert read.fullmatch("".join(c for c in copy if c.isascii() and c.isalpha())), copy


def test_every_kind_of_disguise_occurs_in_a_post_of_both_scripts():
    made = copies(MIXED)
    assert any("\n" in copy for copy in made)
    assert any("#" in copy for copy in made)
    assert any(set("@43!$105780") & set(copy) for copy in made)
    assert any(any(mark in copy for mark in "·-_*/|~、+🔥✨❤") for copy in made)
    assert any(len(han(copy)) == len(han(MIXED)) != 0 and han(copy) != han(MIXED) for copy in made)
    assert any(len(han(copy)) < len(han(MIXED)) for copy in made)
    assert any(c * 3 in copy for copy in made for c in "walkedcoffee")


def test_noise_is_one_mark_between_letters():
    for copy in seeds(augment._noise, "橘子和面包"):
        marks = {c for c in copy if not is_han(c)}
        assert len(marks) <= 1
        assert han(copy) == "橘子和面包"
        assert copy[0] == "橘"
        assert copy[-1] == "包"
    assert len(seeds(augment._noise, "橘子和面包")) > 5


def test_noise_stands_beside_no_mark_or_space():
    assert seeds(augment._noise, "a, b. c! 好") == {"a, b. c! 好"}


def test_sound_alikes_are_read_as_what_they_stand_for():
    made = seeds(augment._sound_alikes, HAN)
    assert len(made) > 10
    for copy in made:
        assert len(copy) == len(HAN)
        assert syllables(copy) == syllables(HAN)


def test_sound_alikes_leave_other_scripts_alone():
    assert seeds(augment._sound_alikes, LATIN) == {LATIN}


def test_pinyin_replaces_one_to_three_characters_side_by_side():
    text = "橘子和面包"
    expected = {
        text[:at] + "".join(syllables(text[at : at + count])) + text[at + count :]
        for count in (1, 2, 3)
        for at in range(len(text))
    }
    made = seeds(augment._pinyin, text)
    assert made <= expected
    assert len(made) > 5


def test_leet_reads_letter_by_letter():
    made = seeds(augment._leet, LATIN)
    assert len(made) > 10
    for copy in made:
        assert len(copy) == len(LATIN)
        for before, after in zip(LATIN, copy, strict=True):
            assert after == before or after in augment._LEET.get(before, "")


def test_doubled_letters_collapse_to_the_word():
    for copy in seeds(augment._doubled, "big tidy cafe"):
        collapsed = "".join(c for at, c in enumerate(copy) if at == 0 or copy[at - 1] != c)
        assert collapsed == "big tidy cafe"
    assert len(seeds(augment._doubled, "big tidy cafe")) > 5


def test_layout_breaks_after_a_sentence_or_adds_a_word_of_the_post_as_a_tag():
    text = "早上好，同事们 coffee 在桌上"
    made = seeds(augment._layout, text)
    assert "早上好，\n同事们 coffee 在桌上" in made
    tags = {copy.removeprefix(text) for copy in made if copy.startswith(text)}
    assert tags == {" #coffee", " #在桌上"}


def test_layout_has_nothing_to_do_with_a_single_long_word():
    assert seeds(augment._layout, "没有标点的一段很长很长的话连在一起") == {
        "没有标点的一段很长很长的话连在一起"
    }
