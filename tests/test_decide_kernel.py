"""Posts decided by the native kernel and by the reference: the same labels, bit for bit."""

from __future__ import annotations

import json
import math
import os
from dataclasses import astuple, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from moderation import Moderator
from moderation.decide.decision import probability
from moderation.decide.evidence import MAX_EVIDENCE, rule_evidence
from moderation.decide.facts import Facts
from moderation.decide.labels import EVERY_SUB_LABEL, LabelTable
from moderation.decide.posts import Noticed, decide_posts, decide_posts_reference
from moderation.decide.profile import Profile, StanceCeiling
from moderation.decide.run import judge
from moderation.resources import data_root
from moderation.rules import CUES, LEVELS, Findings, Hit, Rule, RuleMatch
from moderation.rules.conditions import RuleTests, Terms
from moderation.rules.marks import MARKS, hit_of
from moderation.rules.table import FindingsTable
from moderation.text import TextBatch, load_table
from moderation.text.native import kernel
from moderation.types import (
    ACTIONS,
    INNOCENT_STANCES,
    LANGUAGES,
    POLICIES,
    SEVERITIES,
    STANCES,
    SUB_LABELS,
    VIOLATING_STANCES,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.skipif(kernel is None, reason="the native kernel was not compiled here")

TABLE = load_table(data_root() / "rules")
SANITIZED = "asan" in os.environ.get("LD_PRELOAD", "")
CORPUS = Path(__file__).resolve().parent.parent / "corpus"
SHARES = st.floats(0, 1)
actions = st.sampled_from(ACTIONS)


def made(number: int, policy: str, stance: str, **fields: Any) -> Rule:
    """Return a rule; what it looks for does not matter here."""
    about = {"sub_label": None, "level": None, "severity": None} | fields
    return Rule(
        f"{policy}.en.r{number % 3}-{number}", "", policy, about["sub_label"], stance,
        about["level"], ("en",), ("base",), Terms(frozenset()), frozenset(), frozenset(),
        RuleTests(), "", 1, severity=about["severity"],
    )  # fmt: skip


@st.composite
def rules(draw: st.DrawFn) -> tuple[Rule, ...]:
    found = []
    for number in range(draw(st.integers(0, 8))):
        policy = draw(st.sampled_from(POLICIES))
        found.append(
            made(
                number, policy, draw(st.sampled_from(VIOLATING_STANCES)),
                sub_label=draw(st.sampled_from(SUB_LABELS[policy])),
                level=draw(st.sampled_from(LEVELS)),
                severity=draw(st.sampled_from((None, None, *SEVERITIES))),
            )
        )  # fmt: skip
    for number in range(draw(st.integers(0, 3))):
        policy = draw(st.sampled_from(("any", "any", *POLICIES)))
        found.append(made(10 + number, policy, draw(st.sampled_from(INNOCENT_STANCES))))
    return tuple(found)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    some = st.dictionaries(st.sampled_from(EVERY_SUB_LABEL), actions)
    return Profile(
        "here", "Here", draw(actions),
        draw(st.dictionaries(st.sampled_from(LEVELS[1:]), SHARES)),
        {name: StanceCeiling(draw(actions), draw(SHARES)) for name in INNOCENT_STANCES},
        draw(some), draw(some), draw(st.none() | SHARES),
    )  # fmt: skip


@st.composite
def hits(draw: st.DrawFn, length: int) -> tuple[Hit, ...]:
    found = []
    for _ in range(draw(st.sampled_from((0, 1, 2, 3, 12)))):
        start = draw(st.integers(0, length))
        end = draw(st.integers(start, min(length, start + 5)))
        found.append(hit_of(start, end, draw(st.integers(0, MARKS - 1))))
    return tuple(found)


@st.composite
def findings(draw: st.DrawFn, known: tuple[Rule, ...], length: int) -> Findings:
    matches, contexts = [], []
    for rule in known:
        if not draw(st.booleans()):
            continue
        level = None if rule.is_context else draw(st.sampled_from(LEVELS))
        match = RuleMatch(rule, level, draw(hits(length)), draw(st.booleans()))
        (contexts if rule.is_context else matches).append(match)
    cues = draw(st.frozensets(st.sampled_from(CUES)))
    return Findings(tuple(matches), tuple(contexts), cues, draw(st.booleans()))


@cache
def borders() -> list[float]:
    """Return log-odds whose probability lies about halfway between two rounded ones."""
    found = []
    for number in (0, 1, 312, 4999, 5000, 7499, 8999, 9687, 9999):
        half = (number + 0.5) / 10_000
        middle = math.log(half / (1 - half))
        found += [middle, math.nextafter(middle, 9), math.nextafter(middle, -9)]
    return found


log_odds = st.one_of(
    st.floats(-12, 12),
    st.sampled_from([*borders(), 0.0, -0.0, math.inf, -math.inf, 750.0, -750.0, 40.0, -40.0]),
)
pieces = st.sampled_from([*"abAＡ赌賭1 .·，é\u200b\ud800㎏", "aaa", "a.a", "111", "ＡＡＡ"])
texts = st.lists(pieces, max_size=12).map("".join)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Facts, Noticed]:
    known, profile = draw(rules()), draw(profiles())
    pairs = st.tuples(SHARES, SHARES).map(sorted)
    count = len(LANGUAGES) * len(POLICIES)
    points = np.array(draw(st.lists(pairs, min_size=count, max_size=count)))
    some = st.dictionaries(st.sampled_from(LEVELS), st.floats(-4, 8))
    weights = draw(st.dictionaries(st.sampled_from(POLICIES), some))
    shaped = points.reshape(len(LANGUAGES), len(POLICIES), 2)
    facts = Facts.of(known, profile, shaped, weights)
    batch = TextBatch.from_strings(draw(st.lists(texts, min_size=1, max_size=5)))
    posts = np.array(sorted(draw(st.sets(st.sampled_from(range(len(batch)))))), np.int64)
    found = [draw(findings(known, int(batch.lengths[post]))) for post in posts]
    odds = np.array([[draw(log_odds) for _ in POLICIES] for _ in range(len(batch))])
    languages = np.array([draw(st.integers(0, 3)) for _ in range(len(batch))], np.uint8)
    stances = likely = None
    if draw(st.booleans()):
        named = [STANCES.index(draw(st.sampled_from(INNOCENT_STANCES))) for _ in posts]
        stances = np.array(named, np.uint8)
        likely = np.array([draw(SHARES) for _ in posts], np.float64)
    return facts, Noticed(
        batch, TABLE, posts, FindingsTable.from_findings(found, known, CUES), odds, rounded(odds),
        languages, stances, likely,
    )  # fmt: skip


