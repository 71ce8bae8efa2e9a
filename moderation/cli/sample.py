"""moderate sample: posts that are worth labelling."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003  (typer reads it)
from typing import Annotated

import typer

from moderation.cli.exits import EXIT_USAGE
from moderation.cli.posts_reading import Fields, IdField, InputFormat, Rejections

__all__ = ["sample"]


def sample(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[POSTS]...", help="What `scan` reads.", show_default=False),
    ] = None,
    count: Annotated[int, typer.Option("-n", min=1, help="Posts to pick.")] = 300,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="JSONL file; default: standard output."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Another seed picks other diverse and random posts.")
    ] = 0,
    model: Annotated[
        Path | None, typer.Option("--model", help="Model folder; default: the shipped model.")
    ] = None,
    tier: Annotated[
        str | None, typer.Option("--tier", help="Tier of the model; default: as of `scan`.")
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", help="Rules folder; default: the shipped rules.")
    ] = None,
    text_field: Fields = None,
    id_field: IdField = "id",
    input_format: InputFormat = None,
) -> int:
    """Pick posts to label: half uncertain, a third diverse, the rest random; no near-duplicates.

    Rows have empty labels for a person to fill in: 1 violates, 0 does not, null is not judged.
    """
    if not paths and sys.stdin is not None and sys.stdin.isatty():
        typer.echo(context.get_help(), err=True)
        return EXIT_USAGE
    from moderation.adaptation.pool import pooling_model
    from moderation.adaptation.sample import sample as pick
    from moderation.evaluation.posts import post_batches
    from moderation.resources import data_root
    from moderation.rules import load_ruleset
    from moderation.scan import ScanOptions, TextFields, resolve_sources
    from moderation.scan.json_line import json_line
    from moderation.scan.output import check_output

    options = ScanOptions(TextFields(tuple(text_field or ("text",))), id_field, input_format)
    sources = resolve_sources(paths or ["-"], input_format)
    target = None if output is None or str(output) == "-" else output
    check_output(target, sources, "--output")
    rejections = Rejections()
    base = model if model is not None else data_root() / "models" / "default"
    ruleset = load_ruleset(rules if rules is not None else data_root() / "rules")
    with pooling_model(base, tier) as loaded:
        picked = pick(loaded, ruleset, post_batches(sources, options, rejections.add), count, seed)
    lines = b"".join(json_line(each.to_dict()) for each in picked)
    if target is None:
        sys.stdout.buffer.write(lines)
    else:
        target.write_bytes(lines)
    kinds = [each.picked_by for each in picked]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("uncertain", "diverse", "random"))
    typer.echo(f"moderate: picked {len(picked)} posts: {counts}", err=True)
    return rejections.exit_code()
