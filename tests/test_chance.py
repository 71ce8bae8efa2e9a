"""Chance: which evaded spellings ordinary text falls into, by the shipped counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moderation.rules.chance import LIKELY, RARE, SURE, Chance
from moderation.text.ordinary import Ordinary
from moderation.text.sound import SYLLABLES, load_sound

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.text import FoldTable


@pytest.fixture(scope="module")
def chance(shipped_rules: Path, table: FoldTable) -> Chance:
    return Chance(table, Ordinary.load(shipped_rules), load_sound(shipped_rules))


@pytest.mark.parametrize(
    ("fold", "written", "term", "doubt"),
    [
        ("homophone", "罗聊", "裸聊", RARE),  # hardly any pair sounds like it
        ("homophone", "事中", "试钟", LIKELY),  # many do
        ("homophone", "百加乐", "百家乐", RARE),
        ("homophone", "baijiale", "百家乐", SURE),
        ("homophone", "bo彩", "博彩", SURE),
        ("homophone", "ba", "爸", LIKELY),  # a sigh
        ("homophone", "you·piao", "邮票", LIKELY),  # a word of Chinese posts
        ("homophone", "you丶piao", "邮票", SURE),  # nobody writes a stroke there
        ("homophone", "bo〇彩", "博彩", LIKELY),  # a number
        ("shape", "睹博", "赌博", LIKELY),
        ("shape", "百a家b乐", "百家乐", SURE),  # noise in every gap
        ("shape", "百a家乐", "百家乐", LIKELY),
        ("order", "分上下", "上下分", LIKELY),  # holds an ordinary word
        ("initials", "bjl", "百家乐", LIKELY),
    ],
)
def test_what_ordinary_text_falls_into_is_doubted(
    chance: Chance, fold: str, written: str, term: str, doubt: int
):
    assert chance.sound is not None
    form = "".join(chr(SYLLABLES - 1 + int(chance.sound.near[ord(c)])) for c in term)
    assert chance.doubt(fold, form, written, term) == doubt
