"""moderate rules test: run the tests that rules carry; show what went wrong as a difference."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Final

import typer

from moderation.cli.exits import EXIT_USAGE
from moderation.cli.rule_options import Folder, check_pack, rules_folder

__all__ = ["run_tests"]

_PLAIN_COLUMNS: Final = 100
_MOST_NEAR_MISSES: Final = 40


def run_tests(
    folder: Folder = None,
    policy: Annotated[
        str | None,
        typer.Option("--policy", help="Only this pack: porn, drugs, gambling or context."),
    ] = None,
    rule: Annotated[str | None, typer.Option("--rule", help="Only the rule of this id.")] = None,
) -> int:
    """Run the tests that the rules carry, rules alone; show each failure as a difference.

    ^ underlines what fired, ~ what a rule that did not fire has found all the same. What each
    condition of such a rule says of the post stands below, with its line in the rule's file.
    """
    import shutil

    from moderation.cli.rule_failures import failure_lines
    from moderation.evaluation.near_miss import near_misses
    from moderation.rules import Ruleset, compile_rules
    from moderation.rules.selftest import run_rule_tests

    check_pack(policy)
    path = rules_folder(folder)
    ruleset = Ruleset(compile_rules(path))
    if rule is not None:
        _check_rule(rule, [known.id for known in ruleset.rules])
    report = run_rule_tests(ruleset, policy, rule)
    silent = [f for f in report.failures if f.kind != "pass" and not f.fired]
    told = silent[:_MOST_NEAR_MISSES]
    near = dict(
        zip(
            map(id, told),
            near_misses(path, [(f.rule, f.text) for f in told if f.rule is not None]),
            strict=True,
        )
    )
    terminal = sys.stdout.isatty()
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    columns = shutil.get_terminal_size().columns if terminal else _PLAIN_COLUMNS
    for failure in report.failures:
        for line in failure_lines(failure, near.get(id(failure), ()), columns, colour=colour):
            typer.echo(line, color=colour)
        typer.echo()
    typer.echo(f"{report.passed} passed, {len(report.failures)} failed")
    return EXIT_USAGE if report.failures else 0


def _check_rule(rule: str, known: list[str]) -> None:
    import difflib

    from moderation.errors import ConfigError

    if rule not in known:
        close = difflib.get_close_matches(rule, known, 3)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        raise ConfigError(f"no rule {rule!r} in the folder{hint}")
