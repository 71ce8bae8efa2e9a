"""Moderator: one verdict a post, in order, whatever the post and the batch it came in."""

from __future__ import annotations

import json
import pickle
import random
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_support import context, rule, write_rules

from moderation import Evidence, Moderator, Verdict
from moderation.classifier import SessionOptions, load_model
from moderation.errors import ConfigError, ModelError, ModerationError, RuleError
from moderation.rules import rules_digest
from moderation.text import TextBatch, identify
from moderation.text.windows import STRIDE, WINDOW
from moderation.types import ACTIONS, LANGUAGES, POLICIES, RISK_LEVELS, STANCES, SUB_LABELS

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.rules import Ruleset
    from moderation.text import FoldTable

CASINO_AD = "Best online casino, sign up bonus 100 free spins, DM me on telegram @lucky777 now"
CHIPS_AD = "老板要上下分找客服 加V：abc88666 秒到账"
COFFEE = "今天喝了一杯咖啡，天气真好"
AWKWARD = [
    "",
    " ",
    "\n\n",
    "\u200b\ufeff",
    "\x00",
    "nul \x00 in the middle",
    "\ud800",
    "lone \udfff surrogate",
    "\ud83c\udfb0 split pair",
    "🎰" * 50,
    "e\u0301" * 30,
    "\u202eright to left\u202c",
    "㎏㎡ﷺ",
    "a" * 2000,
    "，。！？" * 20,
    "\U0010ffff\U000e0001",
]


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


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Moderator:
    """Return a moderator with a few made-up rules and the shipped model."""
    folder = tmp_path_factory.mktemp("small")
    return Moderator(
        rules=write_rules(
            folder,
            rule("sale", any=["teapot", "小茶壶", "dolls"], exceptions=["小茶壶盖"]),
            rule("slow", any=[{"regex": "(?:w|ww)+[qz]", "require": ["start"]}]),
            context("beware", "warn", any=["beware"]),
        )
    )


def found_by_rules(verdict: Verdict) -> list[Evidence]:
    """Return the evidence that rules gave."""
    return [e for label in verdict.labels for e in label.evidence if e.rule_id is not None]


def evidence(moderator: Moderator, post: str) -> list[str]:
    """Return the stretches of a post that rules point at."""
    return [post[e.start : e.end] for e in found_by_rules(moderator.check(post))]


# The schema.


def assert_published(row: dict[str, Any]) -> None:
    """Hold a verdict against the schema of the design."""
    assert list(row) == [
        "data_id", "action", "risk_level", "language", "category_scores", "labels", "policy",
        "model", "error",
    ]  # fmt: skip
    assert row["data_id"] is None or isinstance(row["data_id"], str)
    assert row["action"] in ACTIONS
    assert row["risk_level"] in RISK_LEVELS
    assert row["language"] in LANGUAGES
    assert list(row["category_scores"]) == list(POLICIES)
    for score in row["category_scores"].values():
        assert isinstance(score, float)
        assert 0 <= score <= 1
        assert score == round(score, 4)
    names = [label["label"] for label in row["labels"]]
    assert names == [policy for policy in POLICIES if policy in names]
    for label in row["labels"]:
        assert list(label) == [
            "label", "sub_label", "action", "score", "threshold", "stance", "evidence",
        ]  # fmt: skip
        assert label["sub_label"] is None or label["sub_label"] in SUB_LABELS[label["label"]]
        assert label["action"] in ACTIONS
        assert label["stance"] in STANCES
        assert label["threshold"] == round(label["threshold"], 4)
        assert label["evidence"]
        for piece in label["evidence"]:
            assert list(piece) == ["start", "end", "rule_id", "hit_type", "transforms"]
            assert piece["hit_type"] in {"keyword", "regex", "model"}
            assert (piece["rule_id"] is None) is (piece["hit_type"] == "model")
            assert piece["transforms"] == sorted(set(piece["transforms"]))
    assert list(row["policy"]) == ["region", "bundle"]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", row["policy"]["bundle"])
    assert re.fullmatch(r"[a-z0-9-]+@\d+\.\d+\.\d+:sha256:[0-9a-f]{64}", row["model"])
    assert row["error"] is None or isinstance(row["error"], str)


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


