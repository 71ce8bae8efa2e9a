"""Moderator: one verdict a post, in order, whatever the batch it came in."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from engine_support import AWKWARD, CASINO_AD, CHIPS_AD, COFFEE, assert_published
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation import Moderator, Verdict
from moderation.classifier import SessionOptions, load_model
from moderation.rules import rules_digest
from moderation.text import TextBatch, identify
from moderation.text.windows import WINDOW
from moderation.types import ACTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.rules import Ruleset
    from moderation.text import FoldTable


@pytest.fixture(scope="module")
def posts(ruleset: Ruleset) -> list[str]:
    """Return some hundreds of posts of all kinds: the rules' own tests, long and awkward ones."""
    own = [
        text
        for given in ruleset.rules
        for group in (given.tests.hit, given.tests.passes, given.tests.evasion)
        for text in group[:1]
    ]
    chosen = random.Random(7).sample(own, 380)
    long = [f"{' '.join(chosen[i : i + 20])}\n" * 2 for i in range(0, 100, 20)]
    return [*chosen, *AWKWARD, *long]


@pytest.fixture(scope="module")
def verdicts(moderator: Moderator, posts: list[str]) -> list[Verdict]:
    return list(moderator.check_batch(posts))


# The schema.


def test_every_verdict_has_the_published_shape(verdicts: list[Verdict]):
    for verdict in verdicts:
        assert_published(verdict.to_dict())


def test_action_and_risk_are_those_of_the_strongest_label(verdicts: list[Verdict]):
    risks = {"pass": "low", "review": "medium", "block": "high"}
    for verdict in verdicts:
        strongest = max((x.action for x in verdict.labels), key=ACTIONS.index, default="pass")
        assert verdict.action == strongest
        assert verdict.risk_level == (risks[strongest] if verdict.labels else "none")


def test_a_label_carries_the_score_of_its_category(posts: list[str], verdicts: list[Verdict]):
    for post, verdict in zip(posts, verdicts, strict=True):
        if len(post) <= WINDOW:
            for label in verdict.labels:
                assert label.score == verdict.category_scores[label.label]


def test_evidence_lies_within_its_post(posts: list[str], verdicts: list[Verdict]):
    for post, verdict in zip(posts, verdicts, strict=True):
        for label in verdict.labels:
            assert all(0 <= e.start < e.end <= len(post) for e in label.evidence)


def test_rules_and_region_are_named(moderator: Moderator, shipped_rules: Path):
    verdict = moderator.check(COFFEE)
    assert verdict.policy.region == "cn"
    assert verdict.policy.bundle == rules_digest(shipped_rules)


def test_columns_objects_and_json_lines_agree(moderator: Moderator, posts: list[str]):
    found = moderator.check_batch(posts[:60], data_ids=[f"n{i}" for i in range(60)])
    rows = [verdict.to_dict() for verdict in found]
    assert found.to_dicts() == rows
    assert [json.loads(line) for line in found.to_json_lines().splitlines()] == rows
    assert [json.loads(verdict.to_json()) for verdict in found] == rows


def test_verdicts_are_a_sequence(moderator: Moderator):
    found = moderator.check_batch([COFFEE, CASINO_AD, ""])
    assert len(found) == 3
    assert found[-1] == found[2]
    assert found[1:] == [found[1], found[2]]
    assert list(found) == [found[0], found[1], found[2]]
    for index in (3, -4):
        with pytest.raises(IndexError, match=f"verdict {index} of 3"):
            found[index]


def test_a_batch_of_no_posts_has_no_verdicts(moderator: Moderator):
    found = moderator.check_batch([])
    assert (list(found), found.to_dicts(), found.to_json_lines()) == ([], [], b"")


# What comes of plain cases.


@pytest.mark.parametrize("post", [CASINO_AD, CHIPS_AD])
def test_a_blatant_advertisement_is_blocked(moderator: Moderator, post: str):
    verdict = moderator.check(post)
    assert (verdict.action, verdict.risk_level) == ("block", "high")
    (label,) = (x for x in verdict.labels if x.label == "gambling")
    assert (label.sub_label, label.stance) == ("gambling.promotion", "offer")
    assert label.score >= label.threshold


