"""What the bolder views cost: ordinary posts that only they flag."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rules_alone import flags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rules_alone import RulesAlone

    from moderation.rules import Findings

PER = 20_000
"""Posts that a count of false merges is for."""


@dataclass
class Merged:
    """Counts over one source."""

    source: str
    posts: int = 0
    flagged: int = 0
    bold: int = 0
    """Posts that nothing would flag if matches that need a bold view did not exist."""
    touched: int = 0
    """The same, were every match gone that has any hit, cues among them, from a bold view: the most
    that bold views can be to blame for."""
    examples: list[tuple[str, str]] = field(default_factory=list)
    """Post, and the rules and stretches behind it."""


def false_merges(
    rules: RulesAlone, ordinary: Mapping[str, Sequence[str]], examples: int
) -> list[Merged]:
    """Return the counts of every source."""
    return [_merged(rules, source, texts, examples) for source, texts in ordinary.items()]


def _merged(rules: RulesAlone, source: str, texts: Sequence[str], examples: int) -> Merged:
    counts = Merged(source, posts=len(texts))
    for text, found in zip(texts, rules.findings(texts), strict=True):
        if not found.matches or not flags(rules.actions(found)):
            continue
        counts.flagged += 1
        if not flags(rules.actions(_without(found, hits=False))):
            counts.bold += 1
            if len(counts.examples) < examples:
                counts.examples.append((text, _reasons(text, found)))
        counts.touched += not flags(rules.actions(_without(found, hits=True)))
    return counts


def _without(found: Findings, *, hits: bool) -> Findings:
    kept = [m for m in found.matches if not m.bold]
    if hits:
        kept = [m for m in kept if all(hit.view == "base" for hit in m.hits)]
    return replace(found, matches=tuple(kept))


def _reasons(text: str, found: Findings) -> str:
    return "; ".join(
        f"{m.rule.id} ({m.level}): "
        + ", ".join(f"{text[h.start : h.end]!r} [{h.view}]" for h in m.hits)
        for m in found.matches
        if m.bold
    )
