"""Cue classes: what turns a loaded word into an offer, innocent alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rule_support import CUE_WORDS, compiled, fired, read, rule, spans

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.rules import Ruleset


@pytest.fixture(scope="module")
def ruleset(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    return compiled(
        tmp_path_factory.mktemp("cues"),
        rule("priced", all=["snow", {"cue": "price"}]),
        rule("offered", all=["leaf", {"any": [{"cue": "contact"}, {"cue": "link"}, "shop"]}]),
        rule("close", near=["ice", {"cue": "quantity"}], within=6),
        cues={
            "price": ["ten coins", {"regex": r"[0-9]+ coins"}],
            "quantity": ["two boxes", {"regex": r"[0-9]+ grams"}],
        },
    )


@pytest.mark.parametrize(
    ("post", "rules"),
    [
        ("snow", []),
        ("ten coins", []),
        ("snow, ten coins", ["priced"]),
        ("snow, 12 coins", ["priced"]),
        ("12 COINS snow", ["priced"]),
        ("snow coins", []),
        ("leaf", []),
        ("leaf, write to us", ["offered"]),
        ("leaf, page.example", ["offered"]),
        ("leaf shop", ["offered"]),
    ],
)
def test_a_code_word_counts_with_its_cue(ruleset: Ruleset, post: str, rules: list[str]):
    assert fired(ruleset, post) == rules


def test_an_evaded_cue_is_a_cue(ruleset: Ruleset):
    assert fired(ruleset, "snow, t.e.n.c.o.i.n.s") == ["priced"]


def test_a_cue_may_stand_near(ruleset: Ruleset):
    assert fired(ruleset, "ice, 5 grams") == ["close"]
    assert fired(ruleset, "ice cream for me, 5 grams") == []


def test_cue_hits_are_told_from_the_terms(ruleset: Ruleset):
    hits = read(ruleset, "snow, ten coins").matches[0].hits
    assert [(hit.cue, hit.start, hit.end) for hit in hits if hit.cue] == [(True, 6, 15)]
    assert spans(ruleset, "snow, ten coins") == ["snow", "ten coins"]


@pytest.mark.parametrize("name", CUE_WORDS)
def test_every_class_of_a_post_is_listed(ruleset: Ruleset, name: str):
    assert read(ruleset, CUE_WORDS[name]).cues == {name}


def test_several_classes_may_stand_in_one_post(ruleset: Ruleset):
    assert read(ruleset, "ten coins, by post, aged twenty").cues == {"price", "delivery", "age"}


def test_a_post_without_cues_has_none(ruleset: Ruleset):
    assert read(ruleset, "a walk in the park").cues == frozenset()


def test_a_cue_may_lie_inside_a_term(tmp_path: Path):
    ruleset = compiled(
        tmp_path,
        rule("inside", near=["5 gram bag", {"cue": "quantity"}], within=3),
        cues={"quantity": [{"regex": "[0-9]+ gram"}]},
    )
    assert fired(ruleset, "a 5 gram bag") == ["inside"]


SLOW = {"regex": "(?:w|ww)+[qz]"}
SLOW_POST = "snow " + "w" * 90 + " z"


def test_a_slow_cue_is_reported_and_counts_as_absent(tmp_path: Path):
    ruleset = compiled(
        tmp_path, rule("priced", all=["snow", {"cue": "price"}]), cues={"price": [SLOW]}
    )
    found = read(ruleset, SLOW_POST)
    assert (found.matches, found.timeouts) == ((), ("cue",))


def test_a_slow_veto_is_named_by_its_rule(tmp_path: Path):
    ruleset = compiled(tmp_path, rule("vetoed", any=["snow"], none=[SLOW]))
    assert read(ruleset, SLOW_POST).timeouts == ("gambling.en.vetoed",)
