"""Spacing: Chinese cut into words throughout is read without the spaces, other spaces stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_support import compiled, read, rule, spans

from moderation.text import FoldTable, TextBatch
from moderation.text.spacing import unspace, unspace_reference

if TYPE_CHECKING:
    from pathlib import Path


def read_as(table: FoldTable, post: str) -> str:
    return unspace(table.base(TextBatch.from_strings([post])), table)[0].post(0)


@pytest.mark.parametrize(
    ("post", "unspaced"),
    [
        ("今天 我们 去 公园 看 花", "今天我们去公园看花"),
        ("今 天　我 们 去", "今天我们去"),
        ("今  天 我   们 去", "今天我们去"),
        ("今\u200b天 我 \u200b们 去 吧", "今天我们去吧"),
        ("ok 今 天 我 们 去 a b", "ok 今天我们去 a b"),
        ("今天 我们 去公园", "今天 我们 去公园"),
        ("今\n天\n我\n们\n去", "今\n天\n我\n们\n去"),
        ("今，天 我，们 去，公 园", "今，天 我，们 去，公 园"),
        ("a b c d e f", "a b c d e f"),
        ("今天天气真的很不错 我们一起去公园里看花吧 顺便吃个冰淇淋再回家 好不好呀 嗯", None),
    ],
)
def test_only_a_post_spaced_throughout_is_read_without_spaces(
    table: FoldTable, post: str, unspaced: str | None
):
    assert read_as(table, post) == table.fold_text(post if unspaced is None else unspaced)


def test_a_neighbour_is_not_touched(table: FoldTable):
    base = table.base(TextBatch.from_strings(["今 天", "今 天 我 们 去", "我 们"]))
    view, spaced = unspace(base, table)
    assert view.texts() == ["今 天", "今天我们去", "我 们"]
    assert spaced.tolist() == [False, True, False]


def test_where_nothing_is_spaced_the_view_stays_the_same_object(table: FoldTable):
    base = table.base(TextBatch.from_strings(["今天 我们", "a b c d e"]))
    view, spaced = unspace(base, table)
    assert view is base
    assert not spaced.any()


def test_a_term_in_a_spaced_post_is_a_plain_one_found_through_noise(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("term", any=["上下分"]), bold=True)
    post = "有 老板 要 上 下分 吗"
    assert spans(ruleset, post) == ["上 下分"]
    (match,) = read(ruleset, post).matches
    assert (match.bold, match.level) == (False, "strong")
    assert [(hit.view, hit.fold) for hit in match.hits] == [("base", "noise")]


def test_a_term_without_a_gap_in_a_spaced_post_is_plain(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("term", any=["上下分"]), bold=True)
    (match,) = read(ruleset, "有 老板 要 上下分 吗").matches
    assert [(hit.view, hit.fold) for hit in match.hits] == [("base", "")]


def test_a_spaced_post_shortens_no_evidence_of_its_neighbours(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("term", any=["线上赌场"]), bold=True)
    posts = ["来 ㄒㄧㄢˋㄕㄤˋㄉㄨˇㄔㄤˇ 吧", "今 天 我 们 去"]
    (match,) = ruleset.evaluate(TextBatch.from_strings(posts))[0].matches
    assert match == read(ruleset, posts[0]).matches[0]
    assert [posts[0][hit.start : hit.end] for hit in match.hits] == ["ㄒㄧㄢˋㄕㄤˋㄉㄨˇㄔㄤˇ"]


texts = st.lists(st.text("今天我 们\u3000a\n，\u200b㎏1", max_size=24), max_size=5)


@given(texts)
def test_nothing_but_spaces_between_han_is_dropped(table: FoldTable, posts: list[str]):
    base = table.base(TextBatch.from_strings(posts))
    view, spaced = unspace(base, table)
    assert (np.diff(view.source) >= 0).all()
    for index, (before, after) in enumerate(zip(base.texts(), view.texts(), strict=True)):
        assert before.replace(" ", "") == after.replace(" ", "")
        assert spaced[index] or before == after
        assert not spaced[index] or len(after) < len(before)
    reference, also = unspace_reference(base, table)
    assert (reference.texts(), also.tolist()) == (view.texts(), spaced.tolist())
