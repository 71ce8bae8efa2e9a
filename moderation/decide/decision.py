"""Decide: rule evidence, calibrated log-odds and stance to one label per policy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from moderation.rules.stance import is_innocent, resolve_stance
from moderation.types import ACTIONS, POLICIES, SCORE_DECIMALS, Evidence, Label

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from moderation.decide.profile import Profile
    from moderation.rules import Findings, RuleMatch
    from moderation.types import Action

__all__ = ["Decision", "decide_policy", "probability", "risk_level"]

_RISK_OF_ACTION: Final = {"pass": "low", "review": "medium", "block": "high"}


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome for one policy of one post."""

    score: float
    label: Label | None
    """None where there is no evidence and the score stays below review."""


def probability(log_odds: float) -> float:
    """Return the logistic function of calibrated log-odds."""
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    grown = math.exp(log_odds)
    return grown / (1.0 + grown)


def decide_policy(
    policy: int,
    log_odds: float,
    points: NDArray[np.float64],
    findings: Findings,
    evidence: Sequence[Evidence],
    weights: dict[str, float],
    profile: Profile,
) -> Decision:
    """Decide one policy of one post.

    Args:
        policy: index into POLICIES.
        log_odds: the classifier's calibrated log-odds.
        points: review and block thresholds for the post's language, shape (2,).
        findings: what the rules say.
        evidence: the rules' evidence for this policy, on the original text.
        weights: log-odds that a rule hit adds, by level.
        profile: the region's profile.
    """
    name = POLICIES[policy]
    matches = [m for m in findings.matches if m.rule.policy == name]
    review, block = float(points[0]), float(points[1])
    classifier = round(probability(log_odds), SCORE_DECIMALS)
    if not matches and classifier < review:
        return Decision(classifier, None)
    stance = resolve_stance(findings, name)
    innocent = is_innocent(stance)
    strongest = _strongest(matches)
    score = classifier
    if matches and not innocent:
        score = _fused(log_odds, matches, weights, profile, review, block)
    if score >= block:
        action = "block"
    elif score >= review:
        action = "review"
    else:
        action = "pass"
    sub_label = strongest.rule.sub_label if strongest is not None else None
    if innocent:
        ceiling = profile.stances[stance]
        limit = "review" if classifier >= ceiling.escalate_at else ceiling.action
        action = _weaker(action, limit)
    if sub_label is not None:
        action = _weaker(action, profile.ceiling.get(sub_label, "block"))
    for match in matches:
        forced = profile.always.get(match.rule.sub_label or "")
        if forced is not None and match.level == "strong" and not innocent:
            action, sub_label = forced, match.rule.sub_label
    threshold = block if action == "block" else review
    label = Label(
        name,
        sub_label,
        cast("Action", action),
        score,
        round(threshold, SCORE_DECIMALS),
        stance,
        tuple(evidence),
    )
    return Decision(score, label)


def _fused(
    log_odds: float,
    matches: Sequence[RuleMatch],
    weights: dict[str, float],
    profile: Profile,
    review: float,
    block: float,
) -> float:
    """Return the probability with the rules' weight; a strong or medium hit has a floor."""
    levels = {m.level for m in matches if m.level is not None}
    added = max(weights.get(level, 0.0) for level in levels)
    fused = probability(log_odds + added)
    for level, point in (("medium", review), ("strong", block)):
        if level in levels:
            fused = max(fused, profile.rule_floor[level], point)
    return round(fused, SCORE_DECIMALS)


def risk_level(labels: Sequence[Label]) -> str:
    """Return the verdict's risk level: that of the strongest label."""
    if not labels:
        return "none"
    return _RISK_OF_ACTION[max((label.action for label in labels), key=ACTIONS.index)]


def _strongest(matches: Sequence[RuleMatch]) -> RuleMatch | None:
    order = ("weak", "medium", "strong")
    return max(matches, key=lambda m: order.index(m.level or "weak"), default=None)


def _weaker(action: str, limit: str) -> str:
    return min(action, limit, key=ACTIONS.index)
