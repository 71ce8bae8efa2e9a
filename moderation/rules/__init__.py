"""Rules: schema, compilation into an immutable hashed Ruleset, and scanning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moderation.rules.compiled import rules_digest
from moderation.rules.conditions import CUES, LEVELS, Rule
from moderation.rules.findings import Findings, Hit, RuleMatch
from moderation.rules.ruleset import Ruleset, load_ruleset

if TYPE_CHECKING:
    from moderation.rules.compile import compile_rules

__all__ = [
    "CUES",
    "LEVELS",
    "Findings",
    "Hit",
    "Rule",
    "RuleMatch",
    "Ruleset",
    "compile_rules",
    "load_ruleset",
    "rules_digest",
]


def __getattr__(name: str) -> Any:
    """Load what compiles rules only where rules are compiled."""
    if name == "compile_rules":
        from moderation.rules import compile as compiling

        return compiling.compile_rules
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
