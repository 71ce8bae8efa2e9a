"""What a failed rule test shows: the post with carets, expected and found, the near miss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moderation.cli.carets import Mark, underlined
from moderation.evaluation.posts import is_unshown
from moderation.rules.stance import resolve_stance
from moderation.scan.table import clipped
from moderation.types import NOT_SHOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moderation.evaluation.near_miss import Part
    from moderation.rules import Findings, RuleMatch
    from moderation.rules.selftest import Failure

__all__ = ["failure_lines"]

_RED: Final = "\x1b[31m"
_GREEN: Final = "\x1b[32m"
_CYAN: Final = "\x1b[36m"
_RESET: Final = "\x1b[0m"
_INDENT: Final = "    "
_LEAST_COLUMNS: Final = 20
_MOST_WORDS: Final = 4
_NEAR: Final = "~"
_WORD_COLUMNS: Final = 24


def failure_lines(
    failure: Failure, parts: Sequence[Part], columns: int, *, colour: bool = False
) -> list[str]:
    """Return the lines that tell of one failed test.

    What `porn.minors` rests on is left out: such a post is not shown, nor is what its rule looks
    for, only where it stands.

    Args:
        failure: the test.
        parts: the rule's near miss, see `moderation.evaluation.near_miss`.
        columns: width of the terminal.
        colour: use escape sequences.
    """
    findings = failure.findings
    assert failure.rule is not None
    assert findings is not None
    every = (*findings.matches, *findings.contexts)
    hidden = is_unshown(failure.rule) or any(is_unshown(match.rule) for match in every)
    paint = _paint if colour else _plain
    room = max(columns - len(_INDENT), _LEAST_COLUMNS)
    lines = [f"{failure.path}:{failure.line}: {failure.rule_id}: {failure.kind} test"]
    if hidden:
        lines.append(_INDENT + NOT_SHOWN)
    else:
        shown = underlined(failure.text, _marks(failure, parts), room)
        lines += [_INDENT + (paint(_CYAN, s) if _is_caret_line(s) else s) for s in shown]
    expected, found = _outcome(failure, findings)
    lines.append(paint(_RED, f"  - expected: {expected}"))
    lines.append(paint(_GREEN, f"  + found:    {found}"))
    if failure.kind == "pass":
        lines += [_match_line(match, failure.text, hidden) for match in failure.fired]
    elif failure.kind == "explain" and _mine(failure, findings):
        lines += [_match_line(match, failure.text, hidden) for match in every]
    elif parts:
        lines.append(f"{_INDENT}conditions of {failure.rule_id}:")
        lines += [_part_line(part, failure, hidden, room) for part in parts]
        if all(part.holds for part in parts):
            lines.append(
                f"{_INDENT}each holds by itself: words that only a bold view shows want a second "
                "cue beside them"
            )
    return lines


def _mine(failure: Failure, findings: Findings) -> bool:
    return any(m.rule.policy == _policy(failure) for m in findings.matches)


def _policy(failure: Failure) -> str:
    assert failure.rule is not None
    return failure.rule.policy


def _outcome(failure: Failure, findings: Findings) -> tuple[str, str]:
    """Return what the test expects, and what it found."""
    rule_id, policy = failure.rule_id, _policy(failure)
    if failure.kind == "pass":
        fired = failure.fired[0] if failure.fired else None
        return f"{rule_id} does not fire", f"it fires{_level(fired)}"
    others = [f"{m.rule.id}{_level(m)}" for m in findings.matches]
    instead = f"; instead: {', '.join(others)}" if others else "; nor does another rule"
    if failure.kind != "explain":
        return f"{rule_id} fires", f"it does not{instead}"
    expected = f"a rule of {policy} fires, and the stance is innocent"
    if not _mine(failure, findings):
        return expected, f"no rule of {policy} fires"
    cues = ", ".join(sorted(findings.cues)) or "none"
    why = "no context rule fires"
    if findings.contexts:
        why = "an offer of the author's own outweighs the context" if findings.offers else ""
    stance = resolve_stance(findings, policy)
    return expected, f"the stance is {stance}: {why} (cues: {cues})".replace(":  (", " (")


def _level(match: RuleMatch | None) -> str:
    if match is None or match.level is None:
        return ""
    lowered = match.level != match.rule.level
    return f" ({match.level}{', lowered: only a bold view shows it' if lowered else ''})"


def _marks(failure: Failure, parts: Sequence[Part]) -> list[Mark]:
    """Return what to underline: the words that fired, or those of a near miss."""
    findings = failure.findings
    assert findings is not None
    if failure.kind == "pass":
        matches: Sequence[RuleMatch] = failure.fired
    elif failure.kind == "explain":
        matches = (*findings.matches, *findings.contexts)
    else:
        return [Mark(*span, _NEAR) for part in parts for span in part.spans]
    marks = [Mark(hit.start, hit.end) for match in matches for hit in match.hits]
    if not marks:
        marks = [Mark(*span, _NEAR) for part in parts for span in part.spans]
    return marks


def _match_line(match: RuleMatch, text: str, hidden: bool) -> str:
    words = [
        _place(text, (hit.start, hit.end), hidden)
        + (f"/{hit.view}" if hit.bold else "")
        + (" (cue)" if hit.cue else "")
        for hit in match.hits
    ]
    stance = f" [{match.rule.stance}]" if match.rule.is_context else ""
    return f"{_INDENT}{match.rule.id}{stance}: {_some(words)}"


def _part_line(part: Part, failure: Failure, hidden: bool, room: int) -> str:
    words = [_place(failure.text, span, hidden) for span in part.spans]
    written = NOT_SHOWN if hidden else clipped(part.written, max(room - 34, _LEAST_COLUMNS))
    verdict = "holds" if part.holds else "fails"
    note = "" if hidden and "'" in part.note else part.note
    tail = "; ".join(filter(None, (_some(words), note)))
    where = f"line {part.line}"
    indent = "  " * part.depth
    line = f"{_INDENT}{verdict}  {where:<10} {indent}{written}"
    return f"{line}  ← {tail}" if tail else line


def _some(words: Sequence[str]) -> str:
    known = list(dict.fromkeys(words))
    more = ", …" if len(known) > _MOST_WORDS else ""
    return ", ".join(known[:_MOST_WORDS]) + more


def _place(text: str, span: tuple[int, int], hidden: bool) -> str:
    start, end = span
    shown = NOT_SHOWN if hidden else f"“{clipped(text[start:end], _WORD_COLUMNS)}”"
    return f"{shown}@{start}-{end}"


def _is_caret_line(line: str) -> bool:
    return bool(line.strip()) and set(line) <= {" ", "^", _NEAR}


def _plain(_: str, text: str) -> str:
    return text


def _paint(colour: str, text: str) -> str:
    return f"{colour}{text}{_RESET}"
