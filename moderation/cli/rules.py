"""moderate rules: check, list and test rule files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moderation.cli.exits import EXIT_USAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moderation.types import Diagnostic

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Check, list and test rules.", rich_markup_mode=None)

Folder = Annotated[
    Path | None,
    typer.Argument(help="Rules folder; default: the shipped rules.", show_default=False),
]
Policy = Annotated[
    str | None, typer.Option("--policy", help="Only this pack: porn, drugs, gambling or context.")
]


@app.command()
def check(
    folder: Folder = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Also lint: missing tests, slow patterns, bad terms.")
    ] = False,
) -> int:
    """Compile the rules; print every problem with its file, line, column and code."""
    from moderation.errors import RuleError
    from moderation.rules import compile_rules

    diagnostics: Sequence[Diagnostic] = ()
    try:
        if strict:
            from moderation.rules.lint import lint_rules

            compiled, diagnostics = lint_rules(_folder(folder))
        else:
            compiled = compile_rules(_folder(folder))
    except RuleError as error:
        diagnostics = error.diagnostics
    if diagnostics:
        for diagnostic in diagnostics:
            typer.echo(str(diagnostic))
        warnings = sum(d.severity == "warning" for d in diagnostics)
        errors = len(diagnostics) - warnings
        typer.echo(f"{len(diagnostics)} problems: {errors} errors, {warnings} warnings", err=True)
        return EXIT_USAGE
    contexts = sum(rule.is_context for rule in compiled.rules)
    typer.echo(
        f"{len(compiled.rules) - contexts} rules, {contexts} context rules, "
        f"{compiled.terms} terms: no problems"
    )
    return 0


@app.command("list")
def list_rules(folder: Folder = None, policy: Policy = None) -> int:
    """List the rules, one a line: id, level, stance, sub-label, severity, title."""
    from moderation.rules import compile_rules

    _check_policy(policy)
    for rule in compile_rules(_folder(folder)).rules:
        if policy is None or rule.id.startswith(f"{policy}."):
            columns = (rule.level, rule.stance, rule.sub_label, rule.severity)
            typer.echo("\t".join((rule.id, *(given or "-" for given in columns), rule.title)))
    return 0


@app.command("test")
def run_tests(folder: Folder = None, policy: Policy = None) -> int:
    """Run the tests that the rules carry."""
    from moderation.rules import Ruleset, compile_rules
    from moderation.rules.selftest import run_rule_tests

    _check_policy(policy)
    report = run_rule_tests(Ruleset(compile_rules(_folder(folder))), policy)
    for failure in report.failures:
        typer.echo(str(failure))
    typer.echo(f"{report.passed} passed, {len(report.failures)} failed")
    return EXIT_USAGE if report.failures else 0


def _folder(folder: Path | None) -> Path:
    from moderation.resources import data_root

    return data_root() / "rules" if folder is None else folder


def _check_policy(policy: str | None) -> None:
    from moderation.errors import ConfigError
    from moderation.types import POLICIES

    packs = (*POLICIES, "context")
    if policy is not None and policy not in packs:
        raise ConfigError(f"unknown policy {policy!r}; known: {', '.join(packs)}")
