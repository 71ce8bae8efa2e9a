"""TextBatch: posts laid end to end, whether they come from Python or from Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.errors import ConfigError
from moderation.text import TextBatch

if TYPE_CHECKING:
    from collections.abc import Callable

any_text = st.text(st.characters(exclude_categories=()), max_size=40)
"""Any code points, lone surrogates among them."""
clean_text = st.text(max_size=40)
"""What UTF-8 can say."""


def posts_of(batch: TextBatch) -> list[str | None]:
    return [None if null else batch.text(i) for i, null in enumerate(batch.nulls.tolist())]


def same(a: TextBatch, b: TextBatch) -> bool:
    return (
        np.array_equal(a.codepoints, b.codepoints)
        and np.array_equal(a.offsets, b.offsets)
        and np.array_equal(a.nulls, b.nulls)
        and a.codepoints.dtype == b.codepoints.dtype
        and a.offsets.dtype == b.offsets.dtype
    )


def test_posts_lie_end_to_end_without_separators():
    batch = TextBatch.from_strings(["猫", "", "cat 🐈"])
    assert batch.codepoints.tolist() == [*map(ord, "猫cat 🐈")]
    assert batch.offsets.tolist() == [0, 1, 1, 6]
    assert batch.lengths.tolist() == [1, 0, 5]


def test_columns_have_the_documented_types():
    batch = TextBatch.from_strings(["a"])
    assert (batch.codepoints.dtype, batch.offsets.dtype, batch.nulls.dtype) == (
        np.uint32, np.int64, np.bool_,
    )  # fmt: skip


def test_a_null_is_no_empty_post():
    batch = TextBatch.from_strings(["a", None, ""])
    assert batch.nulls.tolist() == [False, True, False]
    assert batch.lengths.tolist() == [1, 0, 0]


@pytest.mark.parametrize("posts", [[], [""], [None], ["", None, ""]])
def test_a_batch_may_hold_no_text_at_all(posts: list[str | None]):
    batch = TextBatch.from_strings(posts)
    assert posts_of(batch) == posts
    assert len(batch) == len(posts)


@given(st.lists(st.none() | any_text))
def test_strings_come_back_as_they_went_in(posts: list[str | None]):
    assert posts_of(TextBatch.from_strings(posts)) == posts


@pytest.mark.parametrize("wrong", [3, b"bytes", 0.5, ["list"]])
def test_what_is_no_string_is_refused_with_its_position(wrong: object):
    expected = f"expected str or None for every post, got {type(wrong).__name__} at 2"
    with pytest.raises(TypeError, match=expected):
        TextBatch.from_strings(["a", "b", wrong])  # type: ignore[list-item]


@pytest.mark.parametrize("wrong", [0, b"", [], False])
def test_an_empty_thing_that_is_no_string_is_refused_beside_a_null(wrong: object):
    with pytest.raises(TypeError, match=f"got {type(wrong).__name__} at 1"):
        TextBatch.from_strings([None, wrong])  # type: ignore[list-item]


ARROW_SHAPES: dict[str, Callable[[list[str | None]], object]] = {
    "string": lambda posts: pa.array(posts, pa.string()),
    "large_string": lambda posts: pa.array(posts, pa.large_string()),
    "string_view": lambda posts: pa.array(posts, pa.string_view()),
    "dictionary": lambda posts: pa.array(posts, pa.string()).dictionary_encode(),
    "slice": lambda posts: pa.array(["before", None, *posts, "after"]).slice(2, len(posts)),
    "view slice": lambda posts: pa.array(
        ["a first one, longer than twelve bytes", *posts], pa.string_view()
    ).slice(1),
    "dictionary slice": lambda posts: pa.array(["before", *posts]).dictionary_encode().slice(1),
    "chunked": lambda posts: pa.chunked_array(
        [posts[:1], [], posts[1:2], posts[2:]], type=pa.string()
    ),
    "chunked slice": lambda posts: pa.chunked_array(
        [["before", *posts[:2]], [*posts[2:], "after"]], type=pa.large_string()
    ).slice(1, len(posts)),
    "chunked dictionaries": lambda posts: pa.chunked_array(
        [pa.array(part, pa.string()).dictionary_encode() for part in (posts[:2], posts[2:])]
    ),
    "chunked views": lambda posts: pa.chunked_array([posts[:2], posts[2:]], type=pa.string_view()),
    "table column": lambda posts: pa.table({"text": pa.array(posts, pa.string())}).column("text"),
}


@pytest.mark.parametrize("shape", ARROW_SHAPES)
@given(posts=st.lists(st.none() | clean_text, max_size=6))
def test_an_arrow_column_reads_like_its_strings(shape: str, posts: list[str | None]):
    assert same(TextBatch.from_arrow(ARROW_SHAPES[shape](posts)), TextBatch.from_strings(posts))


def test_a_column_of_nulls_reads_as_nulls():
    assert posts_of(TextBatch.from_arrow(pa.nulls(2))) == [None, None]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([], pa.string()),
        pa.chunked_array([], pa.string()),
        pa.chunked_array([], pa.dictionary(pa.int32(), pa.string())),
        pa.array(["a", "b"]).slice(2),
    ],
    ids=["array", "no chunk", "no dictionary chunk", "slice"],
)
def test_an_empty_column_is_an_empty_batch(column: object):
    assert same(TextBatch.from_arrow(column), TextBatch.from_strings([]))


def test_a_null_in_a_dictionarys_values_is_a_null():
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array(["猫", None]))
    assert posts_of(TextBatch.from_arrow(column)) == ["猫", None, None]


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pa.array([1, 2]), "int64"),
        (pa.array([b"x"]), "binary"),
        (pa.array([["x"]]), "list<item: string>"),
        (pa.chunked_array([[1.5]]), "double"),
        (
            pa.array([1]).dictionary_encode(),
            "dictionary<values=int64, indices=int32, ordered=0>",
        ),
    ],
    ids=["int", "binary", "list", "chunked", "dictionary"],
)
def test_a_column_of_something_else_is_refused_by_its_type(column: object, kind: str):
    with pytest.raises(ConfigError) as caught:
        TextBatch.from_arrow(column)
    assert str(caught.value) == f"the text column must hold strings, found Arrow type {kind}"


def test_a_column_that_is_no_utf8_raises_an_error_of_ours():
    ends = np.array([0, 1, 3], np.int32)
    column = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(ends.tobytes()), pa.py_buffer(b"a\xff\xfe")]
    )
    with pytest.raises(ConfigError, match="the text column holds bytes that are not UTF-8"):
        TextBatch.from_arrow(column)


def test_reading_a_column_leaves_it_as_it_was():
    column = pa.array(["a", None, "猫"])
    before = column.to_pylist()
    TextBatch.from_arrow(column).codepoints.tolist()
    assert column.to_pylist() == before


@given(st.data())
def test_taking_posts_is_like_building_a_batch_of_them(data: st.DataObject):
    posts = data.draw(st.lists(st.none() | any_text, min_size=1, max_size=8))
    chosen = data.draw(st.lists(st.integers(0, len(posts) - 1), max_size=8))
    taken = TextBatch.from_strings(posts).take(np.array(chosen, np.int64))
    assert same(taken, TextBatch.from_strings([posts[i] for i in chosen]))
