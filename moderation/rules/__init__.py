"""Rules: schema, compilation into an immutable hashed Ruleset, and scanning."""

from moderation.rules.compile import compile_rules, rules_digest
from moderation.rules.conditions import CUES, LEVELS, Rule
from moderation.rules.findings import Findings, Hit, RuleMatch
from moderation.rules.ruleset import Ruleset, load_ruleset

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