@pytest.mark.parametrize(
    "post",
    [
        COFFEE,
        "cat tax: my orange boy asleep on the sofa",
        "Can anyone help with question three of the maths homework?",
    ],
)
def test_an_ordinary_post_passes(moderator: Moderator, post: str):
    assert moderator.check(post).action == "pass"


def test_a_region_changes_actions_and_not_what_was_found(
    moderator: Moderator, posts: list[str], verdicts: list[Verdict]
):
    there = Moderator(region="us").check_batch(posts)
    assert {verdict.policy.region for verdict in there} == {"us"}
    assert [v.action for v in there] != [v.action for v in verdicts]
    for here, us in zip(verdicts, there, strict=True):
        assert us.category_scores == here.category_scores
        assert [(x.label, set(x.evidence)) for x in us.labels] == [
            (x.label, set(x.evidence)) for x in here.labels
        ]


# Order and determinism.


def test_verdicts_come_in_the_order_of_the_posts(moderator: Moderator):
    mixed = [CASINO_AD, COFFEE, None, CHIPS_AD, "", "hello there"]
    found = moderator.check_batch(mixed, data_ids=["a", "b", None, "d", "e", "f"])
    assert [v.data_id for v in found] == ["a", "b", None, "d", "e", "f"]
    assert [v.action for v in found] == ["block", "pass", "pass", "block", "pass", "pass"]
    assert [v.language for v in found] == ["en", "zh", "other", "zh", "other", "en"]


@pytest.mark.parametrize("size", [1, 7, 512])
def test_the_batch_size_changes_nothing(
    moderator: Moderator, posts: list[str], verdicts: list[Verdict], size: int
):
    found: list[Verdict] = []
    for start in range(0, len(posts), size):
        found += moderator.check_batch(posts[start : start + size])
    assert found == verdicts


def test_the_order_of_the_posts_changes_no_bit_of_the_scores(
    moderator: Moderator, posts: list[str], verdicts: list[Verdict]
):
    order = np.random.default_rng(3).permutation(len(posts))
    shuffled = moderator.check_batch([posts[i] for i in order])
    assert list(shuffled) == [verdicts[i] for i in order]


@pytest.mark.parametrize("size", [1, 7, 64, 100])
def test_the_neighbours_of_a_post_change_no_bit_of_its_log_odds(
    shipped_model: Path, table: FoldTable, posts: list[str], size: int
):
    model = load_model(shipped_model, "fast", SessionOptions())

    def log_odds(chosen: list[str]) -> np.ndarray:
        batch = TextBatch.from_strings(chosen)
        base = table.base(batch)
        return model.logits(base, identify(base, table, batch))

    together = log_odds(posts)
    order = np.random.default_rng(size).permutation(len(posts))
    for start in range(0, len(posts), size):
        part = order[start : start + size]
        assert np.array_equal(log_odds([posts[i] for i in part]), together[part])


def test_the_same_post_twice_gets_the_same_verdict_twice(moderator: Moderator):
    one, two = moderator.check_batch([CASINO_AD, CASINO_AD])
    assert one == two == moderator.check(CASINO_AD)


@settings(max_examples=60)
@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=60), max_size=5))
def test_any_text_gets_the_verdict_it_gets_alone(moderator: Moderator, texts: list[str]):
    found = list(moderator.check_batch(texts))
    assert found == [moderator.check(text) for text in texts]
    for text, verdict in zip(texts, found, strict=True):
        assert_published(verdict.to_dict())
        assert all(0 <= e.start < e.end <= len(text) for x in verdict.labels for e in x.evidence)


def test_the_posts_are_left_as_they_were(moderator: Moderator):
    given_posts = [CASINO_AD, None, "ＷＩＤＥ"]
    moderator.check_batch(given_posts)
    assert given_posts == [CASINO_AD, None, "ＷＩＤＥ"]
