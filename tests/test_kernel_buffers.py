"""What the native kernel is handed wrongly it refuses; no call leaves its arrays."""

from __future__ import annotations

import gc
import random
from typing import Any

import numpy as np
import psutil
import pytest
from kernel_support import CALLS, DATE_API, POSTS, REFUSALS, SANITIZED, TERMS, calls, mutated

from moderation.text.native import kernel

pytestmark = pytest.mark.skipif(kernel is None, reason="the native kernel was not compiled here")

FUNCTIONS = (
    "fold", "unspace", "compact", "sound", "build", "scan", "clauses", "sieve", "notice",
    "disguises", "program", "findings", "collector", "collect", "decision", "decide",
    "begins", "sketches", "sketched",
)  # fmt: skip
VALID = calls() if kernel is not None else {}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_right_is_taken(name: str):
    assert getattr(kernel, name)(*VALID[name]) is not None


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_wrong_is_refused_or_does_no_harm(name: str):
    random_ = random.Random(name)
    call, valid = getattr(kernel, name), VALID[name]
    refused = 0
    for _ in range(CALLS):
        given = list(valid)
        for at in random_.choices(range(len(given)), k=random_.choice((1, 1, 1, 2))):
            given[at] = mutated(valid[at], random_)
        try:
            call(*given)
        except REFUSALS:
            refused += 1
    assert refused > CALLS // 3


@pytest.mark.parametrize("name", FUNCTIONS)
def test_too_few_and_too_many_arguments_are_refused(name: str):
    call, valid = getattr(kernel, name), VALID[name]
    for given in ([], valid[:-1], [*valid, None], [None] * len(valid)):
        with pytest.raises(TypeError):
            call(*given)


