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
    from moderation.rules import Findings, Hit, RuleMatch, Ruleset
    from moderation.rules.ruleset import Reading
    from moderation.text import View
    from moderation.text.sound import SoundTable
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
    """Show views, hits, cues, scores, stance and decision for one post."""
    import numpy as np

    from moderation.engine import Moderator
    from moderation.rules import load_ruleset
    from moderation.text import TextBatch
    from moderation.text.sound import load_sound

    if text == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "replace").removesuffix("\n")
    day = as_of.date() if as_of is not None else None
    moderator = Moderator(region=region, rules=rules, model=model, as_of=day)
    assert moderator.rules is not None
    ruleset = load_ruleset(moderator.rules, moderator.as_of)
    batch = TextBatch.from_strings([text])
    findings = ruleset.findings(ruleset.scan(batch), np.arange(1))[0]
    verdict = moderator.check(text)
    reading = ruleset.read(batch)
    doubted = _doubted(ruleset, reading, findings)
    hidden = _hidden(len(text), (*findings.matches, *doubted), verdict)
    echo = typer.echo
    echo(f"post      {_shown(text, hidden)}")
    sound = load_sound(moderator.rules)
    for name, view in reading.views.items():
        folded = view.post(0)
        shown = _spoken(folded, sound) if name == "sound" and sound is not None else folded
        echo(f"{name:<9} {_shown(shown, _under(view, hidden))}")
    echo(f"language  {verdict.language}")
    for line in _finding_lines(text, findings, doubted, hidden):
        echo(line)
    for line in _verdict_lines(text, verdict, moderator, hidden):
        echo(line)
    return 0


def _doubted(ruleset: Ruleset, reading: Reading, findings: Findings) -> list[RuleMatch]:
    """Return the matches that frail spellings alone speak for, and that do not count."""
    counted = {match.rule.id for match in findings.matches}
    candidates = [ruleset.rules[number] for _, number in ruleset.candidates(reading).tolist()]
    rules = {rule.id: rule for rule in candidates if rule.id not in counted}
    found = (ruleset.holds(rule, reading.batch)[0] for rule in rules.values())
    return [match for match in found if match is not None and match.frail]


def _spoken(text: str, sound: SoundTable) -> list[str]:
    """Return the characters of a sound view, syllables in letters and set off by -.

    What sounds nearly alike is one syllable in the view; it is shown as the shortest of them.
    """
    from moderation.text.sound import SYLLABLES

    names: dict[str, str] = {}
    pairs = zip(sound.syllables, sound.syllable_near.tolist(), strict=True)
    for name, near in sorted(pairs, key=lambda pair: (len(pair[0]), pair[0])):
        names.setdefault(chr(SYLLABLES + near), name)
    before = ["", *text][: len(text)]
    return [
        ("-" if last and (last in names or char in names) else "") + names.get(char, char)
        for last, char in zip(before, text, strict=True)
    ]


def _hidden(length: int, matches: Sequence[RuleMatch], verdict: Verdict) -> list[bool]:
    """Return which characters of a post are never printed: what `porn.minors` rests on."""
    rules = {m.rule.id: m for m in matches if m.rule.sub_label == UNSHOWN_SUB_LABEL}
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


def _finding_lines(
    text: str, findings: Findings, doubted: Sequence[RuleMatch], hidden: Sequence[bool]
) -> list[str]:
    lines = [_match_line("rule", text, match, hidden) for match in findings.matches]
    lines += [
        f"{_match_line('doubted', text, match, hidden)}: no second cue, does not count"
        for match in doubted
    ]
    lines += [_match_line("context", text, match, hidden) for match in findings.contexts]
    if findings.cues:
        own = ", the author's own offer" if findings.offers else ""
        lines.append(f"cues      {', '.join(sorted(findings.cues))}{own}")
    lines += [f"timeout   {rule_id}" for rule_id in findings.timeouts]
    return lines or ["rules     nothing found"]


def _match_line(kind: str, text: str, match: RuleMatch, hidden: Sequence[bool]) -> str:
    spans = ", ".join(
        _place(text, h.start, h.end, hidden) + _ways(h) for h in match.hits if not h.cue
    )
    level = f" {match.level}" if match.level else ""
    frail = " frail" if match.frail else ""
    return f"{kind:<9} {match.rule.id} [{match.rule.stance}{level}{frail}] {spans}"


def _ways(hit: Hit) -> str:
    """Say in which view a hit was found and how its term was hidden; "" for plain text."""
    how = [part for part in (hit.fold, "frail" if hit.frail else "") if part]
    if not how and not hit.bold:
        return ""
    return f" ({hit.view}{': ' if how else ''}{', '.join(how)})"


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


def _shown(text: Sequence[str], hidden: Sequence[bool] = ()) -> str:
    """Return text that cannot move the cursor or hide: other characters are escaped."""
    cut = text[:_MAX_CHARACTERS]
    safe = ""
    for unshown, part in itertools.groupby(
        itertools.zip_longest(cut, hidden[: len(cut)], fillvalue=False), lambda pair: pair[1]
    ):
        safe += NOT_SHOWN if unshown else "".join(_escaped(str(c)) for c, _ in part)
    return f"“{safe}”" + ("…" if len(text) > _MAX_CHARACTERS else "")


def _escaped(character: str) -> str:
    """Return a character, or a syllable, that is safe to print."""
    return character if character.isprintable() else f"\\u{ord(character):04x}"
