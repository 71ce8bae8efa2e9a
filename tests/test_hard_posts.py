"""Posts that name forbidden things and do nothing forbidden; offers that pretend to be such.

Rules alone, without the classifier. A quarter of the posts, chosen by a hash of the id, is never
used to mend rules.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moderation.rules import LEVELS
from moderation.rules.stance import is_innocent, resolve_stance
from moderation.text import TextBatch
from moderation.types import INNOCENT_STANCES, POLICIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moderation.rules import Findings, Ruleset

POSTS = Path(__file__).parent / "posts"
LANGUAGES = ("zh", "en", "mixed")
FIELDS = {
    "hard_negatives": {"id", "text", "lang", "kind", "policy"},
    "explainers": {"id", "text", "lang", "stance", "policy"},
    "shielded_offers": {"id", "text", "lang", "policy"},
}
LEAST = {"hard_negatives": 560, "explainers": 240, "shielded_offers": 80}
LEAST_KINDS = 35
LEAST_EVIDENCE = 0.60
MOST_FLAGGED = {"hard_negatives": 0.01, "explainers": 0.02}
MOST_UNTOUCHED = 0.03
LEAST_SHIELDED_FLAGGED = 0.70


@dataclass(frozen=True, slots=True)
class Post:
    """One post and what the rules say of it."""

    row: dict[str, str]
    findings: Findings

    @property
    def untouched(self) -> bool:
        """True for the part that rules are never mended on."""
        return hashlib.sha256(self.row["id"].encode()).digest()[0] % 4 == 0

    @property
    def action(self) -> int:
        """Strongest action of any policy: 0 pass, 1 review, 2 block."""
        return max(_action(self.findings, policy) for policy in POLICIES)


def _action(findings: Findings, policy: str) -> int:
    levels = [m.level for m in findings.matches if m.rule.policy == policy]
    if not levels or is_innocent(resolve_stance(findings, policy)):
        return 0
    return max(LEVELS.index(level or "weak") for level in levels)


def rows(name: str) -> list[dict[str, str]]:
    lines = (POSTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def judged(ruleset: Ruleset, name: str) -> list[Post]:
    given = rows(name)
    found = ruleset.evaluate(TextBatch.from_strings([row["text"] for row in given]))
    return [Post(row, findings) for row, findings in zip(given, found, strict=True)]


@pytest.fixture(scope="module")
def negatives(ruleset: Ruleset) -> list[Post]:
    return judged(ruleset, "hard_negatives")


@pytest.fixture(scope="module")
def explainers(ruleset: Ruleset) -> list[Post]:
    return judged(ruleset, "explainers")


@pytest.fixture(scope="module")
def shielded(ruleset: Ruleset) -> list[Post]:
    return judged(ruleset, "shielded_offers")


def acted_on(posts: Sequence[Post], least: int = 1) -> list[str]:
    """Return the ids of the posts that are reviewed (1) or blocked (2)."""
    return [post.row["id"] for post in posts if post.action >= least]


@pytest.mark.parametrize("name", FIELDS)
def test_the_posts_are_complete_and_differ(name: str):
    given = rows(name)
    assert len(given) >= LEAST[name]
    assert all(set(row) == FIELDS[name] for row in given)
    assert {row["lang"] for row in given} == set(LANGUAGES)
    assert {row["policy"] for row in given} == set(POLICIES)
    for field in ("id", "text"):
        assert [v for v, n in Counter(row[field] for row in given).items() if n > 1] == []


def test_hard_negatives_are_of_many_kinds_in_every_language():
    kinds = {
        lang: {row["kind"] for row in rows("hard_negatives") if row["lang"] == lang}
        for lang in LANGUAGES
    }
    assert all(len(found) >= LEAST_KINDS for found in kinds.values())
    assert kinds["zh"] == kinds["en"] == kinds["mixed"]


def test_explainers_take_every_innocent_stance_and_tell_news():
    stances = {row["stance"] for row in rows("explainers")}
    assert stances == {*INNOCENT_STANCES, "news"}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_hard_negatives_pass(negatives: list[Post], lang: str):
    posts = [post for post in negatives if post.row["lang"] == lang]
    flagged = acted_on(posts)
    assert len(flagged) <= MOST_FLAGGED["hard_negatives"] * len(posts), flagged


def test_explainers_pass(explainers: list[Post]):
    flagged = acted_on(explainers)
    assert len(flagged) <= MOST_FLAGGED["explainers"] * len(explainers), flagged
    assert acted_on(explainers, least=2) == []


@pytest.mark.parametrize("name", MOST_FLAGGED)
def test_posts_that_no_rule_was_mended_on_pass(
    name: str, negatives: list[Post], explainers: list[Post]
):
    posts = {"hard_negatives": negatives, "explainers": explainers}[name]
    untouched = [post for post in posts if post.untouched]
    assert 0.15 < len(untouched) / len(posts) < 0.35
    flagged = acted_on(untouched)
    assert len(flagged) <= MOST_UNTOUCHED * len(untouched), flagged


def test_explainers_name_things_and_the_evidence_stays(explainers: list[Post]):
    named = [post for post in explainers if post.findings.matches]
    assert len(named) >= LEAST_EVIDENCE * len(explainers)
    for post in named:
        if post.action == 0 and any(m.level != "weak" for m in post.findings.matches):
            policies = {m.rule.policy for m in post.findings.matches if m.level != "weak"}
            assert all(is_innocent(resolve_stance(post.findings, p)) for p in policies)


def test_an_offer_with_an_innocent_sentence_is_an_offer(shielded: list[Post]):
    flagged = acted_on(shielded)
    assert len(flagged) >= LEAST_SHIELDED_FLAGGED * len(shielded)


def test_few_shielded_offers_are_excused_by_a_context(shielded: list[Post]):
    excused = [
        post.row["id"]
        for post in shielded
        if post.action == 0 and any(m.level != "weak" for m in post.findings.matches)
    ]
    assert len(excused) <= 0.05 * len(shielded), excused