INT64, INT32, UINT32 = np.int64, np.int32, np.uint32
# Function, place of the argument, what is put there (a number: an array full of it), what is said.
WRONG: list[tuple[str, int, Any, str]] = [
    ("fold", 0, b"abc", "codes: expected"),
    ("fold", 1, b"", "expected one offset or more"),
    ("fold", 1, np.array([0, 3, 2, 4], INT64), "offsets that ascend"),
    ("fold", 1, np.array([-1, 2], INT64), "offsets that ascend"),
    ("fold", 1, np.array([0, 2], INT64), "offsets that ascend"),
    ("fold", 1, np.array([0, 1 << 40], INT64), "offsets that ascend"),
    ("fold", 2, np.zeros(7, UINT32), "target: expected"),
    ("fold", 2, 0x80000000 + 99_999, "expansion that it does not hold"),
    ("fold", 3, -1, "outside of the array of expansions"),
    ("fold", 4, 1 << 62, "outside of the array of expansions"),
    ("fold", 5, b"", "outside of the array of expansions"),
    ("unspace", 3, b"", "source: expected"),
    ("compact", 2, b"", "classes: expected"),
    ("sound", 3, b"", "near: expected"),
    ("sound", 5, b"", "syllable_near: expected"),
    ("build", 1, np.array([0, 0], INT64), "offsets that ascend"),
    ("build", 2, 7, "a pattern is empty, or the order"),
    ("build", 2, -1, "a pattern is empty, or the order"),
    ("build", 2, np.arange(len(TERMS), dtype=INT32)[::-1].copy(), "does not sort"),
    ("build", 3, np.zeros(0x110000, UINT32), "has no symbol"),
    ("build", 3, 1 << 31, "symbols up to"),
    ("scan", 0, DATE_API, "incorrect name"),
    ("scan", 0, None, "invalid PyCapsule"),
    ("scan", 3, 1 << 40, "outside of its post"),
    ("scan", 4, -1, "outside of its post"),
    ("scan", 8, b"\0", "edges: expected"),
    ("scan", 9, b"abc", "pairs: expected"),
    ("scan", 10, b"", "alone: expected"),
    ("scan", 12, b"", "parts: expected"),
    ("scan", 13, b"", "frequency: expected"),
    ("begins", 1, np.array([0, 3], INT64), "offsets that ascend"),
    ("begins", 2, b"", "edges: expected"),
    ("sketches", 0, np.array([0, 7, 6], INT32), "rows of sketches that ascend"),
    ("sketches", 0, np.array([0, 3, 5], INT32), "rows and sizes of every sketch"),
    ("sketches", 1, 6, "instructions, sets and classes"),
    ("sketches", 1, -1, "instructions, sets and classes"),
    ("sketches", 1, 2, "instructions, sets and classes"),
    ("sketches", 1, 5 << 20, "instructions, sets and classes"),
    ("sketches", 2, -1, "members of every set"),
    ("sketches", 2, 3, "members of every set|instructions, sets and classes"),
    ("sketches", 3, 3, "instructions, sets and classes"),
    ("sketches", 3, b"12", "rows and sizes of every sketch"),
    ("sketches", 4, b"", "members of every set"),
    ("sketches", 5, 0x110001, "runs of code points"),
    ("sketches", 5, np.array([0, 9, 5, 7], INT32), "runs of code points"),
    ("sketches", 6, 3, "runs of code points"),
    ("sketched", 0, DATE_API, "incorrect name"),
    ("sieve", 0, DATE_API, "incorrect name"),
    ("sieve", 1, ord("x"), "automaton's own patterns"),
    ("sieve", 2, np.zeros(1, INT64), "offsets that ascend"),
    ("sieve", 3, b"", "asked: expected"),
    ("sieve", 4, b"", "edges: expected"),
    ("notice", 0, ((0, DATE_API, b"", b""),), "incorrect name"),
    ("notice", 0, ((4, *VALID["notice"][0][0][1:]),) if VALID else (), "view from 0 to 3"),
    ("notice", 0, VALID["notice"][0] * 2 if VALID else (), "more than four"),
    ("notice", 3, b"", "left_out: expected"),
    ("notice", 7, np.zeros(1001, np.uint64), "at most 1000|syllable_near: expected"),
    ("notice", 9, 3, "unknown group"),
    ("notice", 10, -1, "unknown group"),
    ("disguises", 2, 1 << 40, "outside of the posts"),
    ("disguises", 2, -1, "outside of the posts"),
    ("disguises", 6, b"", "marks: expected"),
    ("program", 0, -1, "how many literals"),
    ("program", 0, 4, "sets of literals"),
    ("program", 1, 1, "a sketch of each pattern"),
    ("program", 3, -1, "literals, patterns and levels"),
    ("program", 3, 1, "made of others before them"),
    ("program", 4, DATE_API, "incorrect name"),
    ("program", 5, np.zeros(7, INT32), "expected nodes"),
    ("program", 5, np.array([6, 0, 2, 9, 0, 0], INT32), "made of others before them"),
    ("program", 5, 9, "made of others before them"),
    ("program", 6, 10, "made of others before them"),
    ("program", 6, -1, "made of others before them"),
    ("program", 7, np.array([0, 7], INT32), "sets of literals"),
    ("program", 8, 3, "sets of literals, ascending"),
    ("program", 9, 3, "made of others before them"),
    ("program", 10, -2, "made of others before them"),
    ("program", 10, np.zeros(6, INT32), "expected rules"),
    ("program", 11, 11, "made of others before them"),
    ("program", 11, np.ones(65, INT32), "made of others before them"),
    ("program", 14, np.zeros(1, INT32), "context rules of literals, ascending"),
    ("program", 15, 4, "context rules of literals, ascending"),
    ("program", 16, np.array([0, 10], INT32), "code points of each literal"),
    ("program", 17, 0x110000, "code points of literals"),
    ("program", 18, np.array([0, 5], INT32), "every list of cues"),
    ("program", 19, 1, "lists of cues"),
    ("findings", 0, DATE_API, "incorrect name"),
    ("findings", 3, np.array([0, 9], INT64), "bounds: expected bounds that ascend"),
    ("findings", 3, b"", "bounds: expected bounds that ascend"),
    ("findings", 3, np.array([0, 4, 3, 5, 6, 6], INT64), "bounds that ascend"),
    ("findings", 4, 6, "literals of the program"),
    ("findings", 4, np.array([0, 1, 1, 3, 2, 0], INT32), "literals that ascend"),
    ("findings", 5, b"", "start: expected"),
    ("findings", 5, 1 << 30, "begin before they end"),
    ("findings", 5, -1, "begin before they end"),
    ("findings", 6, np.iinfo(INT32).max, "begin before they end"),
    ("findings", 8, b"", "posts: expected"),
    ("findings", 8, -1, "posts that begin somewhere"),
    ("findings", 11, -1, "views of posts"),
    ("findings", 16, 1 << 40, "views of posts"),
    ("findings", 18, np.array([0, 3, 1, 1, 4, 20], INT32), "fields that begin before they end"),
    ("findings", 11, b"", "view source: expected"),
    ("findings", 12, b"", "view last: expected"),
    ("findings", 15, b"", "view source: expected"),
    ("findings", 17, np.zeros(1, INT64), "field bounds: expected"),
    ("findings", 17, 1, "field bounds: expected bounds that ascend"),
    ("findings", 18, np.zeros(4, INT32), "fields: expected"),
    ("findings", 19, np.array([0, 4], INT32), "candidates: posts"),
    ("findings", 19, np.array([1 << 20, 0], INT32), "candidates: posts"),
    ("findings", 19, np.array([2, 0, 1, 0], INT32), "candidates: posts"),
    ("findings", 19, np.array([2], INT32), "candidates: posts"),
    ("findings", 20, b"", "wanted: expected"),
    ("collector", 0, (), "the base view and the compact one first"),
    ("collector", 0, VALID["collector"][0] * 2 if VALID else (), "at most four views"),
    ("collector", 0, VALID["collector"][0][1:] if VALID else (), "the compact one first"),
    ("collector", 0, VALID["collector"][0][:2] * 2 if VALID else (), "no base view but the first"),
    ("collector", 1, b"", "spaces: expected"),
    ("collector", 2, b"", "spaces: expected"),
    ("collector", 3, b"", "terms: expected"),
    ("collector", 3, 7, "terms that are patterns"),
    ("collector", 3, -2, "terms that are patterns"),
    ("collector", 7, b"", "parts: expected"),
    ("collector", 9, b"12", "near: expected"),
    ("collector", 10, b"", "fold marks: expected"),
    ("collector", 14, 513, "at most 512"),
    ("collector", 14, -1, "at most 512"),
    ("collect", 0, DATE_API, "incorrect name"),
    ("collect", 1, (), "as many views"),
    ("collect", 3, np.zeros(1, INT64), "offsets that ascend"),
    ("collect", 4, b"", "spaced: expected"),
    ("collect", 5, b"1", "cut: expected"),
    ("collect", 6, b"", "fields: expected"),
    ("collect", 7, -1, "fields: expected"),
    ("decision", 0, np.zeros(7, INT32), "whole rows of rules"),
    ("decision", 0, 9, "rules of known policy"),
    ("decision", 0, -2, "rules of known policy"),
    ("decision", 1, 3, "known actions for every sub-label"),
    ("decision", 2, 3, "a known action for every stance"),
    ("decision", 3, b"", "escalate: expected"),
    ("decision", 6, np.zeros(11, INT64), "whole rows of rules"),
    ("decision", 9, 3, "for the classifier alone"),
    ("decide", 0, DATE_API, "incorrect name"),
    ("decide", 1, 64, "one of 64 cues"),
    ("decide", 1, -2, "one of 64 cues"),
    ("decide", 2, np.array([0, 2, 1, 3], INT64), "bounds that ascend"),
    ("decide", 3, 9, "rules that are there"),
    ("decide", 3, -1, "rules that are there"),
    ("decide", 3, np.array([2, -1, 0, 0, 2, 0, 1, 0, 1], INT32), "a policy for other rules"),
    ("decide", 3, np.array([0, 2, 4, 0, 2, 0, 1, 0, 1], INT32), "innocent contexts"),
    ("decide", 4, np.array([0, 2, 2, 5], INT64), "bounds that ascend"),
    ("decide", 5, 64, "hits of known marks"),
    ("decide", 5, -1, "hits of known marks"),
    ("decide", 6, b"", "cues: expected"),
    ("decide", 8, 5, "posts of the batch"),
    ("decide", 8, -1, "posts of the batch"),
    ("decide", 11, 4, "posts of the batch"),
    ("decide", 17, 10, "posts of the batch"),
    ("decide", 18, b"", "likely: expected"),
    ("disguises", 8, b"", "ways: expected"),
    ("disguises", 12, b"", "parts: expected"),
    ("clauses", 0, -1, "fewer posts"),
    ("clauses", 0, 1 << 31, "fewer posts"),
    ("clauses", 0, 1, "rows by post"),
    ("clauses", 1, ((b"1234", 0),), "rows of five"),
    ("clauses", 1, ((np.array([9, 0, 1, 0, 3], INT32), 0),), "unknown pattern"),
    ("clauses", 1, ((np.array([-1, 0, 1, 0, 3], INT32), 0),), "unknown pattern"),
    ("clauses", 1, ((b"", 0),) * 9, "more than eight"),
    ("clauses", 2, 1 << 40, "outside of the groups"),
    ("clauses", 2, -1, "outside of the groups"),
    ("clauses", 3, 3, "unknown group"),
    ("clauses", 4, -1, "unknown group"),
]


