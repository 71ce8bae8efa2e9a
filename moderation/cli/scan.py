"""moderate scan: posts from files, folders and pipes to verdicts."""

from __future__ import annotations

import sys
from datetime import datetime  # noqa: TC003  (typer reads it)
from enum import StrEnum, auto
from pathlib import Path  # noqa: TC003  (typer reads it)
from typing import Annotated

import typer

from moderation.cli.exits import EXIT_REJECTED, EXIT_USAGE, EXIT_VIOLATIONS

__all__ = ["scan"]


class _Format(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"
    TABLE = "table"


class _Compression(StrEnum):
    GZIP = auto()
    ZSTD = auto()


class _InputFormat(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"


class _Device(StrEnum):
    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class _FailOn(StrEnum):
    REVIEW = auto()
    BLOCK = auto()


class _LogFormat(StrEnum):
    TEXT = auto()
    JSON = auto()


def scan(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, folders, patterns, or - for standard input. Known: .jsonl, .ndjson, .csv "
            "(also .gz, .zst), .parquet, .arrow.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="Output file, or folder (its name ends in /, or it exists) of one part file for "
            "each input; default: standard output.",
        ),
    ] = None,
    form: Annotated[
        _Format | None,
        typer.Option(
            "--format",
            help="Default: by the output's name, jsonl in a folder; else table on a terminal, "
            "jsonl.",
        ),
    ] = None,
    compression: Annotated[
        _Compression | None,
        typer.Option(
            help="Of the part files in a folder, jsonl or csv; a single file's name says it.",
            show_default=False,
        ),
    ] = None,
    input_format: Annotated[
        _InputFormat | None,
        typer.Option(help="Of standard input (default: jsonl) and of unknown extensions."),
    ] = None,
    text_field: Annotated[
        list[str] | None,
        typer.Option(help="Field with the text; repeat it to join several. Default: text."),
    ] = None,
    id_field: Annotated[str, typer.Option(help="Field with the post's id.")] = "id",
    hash_ids: Annotated[
        Path | None,
        typer.Option(
            metavar="KEYFILE",
            help="Write ids as their HMAC-SHA-256 under the key in this file.",
            show_default=False,
        ),
    ] = None,
    region: Annotated[str, typer.Option(help="Region of rules/policy.yaml.")] = "cn",
    batch_size: Annotated[int, typer.Option(min=1, help="Posts scored at once, at most.")] = 4096,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            help="Processes; they share JSONL, Parquet and Arrow files. Needs --output.",
        ),
    ] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the model, in a process.")] = 1,
    device: Annotated[_Device, typer.Option(help="Where the model runs.")] = _Device.AUTO,
    tier: Annotated[
        str | None,
        typer.Option(
            help="Tier of the model: fast, deep or cascade; default: what its manifest names.",
            show_default=False,
        ),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option(help="Rules folder; default: the shipped rules.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Model folder; default: the shipped model.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Day whose rules count; default: today (UTC), with --resume that of the start.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a scan that was stopped, if there is one.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an output that is there already.")
    ] = False,
    checkpoint_batches: Annotated[
        int, typer.Option(min=1, help="Batches after which the state is saved.")
    ] = 8,
    fail_on: Annotated[
        _FailOn | None,
        typer.Option(help="Exit with 1 when a post gets this action or a stronger one."),
    ] = None,
    with_text: Annotated[
        bool, typer.Option("--with-text", help="Add the posts' text to the verdicts.")
    ] = False,
    max_errors: Annotated[
        int | None,
        typer.Option(min=0, help="Stop when more records are rejected.", show_default=False),
    ] = None,
    max_line_bytes: Annotated[
        int, typer.Option(min=1, help="Longest JSON line or CSV record.")
    ] = 16 << 20,
    max_post_chars: Annotated[int, typer.Option(min=1, help="Longest post, in code points.")] = 16
    << 20,
    max_depth: Annotated[
        int, typer.Option(min=1, help="Most brackets within one another in a JSON line.")
    ] = 100,
    max_ratio: Annotated[
        int, typer.Option(min=1, help="Most content a compressed byte may hold.")
    ] = 1000,
    errors: Annotated[
        Path | None,
        typer.Option(help="Rejected records; default: errors.jsonl beside the output."),
    ] = None,
    log_format: Annotated[
        _LogFormat, typer.Option(help="Messages as text, or as one JSON object a line.")
    ] = _LogFormat.TEXT,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no summary.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also say what runs and each rejection.")
    ] = False,
) -> int:
    """Score posts; write one verdict a post, in order.

    Exit: 0 done, even if violations were found; 1 with --fail-on, when it applies; 2 usage or
    configuration; 3 done, but records or inputs were rejected (see errors.jsonl); 130 or 143
    interrupted.
    """
    if not paths and sys.stdin is not None and sys.stdin.isatty():
        typer.echo(context.get_help(), err=True)
        return EXIT_USAGE
    from moderation.cli.progress import Progress
    from moderation.cli.scan_run import Engine, Request, run
    from moderation.errors import ModerationError
    from moderation.scan import ScanOptions, TextFields, read_key

    given = paths or ["-"]
    target = None if output is None or output == "-" else output
    # A table that scrolls by is progress enough, and would be torn by the updating line.
    hidden = quiet or (target is None and sys.stdout.isatty())
    progress = Progress(sys.stderr, quiet=hidden, as_json=log_format == _LogFormat.JSON)
    try:
        request = Request(
            paths=given,
            target=target,
            form=None if form is None else form.value,
            compression=None if compression is None else compression.value,
            options=ScanOptions(
                fields=TextFields(tuple(text_field or ("text",))),
                id_field=id_field,
                input_format=None if input_format is None else input_format.value,
                batch_size=batch_size,
                max_line_bytes=max_line_bytes,
                max_post_chars=max_post_chars,
                max_depth=max_depth,
                max_ratio=max_ratio,
                id_key=None if hash_ids is None else read_key(hash_ids),
            ),
            engine=Engine(
                region=region,
                tier=tier,
                device=_device(context, device, quiet=quiet),
                threads=threads,
                rules=rules,
                model=model,
                as_of=as_of.date() if as_of is not None else None,
            ),
            errors=errors,
            with_text=with_text,
            jobs=jobs,
            resume=resume,
            force=force,
            checkpoint_batches=checkpoint_batches,
            max_errors=max_errors,
            verbose=verbose,
        )
        done = run(request, progress)
    except ModerationError as error:
        if log_format != _LogFormat.JSON:
            raise
        progress.say(str(error), "error")
        return EXIT_USAGE
    if isinstance(done, int):
        return done
    if not quiet:
        progress.finish(done)
    if fail_on is not None and done.reaches(fail_on):
        return EXIT_VIOLATIONS
    return EXIT_REJECTED if done.rejected or done.failed_inputs else 0


def _device(context: typer.Context, asked: _Device, *, quiet: bool) -> str:
    """Return the device to ask for: auto that nobody spelled out falls back without a word."""
    if asked is not _Device.AUTO:
        return asked.value
    from moderation.classifier import cuda_problem, has_cuda

    source = context.get_parameter_source("device")
    said = source is not None and source.name == "COMMANDLINE"
    if not has_cuda():
        return "auto" if said and not quiet else "cpu"
    return "cpu" if quiet and cuda_problem() else "auto"
