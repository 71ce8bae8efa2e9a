"""Labels as columns: the objects they were made of, whatever is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation import arrow
from moderation.decide import Verdicts, risk_level
from moderation.decide.json_lines import json_line
from moderation.decide.labels import HIT_TYPES, LabelTable, Names
from moderation.types import (
    ACTIONS,
    POLICIES,
    RISK_LEVELS,
    SEVERITIES,
    STANCES,
    SUB_LABELS,
    Evidence,
    Label,
    PolicyRef,
)

if TYPE_CHECKING:
    from moderation import Moderator

IDS = ("porn.zh.a", "drugs.en.b", "gambling.en.c")
TRANSFORMS = ("accent", "case", "leet", "noise", "order", "repeat", "width")
places = st.integers(0, 2**31 - 1)
scores = st.integers(0, 10_000).map(lambda number: number / 10_000) | st.floats(0, 1)
words = st.text(st.sampled_from('ab"\\\n标é\U0001f3b0'), max_size=4)


def evidence(rule_ids: st.SearchStrategy[str], hidden: st.SearchStrategy[str]):
    return st.builds(
        Evidence,
        places,
        places,
        st.none() | rule_ids,
        st.sampled_from(HIT_TYPES),
        st.lists(hidden, max_size=3).map(tuple),
        st.none() | st.sampled_from(["title", "正文", 'a"b']),
    )


def labels(spans: st.SearchStrategy[Evidence]) -> st.SearchStrategy[Label]:
    def of(policy: str) -> st.SearchStrategy[Label]:
        return st.builds(
            Label,
            st.just(policy),
            st.none() | st.sampled_from(SUB_LABELS[policy]),
            st.sampled_from(ACTIONS),
            scores,
            scores,
            st.sampled_from(STANCES),
            st.lists(spans, max_size=4).map(tuple),
            st.none() | st.sampled_from(SEVERITIES),
        )

    return st.sampled_from(POLICIES).flatmap(of)


by_post = st.dictionaries(
    st.integers(0, 5),
    st.lists(labels(evidence(st.sampled_from(IDS) | words, words)), min_size=1, max_size=3).map(
        tuple
    ),
)


def verdicts_on(found: dict[int, tuple[Label, ...]], ids: list[str | None]) -> Verdicts:
    """Return verdicts on six posts, one of them with an error."""
    numbers = np.array([[0.0, 0.5, 1.0], [0.1234, 0.9, 0.0001]] * 3)
    return Verdicts.of(
        numbers, np.array([0, 1, 2, 3, 0, 1], np.uint8), LabelTable.of(found),
        PolicyRef("cn", "sha256:00"), "m@1.0.0", np.array([0, 1, 1, 0, 1, 1], np.uint8),
        ("none", "fast"), {4: "text is null"}, ids,
    )  # fmt: skip


@settings(max_examples=40)
@given(by_post)
def test_a_table_is_a_mapping_of_the_labels_it_was_made_of(found: dict[int, tuple[Label, ...]]):
    table = LabelTable.of(found)
    assert table == found
    assert dict(table) == found
    assert list(table) == sorted(found)
    assert len(table) == len(found)
    assert [table.get(post) for post in range(6)] == [found.get(post, ()) for post in range(6)]
    assert [post in table for post in range(6)] == [post in found for post in range(6)]


def test_a_post_without_labels_is_a_missing_key():
    with pytest.raises(KeyError):
        LabelTable.of({})[0]


@settings(max_examples=40)
@given(by_post, st.data())
def test_rows_are_taken_in_any_order(found: dict[int, tuple[Label, ...]], data: st.DataObject):
    table = LabelTable.of(found)
    flat = [label for post in sorted(found) for label in found[post]]
    rows = data.draw(st.lists(st.sampled_from(range(len(flat))))) if flat else []
    taken = table.take(np.array(rows, np.int64))
    assert taken.made(np.arange(len(rows))) == [flat[row] for row in rows]


@settings(max_examples=40)
@given(by_post, by_post)
def test_tables_of_the_same_names_are_joined(
    one: dict[int, tuple[Label, ...]], other: dict[int, tuple[Label, ...]]
):
    moved = {post + 6: given for post, given in other.items()}
    together = LabelTable.of(one | moved)
    parts = [post < 6 for post in together.labels[:, 0].tolist()]
    rows = [np.flatnonzero(parts), np.flatnonzero(~np.array(parts, np.bool_))]
    assert LabelTable.joined([together.take(row) for row in rows]) == one | moved


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.integers(0, 3),
        st.lists(
            labels(
                evidence(st.sampled_from(IDS), st.sampled_from(TRANSFORMS)).map(
                    lambda e: Evidence(
                        e.start, e.end, e.rule_id, e.hit_type, tuple(sorted(set(e.transforms)))
                    )
                )
            ),
            min_size=1,
            max_size=2,
        ).map(tuple),
    )
)
def test_transforms_may_be_bits(found: dict[int, tuple[Label, ...]]):
    table = LabelTable.of(found, Names(IDS))
    assert table == found
    assert table.names == Names(IDS)


@settings(max_examples=40)
@given(by_post)
def test_action_and_risk_are_those_of_the_labels(found: dict[int, tuple[Label, ...]]):
    made = verdicts_on(found, [None] * 6)
    for post in range(6):
        own = found.get(post, ())
        strongest = max((ACTIONS.index(label.action) for label in own), default=0)
        assert made.actions[post] == strongest
        assert RISK_LEVELS[made.risks[post]] == risk_level(own)


@settings(max_examples=60)
@given(by_post, st.lists(st.none() | words, min_size=6, max_size=6))
def test_json_lines_are_those_of_the_objects(
    found: dict[int, tuple[Label, ...]], ids: list[str | None]
):
    made = verdicts_on(found, ids)
    expected = [json_line(verdict.to_dict()) for verdict in made]
    assert made.to_json_lines() == b"".join(expected)


def test_a_rule_or_field_with_a_lone_surrogate_is_written_in_ascii():
    whole = Evidence(0, 1, "porn.zh.a", "keyword", (), None)
    odd = [
        Evidence(0, 1, "porn.zh.\ud800", "keyword", (), None),
        Evidence(0, 1, None, "model", (), "\udfff"),
    ]
    found = {
        post: (Label("porn", None, "review", 0.5, 0.5, "offer", tuple(spans)),)
        for post, spans in enumerate([[whole, odd[0]], [odd[1]], [whole]])
    }
    made = verdicts_on(found, ["标"] * 6)
    lines = made.to_json_lines().splitlines(keepends=True)
    assert lines == [json_line(verdict.to_dict()) for verdict in made]
    assert [line.isascii() for line in lines] == [True, True, False, False, False, False]


@settings(max_examples=60)
@given(by_post)
def test_arrow_is_that_of_the_objects(found: dict[int, tuple[Label, ...]]):
    made = verdicts_on(found, [None] * 6)
    batch = made.to_arrow()
    batch.validate(full=True)
    column = batch.column("labels")
    rows = [[label.to_dict() for label in found.get(post, ())] for post in range(6)]
    kind = arrow.OUTPUT_SCHEMA.field("labels").type
    assert column.type == kind
    assert column.equals(pa.array(rows, kind))


def test_an_engines_labels_are_the_columns_of_their_objects(moderator: Moderator):
    posts = [
        "老板要上.下.分找客服 加V：abc88666 秒到账",
        "cat tax",
        "who sells p3rcs, DM me, s1gnal",
    ]
    found = moderator.check_batch(posts).labels
    again = LabelTable.of(dict(found), found.names)
    assert found
    for name in ("labels", "numbers", "bounds", "spans"):
        assert getattr(found, name).tolist() == getattr(again, name).tolist()
