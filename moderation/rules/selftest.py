"""Run the tests that rules carry."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from moderation.rules.stance import is_innocent, resolve_stance
from moderation.text import TextBatch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from moderation.rules.conditions import Rule
    from moderation.rules.findings import Findings, RuleMatch
    from moderation.rules.ruleset import Ruleset

__all__ = ["Failure", "TestReport", "run_rule_tests"]


@dataclass(frozen=True, slots=True)
class Failure:
    """One test that does not hold."""

    rule_id: str
    path: str
    line: int
    kind: str
    """hit, pass, evasion or explain."""
    text: str
    reason: str
    rule: Rule | None = field(default=None, repr=False)
    findings: Findings | None = field(default=None, repr=False)
    """What the whole ruleset says of the post."""

    @property
    def fired(self) -> tuple[RuleMatch, ...]:
        """The rule's own matches."""
        return tuple(m for m in _every_match(self.findings) if m.rule.id == self.rule_id)

    def __str__(self) -> str:
        return (
            f"{self.path}:{self.line}: {self.rule_id} {self.kind}: {self.reason}\n    {self.text!r}"
        )


@dataclass(frozen=True, slots=True)
class TestReport:
    """The outcome of a run."""

    passed: int
    failures: tuple[Failure, ...]


def run_rule_tests(
    ruleset: Ruleset,
    policy: str | None = None,
    rule_id: str | None = None,
    *,
    as_of: date | None = None,
) -> TestReport:
    """Run every rule's tests against the whole ruleset, rules only.

    Args:
        ruleset: compiled rules, whatever their days.
        policy: only rules of this pack ("porn", "drugs", "gambling" or "context").
        rule_id: only this rule.
        as_of: the day on which the tests run; default: today in UTC. Those of a rule that does
            not count then run on a day when it does.
    """
    today = as_of or datetime.now(UTC).date()
    passed = 0
    failures: list[Failure] = []
    for day, rules in _by_day(_chosen(ruleset.rules, policy, rule_id), today).items():
        cases = [(rule, *case) for rule in rules for case in _cases(rule)]
        found = ruleset.on(day).evaluate(TextBatch.from_strings([text for *_, text in cases]))
        for (rule, kind, text), findings in zip(cases, found, strict=True):
            reason = _judge(rule, kind, findings)
            if reason is None:
                passed += 1
            else:
                failures.append(
                    Failure(rule.id, rule.path, rule.line, kind, text, reason, rule, findings)
                )
    for rule in _chosen(ruleset.private, policy, rule_id):
        cases_here = _cases(rule)
        matches = ruleset.holds(rule, TextBatch.from_strings([text for _, text in cases_here]))
        for (kind, text), match in zip(cases_here, matches, strict=True):
            reason = _judge_block(kind, match)
            if reason is None:
                passed += 1
            else:
                failures.append(Failure(rule.id, rule.path, rule.line, kind, text, reason))
    return TestReport(passed, tuple(failures))


def _chosen(rules: Sequence[Rule], policy: str | None, rule_id: str | None) -> list[Rule]:
    return [
        rule
        for rule in rules
        if (policy is None or rule.id.startswith(f"{policy}."))
        and (rule_id is None or rule.id == rule_id)
    ]


def _by_day(rules: Sequence[Rule], today: date) -> dict[date, list[Rule]]:
    """Return the rules by the day on which their tests run."""
    days: dict[date, list[Rule]] = {today: []}
    for rule in rules:
        day = today
        if rule.enabled_from is not None and today < rule.enabled_from:
            day = rule.enabled_from
        elif rule.enabled_until is not None and today >= rule.enabled_until:
            day = rule.enabled_until - timedelta(days=1)
        days.setdefault(day, []).append(rule)
    return days


def _cases(rule: Rule) -> list[tuple[str, str]]:
    """Return the kind and the text of every test of a rule."""
    tests = rule.tests
    given = (("hit", tests.hit), ("pass", tests.passes), ("evasion", tests.evasion),
             ("explain", tests.explain))  # fmt: skip
    return [(kind, text) for kind, texts in given for text in texts]


def _judge_block(kind: str, match: RuleMatch | None) -> str | None:
    """Return what is wrong with a private rule's test, or None."""
    if kind == "pass":
        return None if match is None else f"expected no match, the rule holds on {_spans([match])}"
    return None if match is not None else "expected a match, the rule does not hold"


def _judge(rule: Rule, kind: str, findings: Findings) -> str | None:
    """Return what is wrong, or None."""
    fired = [m for m in _every_match(findings) if m.rule.id == rule.id]
    others = sorted(m.rule.id for m in findings.matches if m.rule.id != rule.id)
    also = f" (fired: {', '.join(others)})" if others else ""
    if kind == "pass":
        return None if not fired else f"expected no match, the rule fired on {_spans(fired)}"
    if kind in {"hit", "evasion"}:
        return None if fired else f"expected a match, the rule did not fire{also}"
    mine = [m for m in findings.matches if m.rule.policy == rule.policy]
    if not mine:
        return "expected the words to be found (with an innocent stance), no rule fired"
    stance = resolve_stance(findings, rule.policy)
    if is_innocent(stance):
        return None
    cues = ", ".join(sorted(findings.cues)) or "none"
    return f"expected an innocent stance, found {stance!r} (cues: {cues})"


def _every_match(findings: Findings | None) -> tuple[RuleMatch, ...]:
    return () if findings is None else (*findings.matches, *findings.contexts)


def _spans(matches: list[RuleMatch]) -> str:
    return ", ".join(f"{h.start}-{h.end} ({h.view})" for m in matches for h in m.hits)
