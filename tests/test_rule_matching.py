"""What conditions ask of a post, and where their hits lie."""

from __future__ import annotations

import gc
import sys
import time
import traceback
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_support import batch, compiled, fired, read, rule, spans

from moderation.rules import patterns
from moderation.rules.patterns import PATTERN_TIMEOUT_MS

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.rules import Ruleset


@pytest.mark.parametrize(
    ("term", "post", "found"),
    [
        ("casino", "The casino opens", True),
        ("casino", "CASINO", True),
        ("casino", "casinos", False),
        ("casino", "mycasino", False),
        ("casino", "加casino群", True),
        ("casino", "casino群", True),
        ("casino", "(casino)", True),
        ("casino", "casino9", True),
        ("casino", "ca\u200bsinos", False),
        ("casino", "my\u200bcasino", False),
        ("tg", "tg 群", True),
        ("tg", "tg7", False),
        ("tg", "7tg", False),
        ("casino*", "casinos everywhere", True),
        ("casino*", "mycasino", False),
        ("*coin", "bitcoin", True),
        ("*coin", "coins", False),
        ("*game*", "endgames", True),
        ("28", "room 28", True),
        ("28", "128", False),
        ("28", "280", False),
        ("28", "28元", True),
        ("bet365", "bet3650", False),
        ("上下分", "老板上下分吗", True),
        ("上下分", "上下", False),
        ("free spins", "Free   SPINS", True),
        ("free spins", "free spins\nfor all", True),
    ],
)
def test_a_literal_matches_whole_words_and_han_anywhere(
    tmp_path: Path, term: str, post: str, found: bool
):
    assert bool(fired(compiled(tmp_path, rule("term", any=[term])), post)) is found


def test_a_term_is_folded_like_the_posts(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("term", any=["ＣＡＳＩＮＯ", "發財"]))
    assert fired(ruleset, "casino") == fired(ruleset, "发财") == fired(ruleset, "發財") == ["term"]


@pytest.mark.parametrize(
    ("post", "stretch"),
    [
        ("see ＣＡＳＩＮＯ now", "ＣＡＳＩＮＯ"),
        ("see ca\u200bs\u0336ino now", "ca\u200bs\u0336ino"),
        ("see c.a.s.i.n.o now", "c.a.s.i.n.o"),
        ("see casinooo now", "casinooo"),
        ("㎏㎏ ﬁne casino", "casino"),
        ("🎲\ufe0f🎲\ufe0fcasino🎲", "casino"),
    ],
)
def test_a_hit_points_at_the_original_text(tmp_path: Path, post: str, stretch: str):
    assert spans(compiled(tmp_path, rule("term", any=["casino"])), post) == [stretch]


def test_every_place_of_a_term_is_a_hit(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("term", any=["casino", "poker"]))
    assert spans(ruleset, "casino poker casino") == ["casino", "poker", "casino"]


ALL = {"all": ["alpha", {"any": ["beta", "gamma"]}], "none": ["delta", {"all": ["eps", "zeta"]}]}


@pytest.mark.parametrize(
    ("post", "found"),
    [
        ("alpha beta", True),
        ("gamma then alpha", True),
        ("alpha", False),
        ("beta gamma", False),
        ("alpha beta delta", False),
        ("alpha beta eps", True),
        ("alpha beta eps zeta", False),
    ],
)
def test_all_any_and_none_mean_what_they_say(tmp_path: Path, post: str, found: bool):
    assert bool(fired(compiled(tmp_path, rule("logic", **ALL)), post)) is found


def test_none_is_read_in_plain_spelling_only(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("logic", any=["alpha"], none=["delta"]))
    assert fired(ruleset, "alpha d.e.l.t.a") == ["logic"]


def test_several_keys_must_all_hold(tmp_path: Path):
    ruleset = compiled(
        tmp_path, rule("both", any=["alpha"], near=["beta", "gamma"], within=3, none=["delta"])
    )
    assert fired(ruleset, "alpha, beta gamma") == ["both"]
    assert fired(ruleset, "alpha, beta and far away gamma") == []
    assert fired(ruleset, "beta gamma") == []
    assert fired(ruleset, "alpha, beta gamma, delta") == []