def rounded(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.round(1.0 / (1.0 + np.exp(np.minimum(-odds, 700.0))), 4)


def assert_alike(found: LabelTable, expected: LabelTable) -> None:
    assert found.names == expected.names
    for one, other in zip(astuple(found)[1:5], astuple(expected)[1:5], strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.tobytes() == other.tobytes()


@settings(max_examples=150)
@given(cases())
def test_the_kernel_decides_as_the_reference_does(case: tuple[Facts, Noticed]):
    labels, scores = decide_posts(*case)
    expected, as_decided = decide_posts_reference(*case)
    assert_alike(labels, expected)
    assert scores.tobytes() == as_decided.tobytes()


def one_post(text: str, odds: float, *found: RuleMatch) -> tuple[Facts, Noticed]:
    """Return a Chinese post of one policy's log-odds, and rules that fired on it."""
    known = tuple(match.rule for match in found)
    stances = {name: StanceCeiling("pass", 0.995) for name in INNOCENT_STANCES}
    profile = Profile("here", "Here", "block", {"strong": 0.97, "medium": 0.75}, stances, {}, {})
    facts = Facts.of(known, profile, np.zeros((4, 3, 2)), {})
    batch, all_odds = TextBatch.from_strings([text]), np.array([[odds, -9.0, -9.0]])
    table = FindingsTable.from_findings([Findings(found)], known, CUES)
    return facts, Noticed(
        batch, TABLE, np.zeros(1, np.int64), table, all_odds, rounded(all_odds),
        np.zeros(1, np.uint8),
    )  # fmt: skip


@settings(max_examples=300)
@given(st.floats(-30, 30))
@example(0.0)
@example(math.log(0.03125 / 0.96875))
@example(math.inf)
@example(-math.inf)
def test_a_probability_is_rounded_as_python_rounds_it(odds: float):
    _, scores = decide_posts(*one_post("", odds))
    assert scores[0, 0].item() == round(probability(odds), 4)


def test_a_probability_halfway_between_two_scores_is_rounded_as_python_rounds_it():
    facts, noticed = one_post("", 0.0)
    rows = []
    for number in range(10_000):
        half = (number + 0.5) / 10_000
        odds = [math.log(half / (1 - half))]
        odds += [math.nextafter(odds[0], -99.0), math.nextafter(odds[0], 99.0)]
        rows.append(odds)
    odds = np.array(rows)
    posts = np.arange(len(odds))
    found = FindingsTable.from_findings([Findings()] * len(odds), (), CUES)
    batch = TextBatch.from_strings([""] * len(odds))
    many = replace(
        noticed, batch=batch, posts=posts, found=found, log_odds=odds, scores=rounded(odds),
        languages=np.zeros(len(odds), np.uint8),
    )  # fmt: skip
    _, scores = decide_posts(facts, many)
    assert scores.tolist() == [[round(probability(x), 4) for x in row] for row in odds.tolist()]


def test_evidence_is_sorted_listed_once_and_limited():
    text = "a.b.c" * 40
    many = [
        RuleMatch(
            made(n, "porn", "offer", sub_label="porn.explicit", level="weak"), "weak",
            tuple(hit_of(7 * h + n % 4, 7 * h + 9, mark) for h in range(5) for mark in (0, 2, 1)),
            bold=False,
        )
        for n in range(12)
    ]  # fmt: skip
    case = one_post(text, 2.0, *many)
    labels, _ = decide_posts(*case)
    (label,) = (found for found in labels[0] if found.label == "porn")
    evidence = rule_evidence(many, case[1].batch.codepoints, TABLE)
    assert label.evidence == evidence
    assert len(set(evidence)) == len(evidence) == 12 * 3
    assert sorted(evidence, key=lambda e: (e.start, e.end, e.rule_id)) == list(evidence)
    more = [
        replace(match, rule=replace(match.rule, id=f"porn.en.x{n}"))
        for n, match in enumerate(many * 3)
    ]
    (label, *_) = decide_posts(*one_post(text, 2.0, *more))[0][0]
    assert len(label.evidence) == MAX_EVIDENCE


@cache
def loaded() -> Any:
    return Moderator()._loaded()


def judged(texts: list[str], *, native: bool) -> Any:
    given_ = loaded()
    if not native:
        reference = replace(given_.facts, native=None)
        given_ = replace(given_)
        vars(given_)["facts"] = reference  # what the cached property would have made
    return judge(TextBatch.from_strings(texts), given_, None, screen=True)


def corpus() -> list[str]:
    lines = (path.read_text("utf-8").splitlines() for path in sorted(CORPUS.glob("*.jsonl")))
    return [json.loads(line)["text"] for part in lines for line in part]


@pytest.mark.skipif(SANITIZED, reason="takes minutes under the sanitizer")
def test_every_post_of_the_corpus_is_decided_alike():
    posts = corpus()
    labelled = 0
    for start in range(0, len(posts), 4096):
        part = posts[start : start + 4096]
        native, reference = judged(part, native=True), judged(part, native=False)
        assert_alike(native.labels, reference.labels)
        assert native.scores.tobytes() == reference.scores.tobytes()
        labelled += len(native.labels)
    assert labelled > len(posts) // 4
