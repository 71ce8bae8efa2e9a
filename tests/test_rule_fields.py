"""Posts given in fields: where terms may match, `in`, `across`, and evidence that names fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_support import compiled, rule, write_rules

from moderation import Moderator
from moderation.text import FieldSpans, TextBatch, join_fields
from moderation.text.windows import STRIDE, WINDOW, cut, parts

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.rules import Ruleset


def in_fields(*posts: dict) -> TextBatch:
    joined = [join_fields(post.items()) for post in posts]
    return TextBatch.from_strings([text for text, _ in joined]).with_fields([s for _, s in joined])


def fires(ruleset: Ruleset, **post: str) -> bool:
    return bool(ruleset.evaluate(in_fields(post))[0].matches)


def fires_plain(ruleset: Ruleset, post: str) -> bool:
    return bool(ruleset.evaluate(TextBatch.from_strings([post]))[0].matches)


@pytest.mark.parametrize(
    ("term", "title", "text"),
    [
        ("free spins", "free", "spins"),
        ("上下分", "上下", "分"),
        ("casino", "c.a.s", "i.n.o"),
        ("菠菜", "卖菠", "菜"),
    ],
)
def test_a_term_never_runs_from_one_field_into_the_next(
    tmp_path: Path, term: str, title: str, text: str
):
    ruleset = compiled(tmp_path, rule("term", any=[term]))
    assert not fires(ruleset, title=title, text=text)
    assert fires(ruleset, title=term, text="x")
    assert fires(ruleset, title="x", text=f"one {term}", tags="y")


def test_a_pattern_reads_the_whole_post_and_below_in_one_field(tmp_path: Path):
    pattern = {"regex": r"^win\s+now$", "require": ["win"]}
    anywhere = compiled(tmp_path / "a", rule("p", any=[pattern]))
    one = compiled(tmp_path / "b", rule("p", any=[{"in": ["title", "text"]} | pattern]))
    assert fires(anywhere, title="win", text="now")
    assert not fires(anywhere, title="one", text="win now")
    assert not fires(one, title="win", text="now")
    assert fires(one, title="one", text="win now")


@pytest.mark.parametrize(
    ("item", "post", "found"),
    [
        ({"any": ["casino"]}, {"title": "casino", "text": "x"}, True),
        ({"any": ["casino"]}, {"title": "x", "text": "casino"}, False),
        ({"any": ["casino"]}, {"text": "casino"}, False),
        ({"all": ["casino", "bonus"]}, {"title": "casino", "text": "bonus"}, False),
        ({"all": ["casino", "bonus"]}, {"title": "bonus casino", "text": "x"}, True),
        ({"near": ["casino", "bonus"], "within": 20}, {"title": "casino", "text": "bonus"}, False),
        ({"all": ["casino", {"cue": "price"}]}, {"title": "casino ten coins"}, True),
        ({"all": ["casino", {"cue": "price"}]}, {"title": "casino", "text": "ten coins"}, False),
        ({"regex": "casino [0-9]", "require": ["casino"]}, {"text": "casino 1"}, False),
        ({"regex": "casino [0-9]", "require": ["casino"]}, {"title": "a casino 1"}, True),
    ],
)
def test_in_looks_at_one_field_alone(tmp_path: Path, item: dict, post: dict, found: bool):
    ruleset = compiled(tmp_path, rule("t", any=[{"in": "title"} | item]))
    assert fires(ruleset, **post) is found


def test_in_takes_several_fields_together(tmp_path: Path):
    ruleset = compiled(
        tmp_path, rule("t", any=[{"in": ["title", "tags"], "all": ["casino", "bonus"]}])
    )
    assert fires(ruleset, title="casino", text="x", tags="bonus")
    assert not fires(ruleset, title="casino", text="bonus")


def test_in_narrows_what_else_the_rule_asks_nowhere(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("t", all=[{"in": "title", "any": ["casino"]}, "bonus"]))
    assert fires(ruleset, title="casino", text="bonus")


def test_a_veto_may_look_at_one_field(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("t", all=["casino", {"in": "tags", "none": ["film"]}]))
    assert fires(ruleset, title="casino film", tags="night")
    assert not fires(ruleset, title="casino", tags="film")


def test_a_post_without_fields_is_one_field_called_text(tmp_path: Path):
    inside = compiled(tmp_path / "a", rule("t", any=[{"in": "text", "any": ["casino"]}]))
    other = compiled(tmp_path / "b", rule("t", any=[{"in": "title", "any": ["casino"]}]))
    across = compiled(tmp_path / "c", rule("t", across=["casino", "bonus"]))
    assert fires_plain(inside, "casino")
    assert not fires_plain(other, "casino")
    assert not fires_plain(across, "casino bonus")


@pytest.mark.parametrize(
    ("post", "found"),
    [
        ({"title": "casino", "text": "bonus"}, True),
        ({"title": "casino bonus", "text": "x"}, False),
        ({"title": "casino bonus", "text": "casino"}, True),
        ({"title": "casino", "text": "casino"}, False),
        ({"title": "x", "text": "bonus", "tags": "casino"}, True),
    ],
)
def test_across_wants_its_items_in_two_fields(tmp_path: Path, post: dict, found: bool):
    assert fires(compiled(tmp_path, rule("t", across=["casino", "bonus"])), **post) is found


def test_a_border_between_fields_counts_ten_characters_in_near(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("t", near=["casino", "bonus"], within=11))
    assert fires(ruleset, title="casino", text="bonus")
    assert not fires(ruleset, title="casino", text="a bonus")
    assert fires_plain(ruleset, "casino, what a bonus")


def test_evidence_names_its_field_and_counts_within_it(tmp_path: Path):
    moderator = Moderator(rules=write_rules(tmp_path, rule("t", all=["casino", "bonus"])))
    verdict = moderator.check_fields(
        {"title": "our casino", "text": None, "tags": ["big", "bonus"]}, data_id="7"
    )
    assert verdict.data_id == "7"
    (label,) = verdict.labels
    assert [(e.field, e.start, e.end) for e in label.evidence] == [("title", 4, 10), ("tags", 4, 9)]


def test_a_post_without_any_field_is_a_null(tmp_path: Path):
    moderator = Moderator(rules=write_rules(tmp_path, rule("t", any=["casino"])))
    found = moderator.check_fields_batch([{}, {"title": None}, {"title": "casino"}])
    assert [v.error for v in found] == ["text is null", "text is null", None]
    assert found[2].action == "block"


def test_a_field_that_is_no_text_is_refused(tmp_path: Path):
    moderator = Moderator(rules=write_rules(tmp_path, rule("t", any=["casino"])))
    with pytest.raises(TypeError, match="in field 'tags', got int at 1"):
        moderator.check_fields_batch([{"title": "x"}, {"tags": ["a", 3]}])
    with pytest.raises(ValueError, match="expected 1 data_ids, found 2"):
        moderator.check_fields_batch([{"title": "x"}], data_ids=["a", "b"])


def test_fields_are_kept_in_windows(tmp_path: Path):
    given_rule = rule("t", any=[{"in": "tags", "any": ["casino"]}])
    moderator = Moderator(rules=write_rules(tmp_path, given_rule))
    post = {"title": "a", "text": "word " * WINDOW, "tags": "one casino"}
    (label,) = (x for x in moderator.check_fields(post).labels if x.sub_label)
    assert [(e.field, e.start, e.end) for e in label.evidence] == [("tags", 4, 10)]


@given(
    st.lists(st.lists(st.integers(0, 2 * WINDOW), max_size=4), min_size=1, max_size=5),
)
def test_windows_and_take_keep_each_place_in_its_field(lengths: list[list[int]]):
    posts = [{f"f{n}": "x" * size for n, size in enumerate(sizes)} for sizes in lengths]
    batch = in_fields(*posts)
    assert batch.fields is not None
    order = np.arange(len(posts))[::-1]
    taken = batch.take(order)
    assert taken.fields is not None
    assert [taken.fields.of(i) for i in range(len(posts))] == [batch.fields.of(p) for p in order]
    windows = cut(batch)
    for where, part in parts(batch, windows):
        assert part.fields is not None
        numbers = range(where.start, where.stop)
        for index, window in enumerate(numbers):
            post, start = int(windows.post[window]), int(windows.start[window])
            assert start % STRIDE == 0
            size = int(part.lengths[index])
            inside = [
                (s.name, max(s.start - start, 0), min(s.end - start, size))
                for s in batch.fields.of(post)
                if s.start - start < size and s.end > start
            ]
            assert [s for s in part.fields.of(index) if s.end > s.start] == [
                s for s in inside if s[2] > s[1]
            ]


def test_a_place_lies_in_the_field_that_began_last():
    spans = FieldSpans.from_layouts([(), join_fields([("a", "xx"), ("b", "yyy")])[1]])
    places = np.array([0, 1, 2, 3, 5])
    assert spans.number(places, np.ones(5, np.int64)).tolist() == [1, 1, 1, 2, 2]


def test_there_are_as_many_layouts_as_posts():
    with pytest.raises(ValueError, match="expected the fields of 1 posts, found 0"):
        TextBatch.from_strings(["a"]).with_fields([])
