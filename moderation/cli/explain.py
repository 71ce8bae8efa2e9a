"""moderate explain: why one post gets its verdict, on one screen."""

from __future__ import annotations

import itertools
import sys
from datetime import datetime  # noqa: TC003  (typer reads it)
from pathlib import Path  # noqa: TC003  (typer reads it)
from typing import TYPE_CHECKING, Annotated

import typer

from moderation.types import NOT_SHOWN, UNSHOWN_SUB_LABEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moderation.engine import Moderator
    from moderation.rules import Findings, RuleMatch
    from moderation.text import View
    from moderation.types import Verdict

__all__ = ["explain"]

_MAX_CHARACTERS = 600


def explain(
    text: Annotated[str, typer.Argument(help="The post, or - to read it from standard input.")],
    region: Annotated[str, typer.Option("--region", help="Region profile.")] = "cn",
    rules: Annotated[Path | None, typer.Option("--rules", help="Rules folder.")] = None,
    model: Annotated[Path | None, typer.Option("--model", help="Model folder.")] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Day whose rules count; default: today (UTC).",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Show folds, hits, cues, scores, stance and decision for one post."""
    from moderation.engine import Moderator
    from moderation.rules import load_ruleset
    from moderation.text import TextBatch

    if text == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "replace").removesuffix("\n")
    day = as_of.date() if as_of is not None else None
    moderator = Moderator(region=region, rules=rules, model=model, as_of=day)
    assert moderator.rules is not None
    ruleset = load_ruleset(moderator.rules, moderator.as_of)
    batch = TextBatch.from_strings([text])
    base = ruleset.table.base(batch)
    findings = ruleset.evaluate(batch)[0]
    verdict = moderator.check(text)
    compact = ruleset.table.compact(base)
    hidden = _hidden(len(text), findings, verdict)
    echo = typer.echo
    echo(f"post      {_shown(text, hidden)}")
    echo(f"base      {_shown(base.post(0), _under(base, hidden))}")
    echo(f"compact   {_shown(compact.post(0), _under(compact, hidden))}")
    echo(f"language  {verdict.language}")
    for line in _finding_lines(text, findings, hidden):
        echo(line)
    for line in _verdict_lines(text, verdict, moderator, hidden):
        echo(line)
    return 0


def _hidden(length: int, findings: Findings, verdict: Verdict) -> list[bool]:
    """Return which characters of a post are never printed: what `porn.minors` rests on."""
    rules = {m.rule.id: m for m in findings.matches if m.rule.sub_label == UNSHOWN_SUB_LABEL}
    spans = [(hit.start, hit.end) for match in rules.values() for hit in match.hits if not hit.cue]
    for label in verdict.labels:
        whole = label.sub_label == UNSHOWN_SUB_LABEL
        spans += [(e.start, e.end) for e in label.evidence if whole or e.rule_id in rules]
    hidden = [False] * length
    for start, end in spans:
        hidden[start:end] = [True] * (end - start)
    return hidden


def _under(view: View, hidden: Sequence[bool]) -> list[bool]:
    """Return which characters of a folded post stand for a hidden one."""
    bounds = zip(view.source.tolist(), view.last.tolist(), strict=True)
    return [any(hidden[first : last + 1]) for first, last in bounds]


def _finding_lines(text: str, findings: Findings, hidden: Sequence[bool]) -> list[str]:
    lines = [_match_line("rule", text, match, hidden) for match in findings.matches]
    lines += [_match_line("context", text, match, hidden) for match in findings.contexts]
    if findings.cues:
        own = ", the author's own offer" if findings.offers else ""
        lines.append(f"cues      {', '.join(sorted(findings.cues))}{own}")
    lines += [f"timeout   {rule_id}" for rule_id in findings.timeouts]
    return lines or ["rules     nothing found"]


def _match_line(kind: str, text: str, match: RuleMatch, hidden: Sequence[bool]) -> str:
    spans = ", ".join(
        _place(text, h.start, h.end, hidden) + (f"/{h.view}" if h.bold else "")
        for h in match.hits
        if not h.cue
    )
    level = f" {match.level}" if match.level else ""
    return f"{kind:<9} {match.rule.id} [{match.rule.stance}{level}] {spans}"


def _verdict_lines(
    text: str, verdict: Verdict, moderator: Moderator, hidden: Sequence[bool]
) -> list[str]:
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
            place = _place(text, span.start, span.end, hidden)
            lines.append(f"          {place} {source}{folds}")
    lines.append(
        f"verdict   {verdict.action} (risk {verdict.risk_level}, region {moderator.region})"
    )
    return lines


def _place(text: str, start: int, end: int, hidden: Sequence[bool]) -> str:
    shown = NOT_SHOWN if any(hidden[start:end]) else _shown(text[start:end])
    return f"{shown}@{start}-{end}"


def _shown(text: str, hidden: Sequence[bool] = ()) -> str:
    """Return text that cannot move the cursor or hide: other characters are escaped."""
    cut = text[:_MAX_CHARACTERS]
    safe = ""
    for unshown, part in itertools.groupby(
        itertools.zip_longest(cut, hidden[: len(cut)], fillvalue=False), lambda pair: pair[1]
    ):
        safe += NOT_SHOWN if unshown else "".join(_escaped(str(c)) for c, _ in part)
    return f"“{safe}”" + ("…" if len(text) > _MAX_CHARACTERS else "")


def _escaped(character: str) -> str:
    return character if character.isprintable() else f"\\u{ord(character):04x}"
