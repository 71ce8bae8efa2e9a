"""moderate explain: why one post gets its verdict, on one screen."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003  (typer reads it)
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from moderation.engine import Moderator
    from moderation.rules import Findings, RuleMatch
    from moderation.types import Verdict

__all__ = ["explain"]

_MAX_CHARACTERS = 600


def explain(
    text: Annotated[str, typer.Argument(help="The post, or - to read it from standard input.")],
    region: Annotated[str, typer.Option("--region", help="Region profile.")] = "cn",
    rules: Annotated[Path | None, typer.Option("--rules", help="Rules folder.")] = None,
    model: Annotated[Path | None, typer.Option("--model", help="Model folder.")] = None,
) -> int:
    """Show folds, hits, cues, scores, stance and decision for one post."""
    from moderation.engine import Moderator
    from moderation.rules import load_ruleset
    from moderation.text import TextBatch

    if text == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "replace").removesuffix("\n")
    moderator = Moderator(region=region, rules=rules, model=model)
    assert moderator.rules is not None
    ruleset = load_ruleset(moderator.rules)
    batch = TextBatch.from_strings([text])
    base = ruleset.table.base(batch)
    findings = ruleset.evaluate(batch)[0]
    verdict = moderator.check(text)
    echo = typer.echo
    echo(f"post      {_shown(text)}")
    echo(f"base      {_shown(base.post(0))}")
    echo(f"compact   {_shown(ruleset.table.compact(base).post(0))}")
    echo(f"language  {verdict.language}")
    for line in _finding_lines(text, findings):
        echo(line)
    for line in _verdict_lines(text, verdict, moderator):
        echo(line)
    return 0


def _finding_lines(text: str, findings: Findings) -> list[str]:
    lines = [_match_line("rule", text, match) for match in findings.matches]
    lines += [_match_line("context", text, match) for match in findings.contexts]
    if findings.cues:
        own = ", the author's own offer" if findings.offers else ""
        lines.append(f"cues      {', '.join(sorted(findings.cues))}{own}")
    lines += [f"timeout   {rule_id}" for rule_id in findings.timeouts]
    return lines or ["rules     nothing found"]


def _match_line(kind: str, text: str, match: RuleMatch) -> str:
    spans = ", ".join(
        f"{_shown(text[h.start : h.end])}@{h.start}-{h.end}" + (f"/{h.view}" if h.bold else "")
        for h in match.hits
        if not h.cue
    )
    level = f" {match.level}" if match.level else ""
    return f"{kind:<9} {match.rule.id} [{match.rule.stance}{level}] {spans}"


def _verdict_lines(text: str, verdict: Verdict, moderator: Moderator) -> list[str]:
    scores = "  ".join(f"{name} {score:.4f}" for name, score in verdict.category_scores.items())
    lines = [f"scores    {scores}"]
    for label in verdict.labels:
        lines.append(
            f"label     {label.sub_label or label.label}: {label.action}, stance {label.stance}, "
            f"{label.score:.4f} against {label.threshold:.4f}"
        )
        for span in label.evidence:
            folds = f" through {', '.join(span.transforms)}" if span.transforms else ""
            source = span.rule_id or "classifier"
            lines.append(
                f"          {_shown(text[span.start : span.end])}@{span.start}-{span.end} "
                f"{source}{folds}"
            )
    lines.append(
        f"verdict   {verdict.action} (risk {verdict.risk_level}, region {moderator.region})"
    )
    return lines


def _shown(text: str) -> str:
    """Return text that cannot move the cursor or hide: other characters are escaped."""
    cut = text[:_MAX_CHARACTERS]
    safe = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in cut)
    return f"“{safe}”" + ("…" if len(text) > _MAX_CHARACTERS else "")
