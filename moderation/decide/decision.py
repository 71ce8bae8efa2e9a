"""Decide: rule evidence, calibrated log-odds and stance to one label per policy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from moderation.rules import LEVELS
from moderation.rules.stance import is_innocent, resolve_stance
from moderation.types import ACTIONS, POLICIES, RISK_LEVELS, SCORE_DECIMALS, Evidence, Label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from moderation.decide.profile import Profile
    from moderation.rules import Findings, RuleMatch
    from moderation.types import Action

__all__ = ["Decision", "decide_policy", "probability", "risk_level"]

_LEVEL_ACTION: Final = {"weak": "pass", "medium": "review", "strong": "block"}
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
    model_stance: tuple[str, float] | None = None,
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
        model_stance: the innocent stance the model reads in the post, and how likely it is; it
            lowers what the classifier alone brings about, where the profile says so.
    """
    name = POLICIES[policy]
    matches = [m for m in findings.matches if m.rule.policy == name]
    review, block = (round(float(point), SCORE_DECIMALS) for point in points)
    classifier = round(probability(log_odds), SCORE_DECIMALS)
    if not matches and classifier < review:
        return Decision(classifier, None)
    stance = resolve_stance(findings, name)
    if is_innocent(stance):
        return Decision(
            classifier,
            _innocent(name, stance, classifier, (review, block), matches, evidence, profile),
        )
    alone = _weaker(_action(classifier, review, block), profile.classifier_alone)
    if not matches and model_stance is not None and profile.model_stance_at is not None:
        innocent, likely = model_stance
        if round(likely, SCORE_DECIMALS) >= profile.model_stance_at:
            stance = innocent
            alone = ACTIONS[max(ACTIONS.index(alone) - 1, 0)]
    outcomes = [_Outcome(alone, None, 0.0)]
    score = classifier
    if matches:
        fused = _fused(log_odds, matches, weights, classifier, (review, block))
        strongest = _strongest(matches)
        score = max(fused, profile.rule_floor.get(strongest.level or "", 0.0))
        outcomes = [
            *(_by_rule(m, profile) for m in sorted(matches, key=_rank(profile), reverse=True)),
            _Outcome(
                _weaker(_action(fused, review, block), _widest(matches, profile, strongest.level)),
                strongest.rule.sub_label,
                0.0,
            ),
            _Outcome(
                _weaker(_action(classifier, review, block), _widest(matches, profile)),
                strongest.rule.sub_label,
                0.0,
            ),
        ]
    best = max(outcomes, key=lambda outcome: ACTIONS.index(outcome.action))
    threshold = best.floor or (block if best.action == "block" else review)
    severity = _severity(best.action, matches, profile)
    return Decision(
        score,
        Label(
            name, best.sub_label, best.action, score, threshold, stance, tuple(evidence), severity
        ),
    )


@dataclass(frozen=True, slots=True)
class _Outcome:
    """An action, the sub-label it is for, and the rule floor behind it (0: none)."""

    action: Action
    sub_label: str | None
    floor: float


def _by_rule(match: RuleMatch, profile: Profile) -> _Outcome:
    """Return what one rule brings about by itself, under its own sub-label's ceiling."""
    sub_label = match.rule.sub_label or ""
    action = _LEVEL_ACTION[match.level or "weak"]
    if match.level == "strong" and sub_label in profile.always:
        action = profile.always[sub_label]
    capped = _weaker(action, _ceiling(match, profile))
    floor = profile.rule_floor.get(match.level or "", 0.0)
    return _Outcome(capped, match.rule.sub_label, floor)


def _severity(action: Action, matches: Sequence[RuleMatch], profile: Profile) -> str | None:
    """Return what the rules that bring the action about by themselves make of the risk level.

    None where none of them sets a severity, or where no rule reaches the action alone.
    """
    behind = [m.rule.severity for m in matches if _by_rule(m, profile).action == action]
    if not any(behind):
        return None
    return max((s or _RISK_OF_ACTION[action] for s in behind), key=RISK_LEVELS.index)


def _innocent(
    name: str,
    stance: str,
    classifier: float,
    points: tuple[float, float],
    matches: Sequence[RuleMatch],
    evidence: Sequence[Evidence],
    profile: Profile,
) -> Label:
    """Return the label under an innocent stance: evidence listed, action capped."""
    ceiling = profile.stances[stance]
    limit = "review" if classifier >= ceiling.escalate_at else ceiling.action
    action = "review" if matches else _action(classifier, *points)
    sub_label = _strongest(matches).rule.sub_label if matches else None
    return Label(
        name,
        sub_label,
        _weaker(action, cast("Action", limit)),
        classifier,
        points[0],
        stance,
        tuple(evidence),
    )


def _fused(
    log_odds: float,
    matches: Sequence[RuleMatch],
    weights: dict[str, float],
    classifier: float,
    points: tuple[float, float],
) -> float:
    """Return the probability with the rules' weight added to the classifier's log-odds.

    Below `strong`, a rule lifts a post to block only together with a classifier that would have
    it reviewed anyway.
    """
    review, block = points
    level = _strongest(matches).level or "weak"
    fused = round(probability(log_odds + weights.get(level, 0.0)), SCORE_DECIMALS)
    if level != "strong" and classifier < review:
        fused = min(fused, max(classifier, round(block - 10.0**-SCORE_DECIMALS, SCORE_DECIMALS)))
    return fused


def _action(score: float, review: float, block: float) -> Action:
    if score >= block:
        return "block"
    return "review" if score >= review else "pass"


def _ceiling(match: RuleMatch, profile: Profile) -> Action:
    return cast("Action", profile.ceiling.get(match.rule.sub_label or "", "block"))


def _widest(matches: Sequence[RuleMatch], profile: Profile, level: str | None = None) -> Action:
    """Return the strongest action that some match's sub-label (of a level) allows."""
    chosen = [m for m in matches if level is None or m.level == level]
    return max((_ceiling(m, profile) for m in chosen), key=ACTIONS.index)


def _level(match: RuleMatch) -> int:
    return LEVELS.index(match.level or "weak")


def _rank(profile: Profile) -> Callable[[RuleMatch], tuple[bool, int]]:
    """Return the order in which matches name the sub-label: what is always acted on first."""
    return lambda match: ((match.rule.sub_label or "") in profile.always, _level(match))


def _strongest(matches: Sequence[RuleMatch]) -> RuleMatch:
    return max(matches, key=_level)


def risk_level(labels: Sequence[Label]) -> str:
    """Return the verdict's risk level: the highest that a label calls for.

    A label calls for that of its action, or for its severity, which counts unless it passes.
    """
    return max(map(_risk, labels), key=RISK_LEVELS.index, default="none")


def _risk(label: Label) -> str:
    if label.severity is None or label.action == "pass":
        return _RISK_OF_ACTION[label.action]
    return label.severity


def _weaker(action: str, limit: str) -> Action:
    return cast("Action", min(action, limit, key=ACTIONS.index))
