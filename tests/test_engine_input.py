"""Moderator: nulls, empty, broken and very long posts, and what is no text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from engine_support import AWKWARD, CASINO_AD, COFFEE, assert_published, evidence, found_by_rules

from moderation.text.windows import STRIDE, WINDOW

if TYPE_CHECKING:
    from moderation import Moderator


def test_a_null_gets_a_verdict_that_says_so(moderator: Moderator):
    verdict = moderator.check_batch([None])[0]
    assert_published(verdict.to_dict())
    assert (verdict.action, verdict.labels, verdict.error) == ("pass", (), "text is null")
    assert set(verdict.category_scores.values()) == {0.0}


def test_an_empty_post_is_no_error(moderator: Moderator):
    verdict = moderator.check("")
    assert (verdict.action, verdict.language, verdict.error) == ("pass", "other", None)
    assert set(verdict.category_scores.values()) == {0.0}


def test_a_null_among_posts_touches_no_other(moderator: Moderator):
    found = moderator.check_batch([CASINO_AD, None, COFFEE])
    assert [found[0], found[2]] == [moderator.check(CASINO_AD), moderator.check(COFFEE)]


@pytest.mark.parametrize("post", AWKWARD)
def test_an_awkward_post_gets_a_verdict_without_error(moderator: Moderator, post: str):
    verdict = moderator.check(post)
    assert_published(json.loads(verdict.to_json()))
    assert verdict.error is None


@pytest.mark.parametrize("post", [" ", "\u200b", "\x00", "\u200b\ufeff"])
def test_a_post_in_which_nothing_is_visible_passes(moderator: Moderator, post: str):
    assert moderator.check(post).action == "pass"


@pytest.mark.parametrize("noise", ["\ud800", "\x00", "\u200b", "\udfff\x00"])
def test_broken_characters_hide_nothing_and_move_no_span(small: Moderator, noise: str):
    assert evidence(small, f"{noise}our teapot{noise}!") == ["teapot"]


def test_nul_inside_a_word_does_not_hide_it(small: Moderator):
    assert evidence(small, "our tea\x00pot") == ["tea\x00pot"]


def test_a_slow_pattern_is_the_posts_error_and_nobody_elses(small: Moderator):
    found = small.check_batch(["our teapot", "start " + "w" * 90 + "z, teapot", COFFEE])
    assert [v.error for v in found] == [None, "pattern timed out: gambling.en.slow", None]
    assert [v.action for v in found] == ["block", "block", "pass"]


def test_a_long_post_names_the_slow_patterns_of_all_its_windows(small: Moderator):
    post = f"start {'w' * 90}z, {'tea and cake. ' * 150} begin {'v' * 90}z"
    (verdict,) = small.check_batch([post])
    assert verdict.error == "pattern timed out: gambling.en.slow, gambling.en.late"


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (["a", 3], "expected str or None for every post, got int at 1"),
        ([b"a"], "expected str or None for every post, got bytes at 0"),
    ],
)
def test_what_is_no_text_is_refused(moderator: Moderator, batch: list, message: str):
    with pytest.raises(TypeError, match=message):
        moderator.check_batch(batch)


def test_ids_must_be_as_many_as_posts(moderator: Moderator):
    with pytest.raises(ValueError, match="expected 2 data_ids, found 1"):
        moderator.check_batch(["a", "b"], data_ids=["x"])


def test_json_lines_stand_an_id_with_a_lone_surrogate(moderator: Moderator):
    lines = moderator.check_batch([COFFEE], data_ids=["n\ud800"]).to_json_lines()
    assert json.loads(lines)["data_id"] == "n\ud800"


# Long posts.

FILLER = "好"


def test_a_hit_deep_in_a_long_post_keeps_its_place(small: Moderator):
    post = FILLER * 2990 + "our teapot"
    assert [(e.start, e.end) for e in found_by_rules(small.check(post))] == [(2994, 3000)]


@pytest.mark.parametrize("border", [STRIDE, WINDOW, 2 * STRIDE, STRIDE + WINDOW])
@pytest.mark.parametrize("before", range(7))
def test_a_word_across_a_windows_border_is_found_once(small: Moderator, border: int, before: int):
    start = border - before
    post = FILLER * start + "teapot" + FILLER * (3000 - start - 6)
    assert evidence(small, post) == ["teapot"]


def test_an_evaded_word_across_a_border_is_cut_from_the_original(small: Moderator):
    post = FILLER * (WINDOW - 5) + "，Ｔ.Ｅ.\u200bＡ.Ｐ.Ｏ.Ｔ，" + FILLER * 1500
    assert evidence(small, post) == ["Ｔ.Ｅ.\u200bＡ.Ｐ.Ｏ.Ｔ"]


def test_every_window_adds_its_evidence(small: Moderator):
    part = FILLER * 496 + "teapot" + FILLER * 498
    verdict = small.check(part * 3)
    assert [(e.start, e.end) for e in found_by_rules(verdict)] == [
        (496 + 1000 * i, 502 + 1000 * i) for i in range(3)
    ]
    assert verdict.action == "block"


def test_a_long_posts_language_is_that_of_its_beginning(small: Moderator):
    assert small.check("english words " * 100 + FILLER * 2000).language == "en"


def test_a_long_post_does_not_move_its_neighbours(small: Moderator):
    long = FILLER * 1500 + "teapot" + FILLER * 1500
    found = small.check_batch([COFFEE, long, "our teapot"])
    assert [found[0], found[1], found[2]] == [small.check(p) for p in (COFFEE, long, "our teapot")]


@pytest.mark.parametrize(
    "post",
    [
        pytest.param(FILLER * (WINDOW - 6) + "teapotty" + FILLER * 500, id="right edge"),
        pytest.param(FILLER * (STRIDE - 3) + "bigteapot" + FILLER * 500, id="left edge"),
        pytest.param(FILLER * (WINDOW - 3) + "小茶壶盖" + FILLER * 500, id="exception"),
    ],
)
def test_a_windows_border_ends_no_word(small: Moderator, post: str):
    assert evidence(small, post) == []


def test_a_rule_gives_at_most_eight_stretches_a_window(small: Moderator):
    assert len(evidence(small, "teapot here " * 80)) == 8
    assert 8 < len(evidence(small, "teapot here " * 300)) <= 8 * 5
