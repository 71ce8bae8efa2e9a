"""moderate rules coverage: what each rule catches of labelled posts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003  (typer reads it)
from typing import TYPE_CHECKING, Annotated

import typer

from moderation.cli.rule_options import Level, Rules, check_choice, rules_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moderation.evaluation.coverage import Example, PolicyCoverage, RuleCoverage

__all__ = ["Form", "coverage"]

_ID_COLUMNS = 36


class Form(StrEnum):
    """How the outcome is written."""

    TABLE = "table"
    JSON = "json"


def coverage(
    paths: Annotated[
        list[Path], typer.Argument(metavar="LABELLED", help="Labelled JSONL files, .gz or not.")
    ],
    policy: Annotated[
        str | None, typer.Option("--policy", help="Only porn, drugs or gambling.")
    ] = None,
    level: Level = "medium",
    rules: Rules = None,
    misses: Annotated[
        int, typer.Option(min=0, help="Name this many missed violations, of each policy.")
    ] = 0,
    false: Annotated[
        int, typer.Option(min=0, help="Name this many innocent posts that were hit.")
    ] = 0,
    with_text: Annotated[
        bool, typer.Option("--with-text", help="Print these posts' text as well.")
    ] = False,
    form: Annotated[Form, typer.Option("--format", help="Format of the output.")] = Form.TABLE,
) -> int:
    """Say for each rule what it catches, alone and before all others, and what by mistake.

    Rules alone, no classifier. A post counts as caught when a rule fires on it at the level or
    above and no innocent stance excuses it. The files are those that `moderate eval` reads.
    """
    from moderation.evaluation.coverage import Coverage
    from moderation.evaluation.labelled import labelled_batches
    from moderation.rules import LEVELS, load_ruleset
    from moderation.scan.json_line import json_line
    from moderation.types import POLICIES

    check_choice("policy", policy, POLICIES)
    check_choice("level", level, LEVELS)
    counted = Coverage(load_ruleset(rules_folder(rules)), level, misses=misses, false=false)
    for path in paths:
        for posts in labelled_batches(path):
            counted.read(posts)
    found = [each for each in counted.policies() if policy in {None, each.policy}]
    if form is Form.JSON:
        objects = [each.to_dict(with_text=with_text) for each in found]
        typer.echo(json_line({"level": level, "policies": objects}).decode(), nl=False)
        return 0
    for number, each in enumerate(found):
        if number:
            typer.echo()
        for line in _lines(each, with_text=with_text):
            typer.echo(line)
    return 0


def _lines(found: PolicyCoverage, *, with_text: bool) -> Iterable[str]:
    yield (
        f"{found.policy}: {found.violations:,} violations, {found.caught:,} caught, "
        f"{found.missed:,} missed (recall {_share(found.recall)}); "
        f"{found.innocent:,} innocent, {found.false_hits:,} hit "
        f"(precision {_share(found.precision)})"
    )
    yield (
        f"excused by an innocent stance: {found.excused_violations:,} violations, "
        f"{found.excused_innocent:,} innocent"
    )
    fired = [r for r in found.rules if r.true_positives or r.false_positives]
    if fired:
        yield (
            f"{'#':>4}  {'rule':<{_ID_COLUMNS}} {'true':>7} {'false':>7} {'precision':>9} "
            f"{'alone':>7} {'gained':>7} {'recall':>7}"
        )
    yield from map(_line, fired)
    silent = len(found.rules) - len(fired)
    if silent:
        yield f"      {silent:,} rules fired on none of these posts"
    yield from _examples("missed", found.misses, with_text)
    yield from _examples("hit by mistake", found.false, with_text)


def _line(rule: RuleCoverage) -> str:
    return (
        f"{rule.order or '-':>4}  {rule.rule_id:<{_ID_COLUMNS}} {rule.true_positives:>7,} "
        f"{rule.false_positives:>7,} {_share(rule.precision):>9} {rule.alone:>7,} "
        f"{rule.gained:>7,} {_share(rule.recall):>7}"
    )


def _examples(title: str, examples: Iterable[Example], with_text: bool) -> Iterable[str]:
    from moderation.scan.table import visible

    for example in examples:
        rules = ", ".join(example.rule_ids)
        notes = f" ({'excused: ' if example.excused else ''}{rules})" if rules else ""
        yield f"{title}: {visible(example.post)}{notes}"
        if with_text:
            yield f"    {visible(example.text)}"


def _share(value: float) -> str:
    return f"{value:.1%}" if value == value else "-"
