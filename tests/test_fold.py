"""Folding: evaded spellings meet plain ones, and every folded position knows where it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.errors import DataNotFoundError
from moderation.text import FoldTable, TextBatch, View, load_table

if TYPE_CHECKING:
    from pathlib import Path

interesting = st.sampled_from("aA ａ猫貓㎏ﬁß½é\u0301\u200b\ufe0f\u202e\x00\n\t…①🐈0１ａａbb..--")
texts = st.lists(
    st.text(st.characters(exclude_categories=()) | interesting, max_size=30), max_size=6
)
"""Posts of any code points, with those that folds treat specially among them often."""


def base_of(table: FoldTable, *posts: str) -> View:
    return table.base(TextBatch.from_strings(posts))


def compact_of(table: FoldTable, *posts: str) -> View:
    return table.compact(base_of(table, *posts))


def span(view: View, start: int, end: int) -> tuple[int, int]:
    """Return the stretch of the original that a stretch of a view stands for."""
    return int(view.source[start]), int(view.last[end - 1]) + 1


@pytest.mark.parametrize(
    ("written", "folded", "kinds"),
    [
        ("plain words, 平常的话。", "plain words, 平常的话。", set()),
        ("CASE", "case", {"case"}),
        ("ＷＩＤＥ１２", "wide12", {"width"}),
        ("ｶﾅ", "カナ", {"width"}),
        ("①⑳", "120", {"compatibility"}),
        ("𝓯𝓪𝓷𝓬𝔂 𝕨𝕠𝕣𝕕𝕤", "fancy words", {"compatibility"}),
        ("ⓒⓘⓡⓒⓛⓔ", "circle", {"compatibility"}),
        ("㎏", "kg", {"compatibility"}),
        ("ﬁne", "fine", {"compatibility"}),
        ("…", "...", {"compatibility"}),
        ("сосоа", "cocoa", {"look-alike"}),
        ("ᴄᴀᴛ", "cat", {"look-alike"}),
        ("🅲🅰🆃", "cat", {"look-alike"}),
        ("貓與發財", "猫与发财", {"traditional"}),
        ("café", "cafe", {"accent"}),
        ("cafe\u0301", "cafe", {"accent"}),
        ("c\u0336a\u0336t", "cat", {"accent"}),
        ("c\u200ba\u2060t\ufeff", "cat", {"invisible"}),
        ("\u202ecat\u202c", "cat", {"invisible"}),
        ("soft\u00adhyphen", "softhyphen", {"invisible"}),
        ("❄\ufe0f", "❄", {"invisible"}),
        ("nul\x00l", "null", {"invisible"}),
        ("мaѕsаԍе", "massage", {"look-alike"}),
        ("gιяlfriєηd", "girlfriend", {"look-alike"}),
        ("ħaƥƥy ɇndɨɲgʂ", "happy endings", {"look-alike"}),
        ("ŋæœʧ", "naeoets", {"look-alike"}),
        ("🇨\u200a🇦\u200a🇹", "cat", {"look-alike", "invisible"}),
        ("⒞⒜⒯ ⑴⑽ ㈠", "cat 110 一", {"compatibility"}),
        ("➋⓫🄌", "2110", {"look-alike"}),
        ("3\ufe0f\u20e3🔟🆓", "310free", {"invisible", "accent", "look-alike"}),
        ("⠉⠁⠞", "cat", {"look-alike"}),
        ("5µg", "5ug", {"look-alike"}),
        ("⺝⼥", "月女", {"compatibility"}),
        ("躶毬淸", "裸球清", {"traditional"}),
        ("˙´￣", "   ", {"compatibility", "width"}),
    ],
)
def test_the_base_view_undoes_a_disguise(
    table: FoldTable, written: str, folded: str, kinds: set[str]
):
    assert table.fold_text(written) == folded
    assert table.kinds(TextBatch.from_strings([written]).codepoints) == kinds


@pytest.mark.parametrize("text", ["欠予缶疏醋浜", "〇○", "妳唫卍", "氵冫艹", "лфыю"])
def test_what_people_write_as_such_stays(table: FoldTable, text: str):
    assert table.fold_text(text) == text


@pytest.mark.parametrize("space", ["\t", "\u00a0", "\u3000", "\u2003"])
def test_every_space_is_one_space(table: FoldTable, space: str):
    assert table.fold_text(f"a{space}b") == "a b"


def test_line_breaks_stay_apart_from_spaces(table: FoldTable):
    assert table.fold_text("a\nb") == "a\nb"


def test_a_lone_surrogate_becomes_the_replacement_character(table: FoldTable):
    assert base_of(table, "a\ud800b", "\udfff").texts() == ["a\ufffdb", "\ufffd"]


@pytest.mark.parametrize(
    ("written", "compact"),
    [
        ("c.a.t", "cat"),
        ("c a t", "cat"),
        ("猫，猫", "猫猫"),
        ("caaat", "cat"),
        ("CaaAt", "cat"),
        ("好好好", "好"),
        ("a.a", "aa"),
        ("1000", "1000"),
        ("🐈c🐈a🐈t", "cat"),
        ("...", ""),
        ("", ""),
    ],
)
def test_the_compact_view_drops_noise_and_repeats(table: FoldTable, written: str, compact: str):
    assert compact_of(table, written).post(0) == compact


def test_repeats_do_not_collapse_across_posts(table: FoldTable):
    assert compact_of(table, "ba", "ab", "", "b").texts() == ["ba", "ab", "", "b"]


def test_an_expanded_character_maps_back_to_the_one_it_was(table: FoldTable):
    base = base_of(table, "5㎏米")
    assert base.post(0) == "5kg米"
    assert base.source.tolist() == [0, 1, 1, 2]


def test_what_is_removed_leaves_no_position(table: FoldTable):
    base = base_of(table, "a\u200bb", "\u200b", "c")
    assert base.texts() == ["ab", "", "c"]
    assert base.source.tolist() == [0, 2, 4]
    assert base.offsets.tolist() == [0, 2, 2, 3]


def test_a_collapsed_letter_stands_for_its_whole_run(table: FoldTable):
    compact = compact_of(table, "x-caaa\u200bat")
    assert compact.post(0) == "xcat"
    assert span(compact, 2, 3) == (3, 8)


@given(texts)
def test_the_base_view_maps_back_in_order_and_within_each_post(table: FoldTable, posts: list[str]):
    batch = TextBatch.from_strings(posts)
    base = table.base(batch)
    assert (np.diff(base.source) >= 0).all()
    assert len(base.source) == len(base.codepoints) == base.offsets[-1]
    for post in range(len(posts)):
        mine = base.source[base.offsets[post] : base.offsets[post + 1]]
        assert ((batch.offsets[post] <= mine) & (mine < batch.offsets[post + 1])).all()


@given(texts)
def test_compact_spans_follow_one_another_within_each_post(table: FoldTable, posts: list[str]):
    batch = TextBatch.from_strings(posts)
    base = table.base(batch)
    compact = table.compact(base)
    assert (compact.source <= compact.last).all()
    assert (compact.base_first <= compact.base_last).all()
    assert (compact.base_first[1:] > compact.base_last[:-1]).all()
    assert (base.source[compact.base_first] == compact.source).all()
    assert (base.last[compact.base_last] == compact.last).all()
    for post in range(len(posts)):
        part = slice(compact.offsets[post], compact.offsets[post + 1])
        assert (compact.source[part] >= batch.offsets[post]).all()
        assert (compact.last[part] < batch.offsets[post + 1]).all()


@given(texts)
def test_a_compact_character_is_the_one_it_maps_to_in_the_base_view(
    table: FoldTable, posts: list[str]
):
    base = base_of(table, *posts)
    compact = table.compact(base)
    assert (base.codepoints[compact.base_first] == compact.codepoints).all()
    assert (base.codepoints[compact.base_last] == compact.codepoints).all()


@given(texts)
def test_a_post_folds_the_same_alone_as_in_a_batch(table: FoldTable, posts: list[str]):
    base = base_of(table, *posts)
    assert base.texts() == [table.fold_text(post) for post in posts]
    assert table.compact(base).texts() == [compact_of(table, post).post(0) for post in posts]


def test_the_views_of_an_empty_batch_are_empty(table: FoldTable):
    base = base_of(table)
    assert (base.texts(), table.compact(base).texts()) == ([], [])


def test_what_is_folded_does_not_fold_further(table: FoldTable):
    everything = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
    folded = np.unique(base_of(table, everything).codepoints)
    again = base_of(table, "".join(map(chr, folded)))
    settled = again.source[again.codepoints == folded[again.source]]
    assert [chr(c) for c in np.delete(folded, settled)] == []


def test_a_dotted_capital_i_is_an_i(table: FoldTable):
    assert table.fold_text("CASİNO") == "casino"


def test_folding_leaves_the_batch_as_it_was(table: FoldTable):
    batch = TextBatch.from_strings(["ＷＩＤＥ c.a.t"])
    table.compact(table.base(batch))
    assert batch.text(0) == "ＷＩＤＥ c.a.t"


def test_a_table_is_read_only(table: FoldTable):
    with pytest.raises(ValueError, match="read-only"):
        table.target[0] = 1


def test_a_missing_table_is_named(tmp_path: Path):
    with pytest.raises(DataNotFoundError) as caught:
        load_table(tmp_path)
    assert str(caught.value) == (
        f"expected the fold table {tmp_path / 'fold' / 'base.npz'}; it is part of the rules folder"
    )
