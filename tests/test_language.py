"""The language of a post, by its scripts."""

from __future__ import annotations

import pytest

from moderation.text import FoldTable, TextBatch, identify
from moderation.types import LANGUAGES


def language(table: FoldTable, *posts: str) -> list[str]:
    batch = TextBatch.from_strings(posts)
    return [LANGUAGES[i] for i in identify(table.base(batch), table, batch)]


@pytest.mark.parametrize(
    ("post", "expected"),
    [
        ("今天喝了一杯咖啡", "zh"),
        ("今天和朋友们一起去KTV唱歌", "zh"),
        ("繁體中文的貼文", "zh"),
        ("1万元", "zh"),
        ("Good morning from my cat", "en"),
        ("ＷＩＤＥ　ＬＥＴＴＥＲＳ", "en"),
        ("I learned that 猫 is a cat in Chinese class today", "en"),
        ("我的猫 likes to sleep on the sofa 真可爱", "mixed"),
        ("你好 hello world", "mixed"),
        ("こんにちは、猫です", "other"),
        ("東京に行きました", "other"),
        ("안녕하세요", "other"),
        ("สวัสดีตอนเช้า", "other"),
        ("Привет, как дела?", "other"),
        ("🐈🐈🐈", "other"),
        ("12345 !!!", "other"),
        ("\u200b\u200b", "other"),
        ("", "other"),
    ],
)
def test_the_main_script_names_the_language(table: FoldTable, post: str, expected: str):
    assert language(table, post) == [expected]


@pytest.mark.parametrize(
    "post",
    ["Где купить хлеб рано утром?", "Спасибо большое", "Доброе утро", "Σήμερα έχει ωραίο καιρό"],
)
def test_an_ordinary_sentence_in_another_alphabet_is_other(table: FoldTable, post: str):
    assert language(table, post) == ["other"]


def test_one_disguised_word_does_not_change_the_language(table: FoldTable):
    assert language(table, "my сat sleeps all day") == ["en"]


@pytest.mark.parametrize(
    "post", ["Вот это дом, а там наш сад", "Не то, не там и не он", "κακάο και νερό", "ՀՈ ՍՕ"]
)
def test_letters_that_all_fold_to_latin_ones_are_no_english(table: FoldTable, post: str):
    assert language(table, post) == ["other"]


@pytest.mark.parametrize(
    "post", ["gιяlfriєηd tonight, jealousy included", "𝓯𝓪𝓷𝓬𝔂 ⓒⓐⓣ", "ᑭOᖇT wine", "🇨\u200a🇦\u200a🇹"]
)
def test_letters_in_disguise_are_english(table: FoldTable, post: str):
    assert language(table, post) == ["en"]


def test_every_post_of_a_batch_has_its_own_language(table: FoldTable):
    assert language(table, "猫", "", "cat", "ねこ", "猫 is cat") == [
        "zh", "other", "en", "other", "mixed",
    ]  # fmt: skip


def test_an_empty_batch_has_no_language(table: FoldTable):
    assert language(table) == []