# Bad input.


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
    found = small.check_batch(["our teapot", "start " + "w" * 90 + " z, teapot", COFFEE])
    assert [v.error for v in found] == [None, "pattern timed out: gambling.en.slow", None]
    assert [v.action for v in found] == ["block", "block", "pass"]


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


# Evidence.


@pytest.mark.parametrize(
    ("post", "stretch", "transforms"),
    [
        ("our teapot", "teapot", ()),
        ("our ＴＥＡＰＯＴ", "ＴＥＡＰＯＴ", ("width",)),
        ("our Teapot", "Teapot", ("case",)),
        ("our tеapоt", "tеapоt", ("look-alike",)),
        ("our t\u200beapot", "t\u200beapot", ("invisible",)),
        ("our t.e.a.p.o.t", "t.e.a.p.o.t", ("noise",)),
        ("our teapottt", "teapottt", ("repeat",)),
        ("our T.É.A.P.O.T", "T.É.A.P.O.T", ("accent", "case", "noise")),
        ("our d.o.l.l.s", "d.o.l.l.s", ("noise",)),
    ],
)
def test_evidence_names_the_folds_it_needed(
    small: Moderator, post: str, stretch: str, transforms: tuple[str, ...]
):
    (piece,) = found_by_rules(small.check(post))
    assert (post[piece.start : piece.end], set(piece.transforms)) == (stretch, set(transforms))
    assert (piece.rule_id, piece.hit_type) == ("gambling.en.sale", "keyword")


def test_an_innocent_stance_keeps_the_evidence(small: Moderator):
    verdict = small.check("beware of the teapot")
    (label,) = (x for x in verdict.labels if x.label == "gambling")
    assert (label.action, label.stance) == ("pass", "warn")
    assert evidence(small, "beware of the teapot") == ["teapot"]


# Options.


def test_a_moderator_travels_to_a_worker(moderator: Moderator):
    data = pickle.dumps(moderator)
    copy = pickle.loads(data)
    assert len(data) < 2000
    assert copy == moderator
    assert copy.check(CASINO_AD) == moderator.check(CASINO_AD)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"region": "mars"}, "unknown region 'mars'; known: cn, global, us"),
        ({"device": "tpu"}, "unknown device 'tpu'; known: auto, cpu, cuda"),
    ],
)
def test_an_unknown_option_lists_the_known_ones(options: dict[str, Any], message: str):
    with pytest.raises(ConfigError) as caught:
        Moderator(**options)
    assert str(caught.value) == message


def test_an_unknown_tier_lists_the_known_ones():
    with pytest.raises(ModerationError, match=r"'deep'.*fast"):
        Moderator(tier="deep")


def test_an_unknown_tier_is_a_mistake_in_the_options():
    with pytest.raises(ConfigError):
        Moderator(tier="deep")


def test_a_missing_model_folder_is_named(tmp_path: Path):
    with pytest.raises(ModelError, match=re.escape(str(tmp_path / "none"))):
        Moderator(model=tmp_path / "none")


def test_a_missing_rules_folder_is_named(tmp_path: Path):
    with pytest.raises(ModerationError, match=re.escape(str(tmp_path / "none"))):
        Moderator(rules=tmp_path / "none")


def test_broken_rules_are_refused_at_once(tmp_path: Path):
    rules = write_rules(tmp_path, rule("broken", any=["teapot"], level="huge"))
    with pytest.raises(RuleError, match=r"gambling/pack.yaml:\d+: R007 expected one of weak"):
        Moderator(rules=rules)


def test_rules_and_model_may_be_given_as_strings(shipped_rules: Path, shipped_model: Path):
    moderator = Moderator(rules=str(shipped_rules), model=str(shipped_model))  # type: ignore[arg-type]
    assert moderator == Moderator(rules=shipped_rules, model=shipped_model)
