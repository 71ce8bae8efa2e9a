"""moderate rules: check and list rule files; the other commands have modules of their own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from moderation.cli import rule_coverage, rule_new, rule_profile, rule_suggest, rule_tests
from moderation.cli.exits import EXIT_USAGE
from moderation.cli.rule_options import Folder, check_pack, rules_folder

if TYPE_CHECKING:
    from moderation.types import Diagnostic

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True, help="Write, check, test and measure rules.", rich_markup_mode=None
)

Policy = Annotated[
    str | None, typer.Option("--policy", help="Only this pack: porn, drugs, gambling or context.")
]


@app.command()
def check(
    folder: Folder = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Also lint: missing tests, slow patterns, bad terms, TODO."),
    ] = False,
    warnings: Annotated[
        bool, typer.Option("--warnings", help="With --strict: print every warning.")
    ] = False,
) -> int:
    """Compile the rules; print every problem with its file, line, column and code."""
    from moderation.errors import RuleError
    from moderation.rules import compile_rules
    from moderation.rules.placeholders import placeholders

    path = rules_folder(folder)
    diagnostics: list[Diagnostic] = []
    compiled = None
    try:
        if strict:
            from moderation.rules.lint import lint_rules

            diagnostics = placeholders(path)
            compiled, found = lint_rules(path)
            diagnostics += found
        else:
            compiled = compile_rules(path)
    except RuleError as error:
        diagnostics += error.diagnostics
    mild = [d for d in diagnostics if d.severity == "warning"]
    for diagnostic in sorted(diagnostics, key=lambda d: (d.path, d.line, d.column, d.code)):
        if warnings or diagnostic.severity != "warning":
            typer.echo(str(diagnostic))
    if mild:
        counts = Counter(d.code for d in mild)
        shown = ", ".join(f"{code} {count}" for code, count in sorted(counts.items()))
        hint = "" if warnings else "; --warnings prints them"
        typer.echo(f"{len(mild)} warnings ({shown}){hint}", err=True)
    if compiled is None or len(mild) < len(diagnostics):
        typer.echo(f"{len(diagnostics) - len(mild)} errors", err=True)
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

    check_pack(policy)
    for rule in compile_rules(rules_folder(folder)).rules:
        if policy is None or rule.id.startswith(f"{policy}."):
            columns = (rule.level, rule.stance, rule.sub_label, rule.severity)
            typer.echo("\t".join((rule.id, *(given or "-" for given in columns), rule.title)))
    return 0


app.command("new")(rule_new.new)
app.command("test")(rule_tests.run_tests)
app.command("profile")(rule_profile.profile)
app.command("coverage")(rule_coverage.coverage)
app.command("suggest")(rule_suggest.suggest)
