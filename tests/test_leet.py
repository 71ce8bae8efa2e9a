"""Leet: digits, symbols and letters of other scripts inside words, read as the known word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.resources import data_root
from moderation.text import TextBatch, load_table
from moderation.text.leet import SURELY, outline, plain_letters

if TYPE_CHECKING:
    from collections.abc import Sequence

WORDS = {"casino": SURELY, "pills": SURELY, "soles": SURELY, "try": 900, "need": 900, "you": 900,
         "sos": 50,
         "tramadol": SURELY, "on": 5000, "to": 5000, "dealer": 900, "room": 900}  # fmt: skip


class Dictionary:
    """Knows the words above, and those that rules name by their outline."""

    def __call__(self, words: Sequence[str]) -> list[int]:
        return [WORDS.get(word, 0) for word in words]

    def names(self, outlined: str) -> bool:
        return outlined in {outline(word) for word, rate in WORDS.items() if rate >= SURELY}


known = Dictionary()


class Hopeful(Dictionary):
    """Knows an outline for everything, so that no word is passed over unread."""

    def names(self, outlined: str) -> bool:
        return True


def read(text: str) -> str:
    table = load_table(data_root() / "rules")
    batch = TextBatch.from_strings([text])
    return plain_letters(table.base(batch), batch, table, known).text()


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("c4s1n0 tonight", "casino tonight"),
        ("p1lls and p!ll$", "pills and pills"),
        ("(a51no (hat)", "casino (hat)"),
        ("y0u n33d +0 7ry", "you need to try"),
        ("de4ler 0n dea1er r00m", "dealer on dealer room"),
        ("casиno", "casino"),
    ],
)
def test_a_word_is_read_as_the_known_word_it_can_be(written: str, says: str):
    assert read(written) == says


@pytest.mark.parametrize(
    "text",
    [
        "50s music",
        "mp3 at 5pm",
        "h3xq k9z",
        "page.example/c4s1n0",
        "100 and 20",
        "你好2024",
        "казино",
    ],
)
def test_numbers_names_addresses_and_unknown_words_stay(text: str):
    assert "casino" not in read(text)
    assert "sos" not in read(text)
    plain = load_table(data_root() / "rules").base(TextBatch.from_strings([text])).text()
    assert read(text) == plain


def test_a_doubtful_word_needs_a_post_that_is_leet_already():
    assert read("7ry it") == "7ry it"
    assert read("y0u n33d 7ry it").endswith("try it")


def test_posts_without_leet_keep_their_view():
    table = load_table(data_root() / "rules")
    batch = TextBatch.from_strings(["plain words", "纯中文"])
    base = table.base(batch)
    assert plain_letters(base, batch, table, known) is base


@given(st.text("casinopls4510!|$@( .,7и", max_size=14))
def test_what_is_passed_over_unread_would_have_been_left_as_it_is(text: str):
    table = load_table(data_root() / "rules")
    batch = TextBatch.from_strings([text])
    base = table.base(batch)
    shown = [plain_letters(base, batch, table, words).text() for words in (known, Hopeful())]
    assert shown[0] == shown[1]


def test_a_mark_may_be_the_last_letter():
    assert read("pil!s for sale") == "pills for sale"
    assert read("tramado! here!") == "tramadol here!"
