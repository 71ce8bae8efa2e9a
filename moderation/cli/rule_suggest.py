"""moderate rules suggest: terms that the rules do not look for yet, for a person to judge."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  (typer reads it)
from typing import TYPE_CHECKING, Annotated

import typer

from moderation.cli.posts_reading import Fields, IdField, InputFormat, Rejections
from moderation.cli.rule_coverage import Form
from moderation.cli.rule_options import Level, Rules, check_choice, rules_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from moderation.evaluation.labelled import LabelledPosts
    from moderation.evaluation.suggest import Suggestions

__all__ = ["suggest"]

_TERM_COLUMNS = 28


def suggest(
    paths: Annotated[
        list[Path], typer.Argument(metavar="LABELLED", help="Labelled JSONL files, .gz or not.")
    ],
    policy: Annotated[
        str | None, typer.Option("--policy", help="Only porn, drugs or gambling.")
    ] = None,
    most: Annotated[int, typer.Option("-n", min=1, help="Terms of a policy.")] = 50,
    ordinary: Annotated[
        list[str] | None,
        typer.Option(help="Ordinary posts, anything that scan reads; repeat it for several."),
    ] = None,
    support: Annotated[
        int, typer.Option(min=2, help="Missed posts that must hold a term, near-duplicates as one.")
    ] = 3,
    level: Level = "medium",
    rules: Rules = None,
    text_field: Fields = None,
    id_field: IdField = "id",
    input_format: InputFormat = None,
    with_text: Annotated[
        bool, typer.Option("--with-text", help="Print three masked contexts of each term.")
    ] = False,
    form: Annotated[Form, typer.Option("--format", help="Format of the output.")] = Form.TABLE,
) -> int:
    """Propose terms that set the violations no rule catches apart from innocent posts.

    They are for a person to judge: many will be what one seller or one source says. --text-field,
    --id-field and --input-format say how --ordinary is read.
    """
    from moderation.errors import ConfigError
    from moderation.evaluation.labelled import labelled_batches
    from moderation.evaluation.posts import post_batches
    from moderation.evaluation.suggest import suggest as suggest_terms
    from moderation.rules import LEVELS, compile_rules
    from moderation.scan import ScanOptions, TextFields, resolve_sources
    from moderation.scan.json_line import json_line
    from moderation.types import POLICIES

    check_choice("policy", policy, POLICIES)
    check_choice("level", level, LEVELS)
    for path in paths:
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path}: expected a file, which is read twice")
    options = ScanOptions(TextFields(tuple(text_field or ("text",))), id_field, input_format)
    sources = resolve_sources(ordinary, input_format) if ordinary else []
    rejections = Rejections()

    def labelled() -> Iterator[LabelledPosts]:
        for path in paths:
            yield from labelled_batches(path)

    found = suggest_terms(
        compile_rules(rules_folder(rules)),
        labelled,
        (texts for _, texts in post_batches(sources, options, rejections.add)),
        policies=POLICIES if policy is None else (policy,),
        most=most,
        support=support,
        level=level,
    )
    if form is Form.JSON:
        objects = [each.to_dict(with_text=with_text) for each in found]
        typer.echo(json_line({"level": level, "policies": objects}).decode(), nl=False)
    else:
        for number, each in enumerate(found):
            for line in _lines(each, with_text=with_text):
                typer.echo(line)
            if number < len(found) - 1:
                typer.echo()
    return rejections.exit_code()


def _lines(found: Suggestions, *, with_text: bool) -> Iterable[str]:
    from moderation.scan.table import clipped, display_width, visible

    yield (
        f"{found.policy}: {found.missed:,} missed violations, {found.distinct:,} with "
        f"near-duplicates as one; {found.negatives:,} innocent, {found.ordinary:,} ordinary posts"
    )
    if found.terms:
        head = f"{'support':>8} {'innocent':>9} {'ordinary':>9} {'score':>7}"
        yield f"{'term':<{_TERM_COLUMNS}} {head}"
    for term in found.terms:
        shown = clipped(term.term, _TERM_COLUMNS)
        padding = " " * (_TERM_COLUMNS - display_width(shown))
        yield (
            f"{shown}{padding} {term.support:>8,} {term.negatives:>9,} {term.ordinary:>9,} "
            f"{term.score:>7.2f}"
        )
        if with_text:
            yield from (f"    {visible(context)}" for context in term.contexts)