@pytest.mark.parametrize(
    ("post", "found"),
    [
        ("alpha12345beta", True),
        ("alpha 345 beta", True),
        ("beta 345 alpha", True),
        ("alpha 3456 beta", False),
        ("alpha", False),
        ("alpha 3456 beta 3 alpha", True),
        ("阿尔法 alpha好好好好好beta", True),
    ],
)
def test_near_counts_the_characters_between(tmp_path: Path, post: str, found: bool):
    ruleset = compiled(tmp_path, rule("near", near=["alpha", "beta"], within=5))
    assert bool(fired(ruleset, post)) is found


def test_near_wants_a_stretch_of_its_own_for_every_item(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("near", near=["taxi", {"any": ["taxi", "cab"]}], within=5))
    assert fired(ruleset, "a taxi") == []
    assert fired(ruleset, "a taxi, a cab") == ["near"]
    assert fired(ruleset, "taxi taxi") == ["near"]


def test_no_stretch_serves_for_the_second_and_the_third_item(tmp_path: Path):
    cab = {"any": ["taxi", "cab"]}
    ruleset = compiled(tmp_path, rule("near", near=["alpha", cab, cab], within=12))
    assert fired(ruleset, "alpha taxi") == []
    assert fired(ruleset, "alpha taxi cab") == ["near"]


def test_a_near_hit_is_only_what_stands_close(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("near", near=["alpha", "beta"], within=5))
    post = "alpha far far away; alpha beta; and later beta"
    assert [(h.start, h.end) for h in read(ruleset, post).matches[0].hits] == [(20, 25), (26, 30)]


def test_a_list_stands_for_its_terms(tmp_path: Path):
    lists = {"rooms": ["poker", "bingo"], "all-games": [{"list": "rooms"}, "casino"]}
    ruleset = compiled(tmp_path, rule("list", any=[{"list": "all-games"}]), lists=lists)
    assert fired(ruleset, "bingo") == fired(ruleset, "casino") == ["list"]


@pytest.mark.parametrize(
    ("post", "stretches"),
    [
        ("blood bank", []),
        ("BLOOD  BANK", []),
        ("bank of blood", ["bank"]),
        ("blood bank, then bank", ["bank"]),
    ],
)
def test_a_longer_exception_wins_over_a_term(tmp_path: Path, post: str, stretches: list[str]):
    ruleset = compiled(tmp_path, rule("term", any=["bank"], exceptions=["blood bank"]))
    assert spans(ruleset, post) == stretches


def test_an_exception_no_longer_than_the_term_changes_nothing(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("term", any=["上下分"], exceptions=["上下分", "下分"]))
    assert spans(ruleset, "上下分") == ["上下分"]


def test_an_exception_speaks_for_its_own_rule_alone(tmp_path: Path):
    careful = rule("careful", any=["上下分"], exceptions=["上下分离"])
    ruleset = compiled(tmp_path, careful, rule("bold", any=["上下分"]))
    assert fired(ruleset, "上下分离") == ["bold"]


def test_exceptions_may_be_a_list(tmp_path: Path):
    ruleset = compiled(
        tmp_path,
        rule("term", any=["上下分"], exceptions=[{"list": "innocent"}]),
        lists={"innocent": ["上下分离", "上下分开"]},
    )
    assert fired(ruleset, "上下分开放") == []


def test_an_evaded_exception_still_wins_over_the_evaded_term(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("term", any=["上下分"], exceptions=["上下分离"]))
    assert fired(ruleset, "上.下.分.离") == []
    assert fired(ruleset, "上.下.分") == ["term"]


WIN = {"regex": r"win [0-9]+ (?:usd|dollars)", "require": ["win"]}


@pytest.mark.parametrize(
    ("post", "stretches"),
    [
        ("WIN １００ USD!", ["WIN １００ USD"]),
        ("win 5 dollars, win 7 usd", ["win 5 dollars", "win 7 usd"]),
        ("win something", []),
        ("rewin 5 dollars", []),
    ],
)
def test_a_pattern_reads_the_base_view(tmp_path: Path, post: str, stretches: list[str]):
    assert spans(compiled(tmp_path, rule("pattern", any=[WIN])), post) == stretches


