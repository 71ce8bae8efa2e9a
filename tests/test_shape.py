"""The shape view: look-alike Han characters, and characters written as their parts."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.text import FoldTable, TextBatch, View
from moderation.text.shape import ShapeTable, load_shapes

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def shapes(shipped_rules: Path) -> ShapeTable:
    found = load_shapes(shipped_rules)
    assert found is not None
    return found


def view_of(shapes: ShapeTable, table: FoldTable, *posts: str) -> View:
    return shapes.view(table.compact(table.base(TextBatch.from_strings(posts))), table)


def may_stand_for(shapes: ShapeTable, look: str, char: str) -> bool:
    """Say whether a character of a literal is found where a look-alike is written."""
    return shapes.fold(look) in {shapes.fold(char), *shapes.looks.get(char, ())}


@pytest.mark.parametrize(
    ("look", "char"),
    [
        ("睹", "赌"),
        ("曰", "日"),
        ("末", "未"),
        ("已", "己"),
        ("士", "土"),
        ("入", "人"),
        ("太", "大"),
        ("夫", "天"),
        ("千", "干"),
        ("ロ", "口"),
        ("カ", "力"),
    ],
)
def test_a_look_alike_may_stand_for_a_character(shapes: ShapeTable, look: str, char: str):
    assert may_stand_for(shapes, look, char)


@pytest.mark.parametrize(("one", "two"), [("猫", "狗"), ("海", "山"), ("赌", "彩"), ("上", "下")])
def test_characters_that_look_different_may_not(shapes: ShapeTable, one: str, two: str):
    assert not may_stand_for(shapes, one, two)
    assert not may_stand_for(shapes, two, one)


@pytest.mark.parametrize(
    ("char", "parts"),
    [("奸", "女干"), ("好", "女子"), ("明", "日月"), ("炮", "火包"), ("法", "水去")],
)
def test_a_character_may_be_written_as_its_parts(shapes: ShapeTable, char: str, parts: str):
    assert parts in shapes.split[char]


def test_two_characters_may_be_written_as_one(shapes: ShapeTable):
    assert shapes.joined["女子"] == "好"


def test_folding_twice_is_folding_once(shapes: ShapeTable):
    assert np.array_equal(shapes.classes[shapes.classes], shapes.classes)


def test_likeness_does_not_carry_on_for_ever(shapes: ShapeTable):
    _, sizes = np.unique(shapes.classes, return_counts=True)
    assert sizes.max() <= 10


def test_a_class_looks_like_no_other_of_itself(shapes: ShapeTable):
    for char, looks in shapes.looks.items():
        assert shapes.fold(char) not in looks
        assert len(set(looks)) == len(looks)


def test_the_view_holds_han_alone_each_with_its_place(shapes: ShapeTable, table: FoldTable):
    view = view_of(shapes, table, "㎏赌.b\u200b場12", "cat", "")
    assert view.texts() == [shapes.fold("赌场"), "", ""]
    assert view.source.tolist() == view.last.tolist() == [1, 5]


def test_a_repeated_character_stands_for_its_whole_run(shapes: ShapeTable, table: FoldTable):
    view = view_of(shapes, table, "来赌赌\u200b赌")
    assert (view.source.tolist(), view.last.tolist()) == ([0, 1], [0, 4])


texts = st.lists(
    st.text(st.sampled_from("赌睹场曰a1.，㎏\u200b\ud800😀") | st.characters(), max_size=20),
    max_size=5,
)


@given(texts)
def test_places_go_forward_and_stay_within_the_post(
    shapes: ShapeTable, table: FoldTable, posts: list[str]
):
    batch = TextBatch.from_strings(posts)
    compact = table.compact(table.base(batch))
    view = shapes.view(compact, table)
    for post, (begin, end) in enumerate(pairwise(view.offsets.tolist())):
        assert (view.base_first[begin:end][1:] > view.base_last[begin:end][:-1]).all()
        assert (view.source[begin:end] >= batch.offsets[post]).all()
        assert (view.last[begin:end] < batch.offsets[post + 1]).all()
    assert view.texts() == [view_of(shapes, table, post).post(0) for post in posts]


def test_a_folder_without_the_table_has_no_shapes(tmp_path: Path):
    assert load_shapes(tmp_path) is None
