"""Reference: what the rules say of one post, in plain Python; the kernel gives the same answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moderation.rules.conditions import LEVELS
from moderation.rules.evaluate import STANCE_CUES
from moderation.rules.findings import Findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moderation.rules.conditions import Rule
    from moderation.rules.evaluate import PostMatcher
    from moderation.rules.findings import RuleMatch

__all__ = ["findings_of"]


def findings_of(
    matcher: PostMatcher,
    candidates: list[int],
    rules: Sequence[Rule],
    contexts: Sequence[Sequence[int]],
    wanted: bool,
    *,
    every_cue: bool,
) -> Findings:
    """Return what the rules say of one post.

    Args:
        matcher: evaluates conditions on the post.
        candidates: numbers of the policy rules to try, ascending.
        rules: every rule, by number.
        contexts: for each literal the numbers of the context rules that it may be part of.
        wanted: look for contexts and cues although no policy rule fires.
        every_cue: see `Ruleset.findings`.
    """
    matches = _fired(matcher, matcher.matches(candidates, rules, LEVELS))
    if not matches and not wanted:
        return Findings(timeouts=matcher.late())
    known = {number for literal in matcher.literals.numbers() for number in contexts[literal]}
    found = _fired(matcher, matcher.matches(sorted(known), rules, LEVELS))
    asked = bool(found) or not matches  # otherwise the rules' own stance decides
    names = None if every_cue else STANCE_CUES
    return Findings(
        matches,
        found,
        matcher.present_cues(names) if asked or every_cue else frozenset(),
        asked and matcher.makes_offer(found),
        matcher.late(),
    )


def _fired(matcher: PostMatcher, found: list[RuleMatch]) -> tuple[RuleMatch, ...]:
    """Leave out what nothing but one doubtful spelling speaks for."""
    if not any(m.frail for m in found):
        return tuple(found)
    # One stretch that merely sounds like a term is an accident; two different ones are not.
    surfaces: dict[str, set[str]] = {}
    for match in found:
        known = surfaces.setdefault(match.rule.policy, set())
        known |= {matcher.surface(hit) for hit in match.hits if hit.frail}
    return tuple(m for m in found if not m.frail or len(surfaces[m.rule.policy]) > 1)
