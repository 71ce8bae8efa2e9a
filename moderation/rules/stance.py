"""Stance: what a post does with a topic, read from the rules that fired on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moderation.rules.conditions import LEVELS
from moderation.types import INNOCENT_STANCES

if TYPE_CHECKING:
    from moderation.rules.findings import Findings, RuleMatch

__all__ = ["is_innocent", "resolve_stance"]


def resolve_stance(findings: Findings, policy: str) -> str:
    """Return the stance of a post towards a policy.

    An innocent context decides, unless the author also makes an offer in his own words: then the
    post is one. Without a context, the strongest rule's stance; without a rule, the cues.
    """
    matches = [m for m in findings.matches if m.rule.policy == policy]
    contexts = [m for m in findings.contexts if m.rule.policy in {policy, "any"}]
    offers = findings.offers
    if contexts and not offers:
        return _first_innocent(contexts)
    if matches:
        strongest = max(matches, key=lambda m: (_strength(m), m.rule.stance == "offer"))
        stance = strongest.rule.stance
        return "offer" if contexts and offers else stance
    if offers:
        return "offer"
    return "seek" if "ask" in findings.cues else "engage"


def is_innocent(stance: str) -> bool:
    """Say whether a stance lowers the action."""
    return stance in INNOCENT_STANCES


def _first_innocent(contexts: list[RuleMatch]) -> str:
    found = {m.rule.stance for m in contexts}
    return next(stance for stance in INNOCENT_STANCES if stance in found)


def _strength(match: RuleMatch) -> int:
    return -1 if match.level is None else LEVELS.index(match.level)
