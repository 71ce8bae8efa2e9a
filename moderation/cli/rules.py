"""moderate rules: check and list rule files; the other commands have modules of their own."""

from __future__ import annotations

from typing import Annotated

import typer

from moderation.cli import rule_coverage, rule_new, rule_profile, rule_suggest, rule_tests
from moderation.cli.exits import EXIT_USAGE
from moderation.cli.rule_options import Folder, check_pack, rules_folder

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
        typer.Option(
            "--strict", help="Also refuse rules without hit, pass, evasion tests, and any TODO."
        ),
    ] = False,
) -> int:
    """Compile the rules; print every problem with its file, line and code."""
    from moderation.errors import RuleError
    from moderation.rules import compile_rules
    from moderation.rules.placeholders import placeholders

    path = rules_folder(folder)
    compiled = None
    problems = placeholders(path) if strict else []
    try:
        compiled = compile_rules(path, strict=strict)
    except RuleError as error:
        problems += error.diagnostics
    for diagnostic in sorted(problems, key=lambda d: (d.path, d.line, d.code)):
        typer.echo(str(diagnostic))
    if compiled is None or problems:
        typer.echo(f"{len(problems)} problems", err=True)
        return EXIT_USAGE
    contexts = sum(rule.is_context for rule in compiled.rules)
    typer.echo(
        f"{len(compiled.rules) - contexts} rules, {contexts} context rules, "
        f"{compiled.terms} terms: no problems"
    )
    return 0


@app.command("list")
def list_rules(folder: Folder = None, policy: Policy = None) -> int:
    """List the rules, one a line: id, level, stance, sub-label, title."""
    from moderation.rules import compile_rules

    check_pack(policy)
    for rule in compile_rules(rules_folder(folder)).rules:
        if policy is None or rule.id.startswith(f"{policy}."):
            columns = (rule.id, rule.level or "-", rule.stance, rule.sub_label or "-", rule.title)
            typer.echo("\t".join(columns))
    return 0


app.command("new")(rule_new.new)
app.command("test")(rule_tests.run_tests)
app.command("profile")(rule_profile.profile)
app.command("coverage")(rule_coverage.coverage)
app.command("suggest")(rule_suggest.suggest)
