"""Windows: long posts in overlapping pieces that together hold everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.text import TextBatch
from moderation.text.windows import STRIDE, WINDOW, cut, parts

lengths = st.lists(
    st.integers(0, 3 * WINDOW) | st.sampled_from([WINDOW - 1, WINDOW, WINDOW + 1, WINDOW + STRIDE]),
    max_size=6,
)


def batch_of(lengths: list[int]) -> TextBatch:
    """Return posts of some lengths in which every code point tells where it stands."""
    return TextBatch.from_strings(
        ["".join(chr(0x4E00 + i % 20000) for i in range(length)) for length in lengths]
    )


@pytest.mark.parametrize("length", [0, 1, WINDOW - 1, WINDOW])
def test_a_post_that_fits_is_one_window(length: int):
    windows = cut(batch_of([length]))
    assert (windows.post.tolist(), windows.start.tolist()) == ([0], [0])
    assert windows.length.tolist() == [length]


def test_short_posts_are_one_part_as_they_are():
    batch = batch_of([3, 0, WINDOW])
    windows = cut(batch)
    ((where, part),) = parts(batch, windows)
    assert (where, windows.whole) == (slice(0, 3), True)
    assert part is batch
    assert windows.cut(batch, where) is None


def test_a_longer_post_goes_on_a_stride_later():
    windows = cut(batch_of([WINDOW + 1]))
    assert windows.start.tolist() == [0, STRIDE]
    assert windows.length.tolist() == [WINDOW, WINDOW + 1 - STRIDE]


def test_an_empty_batch_has_no_window():
    empty = batch_of([])
    assert len(cut(empty).post) == 0
    assert list(parts(empty, cut(empty))) == []


@given(lengths)
def test_windows_of_a_post_begin_at_its_start_and_reach_its_end(lengths: list[int]):
    windows = cut(batch_of(lengths))
    assert np.unique(windows.post).tolist() == list(range(len(lengths)))
    for post, length in enumerate(lengths):
        mine = windows.post == post
        ends = windows.start[mine] + windows.length[mine]
        assert windows.start[mine][0] == 0
        assert ends[-1] == length
        assert (np.diff(windows.start[mine]) == STRIDE).all()
        assert (windows.length[mine] <= WINDOW).all()


@given(lengths, st.data())
def test_a_stretch_as_long_as_the_overlap_lies_in_one_window_whole(
    lengths: list[int], data: st.DataObject
):
    overlap = WINDOW - STRIDE
    windows = cut(batch_of(lengths))
    for post, length in enumerate(lengths):
        start = data.draw(st.integers(0, max(length - overlap, 0)))
        end = min(start + overlap, length)
        mine = windows.post == post
        first, last = windows.start[mine], windows.start[mine] + windows.length[mine]
        assert ((first <= start) & (end <= last)).any()


@given(lengths)
def test_parts_hold_every_window_once_with_its_text(lengths: list[int]):
    batch = batch_of(lengths)
    windows = cut(batch)
    seen = 0
    for where, part in parts(batch, windows):
        assert where.start == seen
        seen = where.stop
        for index, window in enumerate(range(where.start, where.stop)):
            start = windows.start[window]
            text = batch.text(int(windows.post[window]))
            assert part.text(index) == text[start : start + windows.length[window]]
    assert seen == len(windows.post)


def test_parts_are_bounded_in_posts_and_in_code_points(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("moderation.text.windows.PART_POSTS", 3)
    monkeypatch.setattr("moderation.text.windows.PART_CODEPOINTS", 100)
    batch = batch_of([10] * 7 + [60, 60, 500, 1])
    sizes = [part.lengths.tolist() for _, part in parts(batch, cut(batch))]
    assert sizes == [[10, 10, 10], [10, 10, 10], [10, 60], [60], [500], [1]]


def test_a_null_post_is_a_null_window():
    batch = TextBatch.from_strings([None, "a"])
    (_, part), *_ = parts(batch, cut(batch))
    assert part.nulls.tolist() == [True, False]