@pytest.mark.parametrize(("name", "at", "value", "message"), WRONG)
def test_a_wrong_argument_is_named(name: str, at: int, value: Any, message: str):
    given = list(VALID[name])
    fill = isinstance(value, int) and isinstance(given[at], np.ndarray)
    given[at] = np.full_like(given[at], value) if fill else value
    with pytest.raises(ValueError, match=message):
        getattr(kernel, name)(*given)


def test_a_post_that_is_too_long_to_be_noticed_is_refused():
    views, _, _, _, *tables = VALID["notice"]
    codes = np.zeros((1 << 27) + 1, np.uint32)  # never read, so that no memory stands behind it
    with pytest.raises(ValueError, match="posts of up to"):
        kernel.notice(views, codes, np.array([0, len(codes)]), np.zeros(1, np.uint8), *tables)


def test_a_list_of_codes_and_a_row_that_is_no_tuple_are_type_errors():
    with pytest.raises(TypeError):
        kernel.compact([1, 2], *VALID["compact"][1:])
    with pytest.raises(TypeError, match="tuples of rows"):
        kernel.clauses(5, ([b"", 0],), *VALID["clauses"][2:])


ROWS: list[tuple[list[int], str]] = [
    ([9, 0, 1, 0, 3], "of patterns that stand in their post"),
    ([-1, 0, 1, 0, 3], "of patterns that stand in their post"),
    ([0, 0, 1, 0, 3], "of patterns that stand in their post"),
    ([0, -1, 1, 0, 3], "of patterns that stand in their post"),
    ([0, 6, 8, 0, 3], "of patterns that stand in their post"),
    ([0, 0, 2, 5, 3], "of patterns that stand in their post"),
    ([0, 0, 2, 0, 3, 0, 0, 2, -1, 3], "in their post|no spelling of what is written"),
    ([0, 0, 2, 0], "rows of five"),
]