def test_a_pattern_is_tried_only_where_its_literal_stands(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("pattern", any=[{"regex": "[0-9]+", "require": ["win"]}]))
    assert spans(ruleset, "777") == []
    assert spans(ruleset, "win 777") == ["777"]


def test_a_pattern_hit_says_that_it_is_one(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("pattern", any=[WIN, "jackpot"]))
    hits = read(ruleset, "jackpot: win 5 usd").matches[0].hits
    assert [hit.kind for hit in hits] == ["keyword", "regex"]


ENDLESS = r"(?:w|ww)+(?<!ww)[qz]"  # what its sketch does not look at keeps it from matching
ENDLESS_POST = "start " + "w" * 90 + "z"


def test_a_pattern_that_runs_out_of_time_is_named_and_counts_as_no_match(tmp_path: Path):
    ruleset = compiled(
        tmp_path, rule("slow", any=[{"regex": ENDLESS, "require": ["start"]}]),
        rule("quick", any=["start"]),
    )  # fmt: skip
    found = read(ruleset, ENDLESS_POST)
    assert found.timeouts == ("gambling.en.slow",)
    assert [m.rule.id for m in found.matches] == ["gambling.en.quick"]


def test_what_a_pattern_found_before_its_time_ran_out_counts_as_no_match(tmp_path: Path):
    ruleset = compiled(
        tmp_path, rule("slow", any=[{"regex": f"start|{ENDLESS}", "require": ["start"]}])
    )
    found = read(ruleset, ENDLESS_POST)
    assert found.timeouts == ("gambling.en.slow",)
    assert found.matches == ()


def test_a_pause_of_the_process_is_no_slow_pattern(tmp_path: Path):
    """A garbage collection over many objects takes longer than a pattern may."""
    ruleset = compiled(tmp_path, rule("each", any=[{"regex": "start[0-9]", "require": ["start*"]}]))
    post = " ".join(f"start{n % 10}" for n in range(12))
    assert read(ruleset, post).matches
    pauses: list[str] = []

    def pause(phase: str, _: object) -> None:
        stack = {frame.f_code for frame, _ in traceback.walk_stack(sys._getframe())}
        if phase == "start" and patterns._tried.__code__ in stack and not pauses:
            pauses.append(phase)
            until = time.process_time() + 2 * PATTERN_TIMEOUT_MS / 1000
            while time.process_time() < until:
                pass

    thresholds = gc.get_threshold()
    gc.callbacks.append(pause)
    gc.set_threshold(1, 1, 1)
    try:
        found = read(ruleset, post)
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(pause)
    assert pauses
    assert found.timeouts == ()
    assert [m.rule.id for m in found.matches] == ["gambling.en.each"]


def test_a_rule_of_the_base_view_ignores_spaced_out_spelling(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("plain", any=["casino"], views=["base"]))
    assert fired(ruleset, "ＣＡＳＩＮＯ") == ["plain"]
    assert fired(ruleset, "c.a.s.i.n.o") == []


def test_languages_never_filter(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("zh-only", any=["casino"], languages=["zh"]))
    assert fired(ruleset, "an english casino post") == ["zh-only"]


def test_a_term_does_not_reach_across_posts(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("term", any=["上下分", "casino"]))
    posts = ["上下", "分", "cas", "ino", "c.a.s.", "i.n.o"]
    assert [f.matches for f in ruleset.evaluate(batch(posts))] == [()] * len(posts)


def test_a_neighbouring_post_does_not_end_a_word(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("term", any=["casino"]))
    found = ruleset.evaluate(batch(["my", "casino", "s"]))
    assert [len(f.matches) for f in found] == [0, 1, 0]


def test_a_ruleset_without_rules_finds_nothing(tmp_path: Path):
    assert fired(compiled(tmp_path), "casino") == []


def test_rules_may_all_keep_to_one_view(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("symbol", any=["🎰"], views=["base"]))
    assert fired(ruleset, "🎰🎰") == ["symbol"]


def test_an_empty_batch_has_no_findings(tmp_path: Path):
    assert compiled(tmp_path, rule("term", any=["casino"])).evaluate(batch([])) == []


