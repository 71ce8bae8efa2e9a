"""Features by the kernel are those of the references, and what is wrong does no harm."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_support import CALLS, REFUSALS, mutated

from moderation.classifier.features import (
    Ragged,
    character_ngrams,
    character_ngrams_reference,
    taken_reference,
)
from moderation.resources import data_root
from moderation.text import TextBatch, load_table
from moderation.text.batch import decoded_reference
from moderation.text.language import (
    languages_of,
    languages_of_reference,
    scripts,
    scripts_reference,
)
from moderation.text.native import kernel

pytestmark = pytest.mark.skipif(kernel is None, reason="the native kernel was not compiled here")

TABLE = load_table(data_root() / "rules")
POSTS = st.lists(st.text(max_size=30), max_size=6)
BASE = TABLE.base(TextBatch.from_strings(["今天天气很好", "", "Casino ㍿ aab", "😂"]))
VALID: dict[str, list[Any]] = {
    "ngrams": [BASE.codepoints, BASE.offsets, 3, 1 << 12],
    "ngram_sums": [BASE.codepoints, BASE.offsets, np.ones(1 << 12, np.int8), 4],
    "ngram_set_sums": [BASE.codepoints, BASE.offsets, np.ones(1 << 12, np.int8), 4],
    "taken": [BASE.codepoints, BASE.offsets, np.array([2, 0, 2])],
    "screened": [
        np.arange(3 * (len(BASE.offsets) - 1)),
        BASE.offsets,
        4,
        *(np.arange(3) for _ in range(2)),
        2.0,
        0.5,
        np.ones(len(BASE.offsets) - 1, np.uint8),
        np.zeros(len(BASE.offsets) - 1, np.uint8),
        *(np.arange(3) for _ in range(2)),
        np.arange(12),
    ],
    "decode": [
        np.frombuffer("今天, ok 😂 é".encode(), np.uint8),
        np.array([0, 6, 6, 8, 18]),
        np.array([0, 0, 1, 0], np.uint8),
    ],
    "scripts": [
        BASE.codepoints,
        BASE.offsets,
        TABLE.classes,
        BASE.codepoints,
        np.arange(len(BASE.codepoints)),
    ],
    "languages": [np.arange(10, dtype=np.int64), 3.0, 0.2, 0.9, 0.2, 4.0],
    "pad": [np.arange(9, dtype=np.int32), np.array([0, 4, 4, 9]), np.array([2, 0, 1]), 8, -1],
}


@given(
    posts=st.lists(st.text(max_size=8).map(str.encode) | st.binary(max_size=4), max_size=6),
    gone=st.sets(st.integers(0, 5)),
)
def test_bytes_are_read_as_in_the_reference(posts: list[bytes], gone: set[int]):
    data = np.frombuffer(b"\xff" + b"".join(posts), np.uint8)
    bounds = np.cumsum([1, *map(len, posts)])
    nulls = np.isin(np.arange(len(posts)), list(gone))
    try:
        codes, offsets = decoded_reference(data, bounds, nulls)
    except UnicodeDecodeError:
        assert kernel.decode(data, bounds, nulls) is None
    else:
        made = kernel.decode(data, bounds, nulls)
        assert np.frombuffer(made[0], np.uint32).tolist() == codes.tolist()
        assert np.frombuffer(made[1], np.int64).tolist() == offsets.tolist()


@given(posts=POSTS, size=st.integers(1, 4), bits=st.integers(0, 17))
def test_n_grams_are_those_of_the_reference(posts: list[str], size: int, bits: int):
    base = TABLE.base(TextBatch.from_strings(posts))
    found = character_ngrams(base, size, 1 << bits)
    expected = character_ngrams_reference(base, size, 1 << bits)
    assert found.values.tolist() == expected.values.tolist()
    assert found.offsets.tolist() == expected.offsets.tolist()
    assert (found.values.dtype, found.offsets.dtype) == (np.int32, np.int64)


@given(posts=POSTS, rows=st.lists(st.integers(0, 5), max_size=9))
def test_posts_are_taken_as_in_the_reference(posts: list[str], rows: list[int]):
    batch = TextBatch.from_strings(posts)
    chosen = np.array([row for row in rows if row < len(posts)], np.int64)
    made = kernel.taken(batch.codepoints, batch.offsets, chosen)
    codes, offsets = taken_reference(batch.codepoints, batch.offsets, chosen)
    assert np.frombuffer(made[0], np.uint32).tolist() == codes.tolist()
    assert np.frombuffer(made[1], np.int64).tolist() == offsets.tolist()


@given(size=st.integers(1, 4), lengths=st.lists(st.integers(0, 40), min_size=1, max_size=6))
def test_weights_of_any_length_of_n_grams_are_added_up(size: int, lengths: list[int]):
    """Whatever stands behind a post, the last post of a batch included."""
    draw = np.random.default_rng(sum(lengths))
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    codes = draw.integers(0x4E00, 0x4E20, int(offsets[-1]), np.uint32)
    weights = draw.integers(-128, 128, (64, 4)).astype(np.int8)
    sums = np.frombuffer(kernel.ngram_sums(codes, offsets, weights, size), np.int64)
    sets = np.frombuffer(kernel.ngram_set_sums(codes, offsets, weights, size), np.int64)
    base = dataclasses.replace(BASE, codepoints=codes, offsets=offsets)
    made = [character_ngrams_reference(base, n, 64) for n in range(1, size + 1)]
    for post in range(len(lengths)):
        buckets = np.concatenate([g.values[g.offsets[post] : g.offsets[post + 1]] for g in made])
        every, once = (weights[which, :3].sum(axis=0, dtype=int) for which in (
            buckets, np.unique(buckets),
        ))  # fmt: skip
        assert sums[3 * post : 3 * post + 3].tolist() == every.tolist()
        assert sets[4 * post : 4 * post + 4].tolist() == [*once, len(np.unique(buckets))]


PIECES = st.sampled_from(
    ["саt", "как дела", "cat", "ｃａｔ", "赌博", "かな", "한글", "1", " ", "Ω", "\n"]
)
"""Cyrillic beside Latin letters and by itself, and other scripts."""


@given(posts=st.lists(st.lists(PIECES | st.characters(), max_size=12).map("".join), max_size=5))
def test_scripts_are_counted_as_in_the_reference(posts: list[str]):
    batch = TextBatch.from_strings(posts)
    base = TABLE.base(batch)
    found = scripts(base, TABLE, batch.codepoints, base.source)
    assert found.tolist() == (
        scripts_reference(base, TABLE, batch.codepoints, base.source).tolist()
    )


def test_more_letters_than_a_word_of_counts_holds_are_counted():
    posts = ["赌" * 5_000, "как дела" * 900, "саt" * 1_500, "1a" * 2_001]
    batch = TextBatch.from_strings(posts)
    base = TABLE.base(batch)
    found = scripts(base, TABLE, batch.codepoints, base.source)
    assert found.tolist() == (
        scripts_reference(base, TABLE, batch.codepoints, base.source).tolist()
    )
    assert found[0].tolist() == [5_000, 0, 0, 0, 10_000]


@given(st.lists(st.lists(st.integers(0, 60), min_size=5, max_size=5), min_size=1, max_size=9))
def test_languages_are_told_as_in_the_reference(rows: list[list[int]]):
    counts = np.array(rows, np.int64)
    assert languages_of(counts).tolist() == languages_of_reference(counts).tolist()


@given(lengths=st.lists(st.integers(0, 12), min_size=1, max_size=8), width=st.integers(0, 10))
def test_rows_are_filled_up_as_in_the_reference(lengths: list[int], width: int):
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    ragged = Ragged(np.arange(int(offsets[-1]), dtype=np.int32), offsets)
    rows = np.arange(len(lengths))[::-1].copy()
    found = ragged.padded(rows, width, -7)
    assert found.tolist() == ragged.padded_reference(rows, width, -7).tolist()
    assert found.dtype == np.int32


@pytest.mark.parametrize("name", VALID)
def test_what_is_right_is_taken(name: str):
    assert getattr(kernel, name)(*VALID[name]) is not None


@pytest.mark.parametrize("name", VALID)
def test_what_is_wrong_is_refused_or_does_no_harm(name: str):
    random_ = random.Random(name)
    call, valid = getattr(kernel, name), VALID[name]
    refused = 0
    for _ in range(CALLS):
        wrong = list(valid)
        for at in random_.choices(range(len(wrong)), k=random_.choice((1, 1, 1, 2))):
            wrong[at] = mutated(valid[at], random_)
        try:
            call(*wrong)
        except REFUSALS:
            refused += 1
    assert refused > CALLS // 3


@pytest.mark.parametrize("name", VALID)
def test_too_few_and_too_many_arguments_are_refused(name: str):
    call, valid = getattr(kernel, name), VALID[name]
    for wrong in ([], valid[:-1], [*valid, None], [None] * len(valid)):
        with pytest.raises(TypeError):
            call(*wrong)
