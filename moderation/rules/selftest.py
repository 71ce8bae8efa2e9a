"""Run the tests that rules carry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moderation.rules.stance import is_innocent, resolve_stance
from moderation.text import TextBatch

if TYPE_CHECKING:
    from moderation.rules.conditions import Rule
    from moderation.rules.evaluate import Findings, RuleMatch
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
    ruleset: Ruleset, policy: str | None = None, rule_id: str | None = None
) -> TestReport:
    """Run every rule's tests against the whole ruleset, rules only.

    Args:
        ruleset: compiled rules.
        policy: only rules of this pack ("porn", "drugs", "gambling" or "context").
        rule_id: only this rule.
    """
    cases: list[tuple[Rule, str, str]] = []
    for rule in ruleset.rules:
        if policy is not None and not rule.id.startswith(f"{policy}."):
            continue
        if rule_id is not None and rule.id != rule_id:
            continue
        tests = rule.tests
        cases += [(rule, "hit", t) for t in tests.hit]
        cases += [(rule, "pass", t) for t in tests.passes]
        cases += [(rule, "evasion", t) for t in tests.evasion]
        cases += [(rule, "explain", t) for t in tests.explain]
    found = ruleset.evaluate(TextBatch.from_strings([text for _, _, text in cases]))
    failures = []
    for (rule, kind, text), findings in zip(cases, found, strict=True):
        reason = _judge(rule, kind, findings)
        if reason is not None:
            failures.append(
                Failure(rule.id, rule.path, rule.line, kind, text, reason, rule, findings)
            )
    return TestReport(len(cases) - len(failures), tuple(failures))


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