RULES = [
    rule("word", any=["casino", "上下分", "tg", "28"], exceptions=["上下分离"]),
    rule("both", all=["poker", {"cue": "price"}], none=["film"], level="medium"),
    rule("near", near=["room", "key"], within=4),
    rule("pattern", any=[WIN]),
]
PIECES = [
    "casino", "c.a.s.i.n.o", "cas ino", "上下分", "上.下.分", "离", "tg", "28", "1", "poker",
    "film", "ten coins", "room", "key", "win 5 usd", "ＷＩＮ", " ", "，", "\u200b", "\ud800", "好",
    "\n", "㎏",
]  # fmt: skip
made_up_posts = st.lists(
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(max_size=20), max_size=8
)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    return compiled(tmp_path_factory.mktemp("mixed"), *RULES)


@given(made_up_posts)
def test_a_post_is_read_the_same_alone_as_in_a_batch(mixed: Ruleset, posts: list[str]):
    assert mixed.evaluate(batch(posts)) == [read(mixed, post) for post in posts]


@given(made_up_posts)
def test_the_screen_leaves_out_no_post_on_which_a_rule_fires(mixed: Ruleset, posts: list[str]):
    scan = mixed.scan(batch(posts))
    assert (np.diff(scan.posts) > 0).all()
    everywhere = [mixed.holds(given, scan.batch) for given in mixed.rules]
    for number, found in enumerate(everywhere):
        fires = {post for post, match in enumerate(found) if match is not None}
        screened = scan.candidates[scan.candidates[:, 1] == number, 0]
        assert fires <= set(screened.tolist())


@given(made_up_posts)
def test_findings_of_some_posts_are_those_of_all(mixed: Ruleset, posts: list[str]):
    scan = mixed.scan(batch(posts))
    everything = mixed.findings(scan, np.arange(len(posts)))
    assert everything == mixed.evaluate(scan.batch)
    chosen = np.arange(0, len(posts), 2)
    assert mixed.findings(scan, chosen) == everything[::2]


WORDS = ("alpha", "beta", "gamma", "delta")
trees = st.recursive(
    st.sampled_from(WORDS),
    lambda inner: st.dictionaries(
        st.sampled_from(["any", "all"]),
        st.lists(inner, min_size=1, max_size=3),
        min_size=1,
        max_size=1,
    ),
    max_leaves=6,
)


def holds(tree: str | dict, words: list[str]) -> bool:
    """Say what a tree of conditions means, word by word."""
    if isinstance(tree, str):
        return tree in words
    ((key, items),) = tree.items()
    return (any if key == "any" else all)(holds(item, words) for item in items)


@settings(max_examples=60)
@given(
    st.lists(trees, min_size=1, max_size=3),
    st.lists(st.sampled_from(WORDS), max_size=2),
    st.lists(st.lists(st.sampled_from(WORDS), max_size=4), min_size=1, max_size=8),
)
def test_a_rule_fires_where_its_conditions_hold(
    tmp_path_factory: pytest.TempPathFactory, wanted: list, vetoes: list, posts: list[list[str]]
):
    conditions = {"all": wanted} | ({"none": vetoes} if vetoes else {})
    ruleset = compiled(tmp_path_factory.mktemp("tree"), rule("tree", **conditions))
    found = [bool(f.matches) for f in ruleset.evaluate(batch([" ".join(p) for p in posts]))]
    assert found == [
        all(holds(tree, words) for tree in wanted) and not any(v in words for v in vetoes)
        for words in posts
    ]


@given(made_up_posts)
def test_hits_lie_within_their_post(mixed: Ruleset, posts: list[str]):
    for post, findings in zip(posts, mixed.evaluate(batch(posts)), strict=True):
        for match in findings.matches:
            assert all(0 <= hit.start < hit.end <= len(post) for hit in match.hits)


def test_contexts_and_cues_are_looked_for_where_wanted(mixed: Ruleset):
    posts = batch(["ten coins", "ten coins"])
    plain, wanted = mixed.evaluate(posts, np.array([False, True]))
    assert plain.cues == frozenset()
    assert wanted.cues == {"price"}
