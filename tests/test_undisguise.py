"""Disguised posts read once, and laid back among the others of their batch."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rule_support import batch, compiled, rule

if TYPE_CHECKING:
    from moderation.rules import Ruleset
    from moderation.text import View

POSTS = [
    "", "今天天气很好", "c4s1no and p0rn tonight", "今 天 天 气 很 好 啊 我 们", "ㄅㄛㄘㄞ 网站",
    "\u202eonisac", "ɐʇ ƃuıʞɔɐɾ", "саsinо bonus", "㍿ and ﷺ 3㎏", "casino at 5pm",
    "\ud800 plain", "plain",
]  # fmt: skip


@pytest.fixture(scope="module")
def ruleset(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    terms = ["casino", "博彩", "今天", "porn"]
    return compiled(tmp_path_factory.mktemp("undisguise"), rule("term", any=terms), bold=True)


def same(found: View, expected: View) -> None:
    for one, other in zip(astuple(found), astuple(expected), strict=True):
        if isinstance(one, str):
            assert one == other
        else:
            assert one.dtype == other.dtype
            assert one.tolist() == other.tolist()


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(POSTS), st.booleans()), max_size=9))
@example([(post, True) for post in POSTS])
@example([(post, at % 2 == 0) for at, post in enumerate(POSTS)])
def test_posts_read_during_a_scan_are_those_that_reading_them_again_gives(
    ruleset: Ruleset, drawn: list[tuple[str, bool]]
):
    posts = batch([post for post, _ in drawn])
    chosen = np.flatnonzero(np.array([taken for _, taken in drawn], np.bool_))
    scan = ruleset.scan(posts)
    part = posts.take(chosen)
    reading = ruleset._reading(part, scan.base.take(chosen, posts, part), chosen, scan.read)
    expected = ruleset.read(part)
    same(reading.base, expected.base)
    assert reading.spaced.tolist() == expected.spaced.tolist()
    assert reading.hits == expected.hits


def test_a_batch_that_hides_nothing_keeps_its_base_view(ruleset: Ruleset):
    posts = batch(["今天天气很好", "casino at 5pm"])
    scan = ruleset.scan(posts)
    shown = ruleset._reading(posts, scan.base, np.arange(2), scan.read).base
    assert shown.codepoints.tolist() == ruleset.table.base(posts).codepoints.tolist()
    assert not ruleset.read(posts).spaced.any()