@pytest.mark.parametrize("view", [0, 1, 3])
@pytest.mark.parametrize(("rows", "message"), ROWS)
def test_rows_of_what_is_not_there_are_refused(view: int, rows: list[int], message: str):
    collector, views, *others = VALID["collect"]
    wrong = list(views)
    wrong[view] = (*views[view][:-1], np.array(rows, INT32))
    with pytest.raises(ValueError, match=message):
        kernel.collect(collector, tuple(wrong), *others)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_buffers_are_given_back_whether_a_call_succeeds_or_not(name: str):
    valid = VALID[name]
    wrong = [value if isinstance(value, int) else b"\0" for value in valid]
    for whole in (True, False):
        held = [bytearray(v.tobytes()) if isinstance(v, np.ndarray) else v for v in valid]
        for at in range(len(held)):
            given = held if whole else [*held[:at], wrong[at], *held[at + 1 :]]
            try:
                getattr(kernel, name)(*given)
            except REFUSALS:
                assert not whole
        for value in held:
            if isinstance(value, bytearray):
                value.clear()  # a BufferError where somebody still holds it


@pytest.mark.skipif(SANITIZED, reason="the sanitizer keeps freed memory for a while")
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("whole", [True, False], ids=["valid", "refused"])
def test_calls_leave_no_memory_behind(name: str, whole: bool):
    call = getattr(kernel, name)
    given = calls(POSTS * 100)[name]
    if not whole:
        # Refused as late as can be, with as much memory held as can be.
        late = {
            "fold": 2, "build": 2, "clauses": 4, "scan": 4, "sieve": 2, "notice": 9, "program": 15,
            "findings": 4, "collector": 14, "decision": 0, "decide": 17,
        }.get(name, 1)  # fmt: skip
        fill = {"fold": 0xF0000000, "decide": 10}.get(name, -1 if name != "build" else 0)
        if name == "collect":
            *views, last = given[1]
            given[1] = (*views, (*last[:-1], np.append(last[-1], np.int32([-1, 0, 1, 0, 3]))))
        elif name == "sketched":
            given[1] = given[1].view(np.uint8)[:-1]
        else:
            given[late] = np.full_like(given[late], fill)
    process = psutil.Process()

    def run(times: int) -> int:
        for _ in range(times):
            try:
                call(*given)
            except REFUSALS:
                assert not whole
        gc.collect()
        return int(process.memory_info().rss)

    times = 200 if name == "build" else 2_000  # an automaton holds megabytes
    before = run(times // 10)
    assert run(times) - before < 8_000_000
