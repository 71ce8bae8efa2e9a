"""Posts: what was found in them to labels, many at a time; the kernel's part and its reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.decide.decision import decide_policy
from moderation.decide.evidence import rule_evidence
from moderation.decide.labels import LabelTable
from moderation.text.native import flat, int64, kernel
from moderation.types import POLICIES, STANCES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.decide.facts import Facts
    from moderation.rules.table import FindingsTable
    from moderation.text import FoldTable, TextBatch
    from moderation.types import Label

__all__ = ["Noticed", "decide_posts", "decide_posts_reference"]

_ASK: Final = "ask"
"""The cue class of questions."""
_NOBODY: Final = (np.zeros(0, np.uint8), np.zeros(0))


@dataclass(frozen=True, slots=True)
class Noticed:
    """Posts that rules or classifier noticed, and what is known of them.

    Attributes:
        batch: all posts.
        table: the fold table, to name the folds that a stretch needed.
        posts: int64, shape (noticed,): those that were noticed, ascending.
        found: what the rules say of these, in their order.
        log_odds: float64, shape (all posts, policies), calibrated.
        scores: the same as rounded probabilities.
        languages: uint8, shape (all posts,), indices into LANGUAGES.
        stances: uint8, shape (noticed,): the likeliest innocent stance that the model reads in
            each, an index into STANCES; None: nobody asked.
        likely: float64, shape (noticed,): how likely any innocent one is.
    """

    batch: TextBatch
    table: FoldTable
    posts: NDArray[np.int64]
    found: FindingsTable
    log_odds: NDArray[np.float64]
    scores: NDArray[np.float64]
    languages: NDArray[np.uint8]
    stances: NDArray[np.uint8] | None = None
    likely: NDArray[np.float64] | None = None


def decide_posts(facts: Facts, noticed: Noticed) -> tuple[LabelTable, NDArray[np.float64]]:
    """Decide posts.

    Returns:
        Labels by post, with the rules' evidence, and the scores of the noticed posts, shape
        (noticed, policies), as they were decided.
    """
    if facts.native is None:
        return decide_posts_reference(facts, noticed)
    found, batch, table = noticed.found, noticed.batch, noticed.table
    ask = found.cue_names.index(_ASK) if _ASK in found.cue_names else -1
    stances, likely = _NOBODY
    if noticed.stances is not None and noticed.likely is not None:
        stances, likely = noticed.stances, noticed.likely
    scores, labels, numbers, bounds, spans = kernel.decide(
        facts.native, ask, found.bounds, flat(found.matches), found.hit_bounds, flat(found.hits),
        found.cues, found.offers, noticed.posts, flat(noticed.log_odds), flat(noticed.scores),
        noticed.languages, flat(batch.codepoints), batch.offsets,
        table.kind, table.classes, table.target, flat(stances), flat(likely),
    )  # fmt: skip
    made = LabelTable(
        facts.names,
        np.frombuffer(labels, np.int32).reshape(-1, 6),
        np.frombuffer(numbers).reshape(-1, 2),
        int64(bounds),
        np.frombuffer(spans, np.int32).reshape(-1, 6),
    )
    return made, np.frombuffer(scores).reshape(-1, len(POLICIES))


def decide_posts_reference(
    facts: Facts, noticed: Noticed
) -> tuple[LabelTable, NDArray[np.float64]]:
    """Do the same as `decide_posts` post by post."""
    labels: dict[int, list[Label]] = {}
    scores = noticed.scores[noticed.posts]
    for index, findings in enumerate(noticed.found):
        post = int(noticed.posts[index])
        original = noticed.batch.codepoints[slice(*noticed.batch.offsets[post : post + 2])]
        points = facts.points[noticed.languages[post]]
        stance = None
        if noticed.stances is not None and noticed.likely is not None:
            stance = (STANCES[noticed.stances[index]], float(noticed.likely[index]))
        for policy, name in enumerate(POLICIES):
            matches = [m for m in findings.matches if m.rule.policy == name]
            if not matches and scores[index, policy] < points[policy, 0]:
                continue
            decision = decide_policy(
                policy,
                float(noticed.log_odds[post, policy]),
                points[policy],
                findings,
                rule_evidence(matches, original, noticed.table),
                dict(facts.weights.get(name, {})),
                facts.profile,
                stance,
            )
            scores[index, policy] = decision.score
            if decision.label is not None:
                labels.setdefault(post, []).append(decision.label)
    return LabelTable.of(labels, facts.names), scores
