"""moderate scan: posts from files, folders and pipes to verdicts."""

from __future__ import annotations

import os
import sys
from datetime import datetime  # noqa: TC003  (typer reads it)
from enum import StrEnum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from moderation.cli.exits import (
    EXIT_INTERRUPTED,
    EXIT_REJECTED,
    EXIT_USAGE,
    EXIT_VIOLATIONS,
)

if TYPE_CHECKING:
    from moderation.cli.progress import Progress
    from moderation.engine import Moderator
    from moderation.scan import ErrorLog, Rejection, ScanOptions, ScanSummary, SinkSpec, Source

__all__ = ["scan"]

_ERRORS_NAME: Final = "errors.jsonl"
_PLAIN_WIDTH: Final = 100


class _Format(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"
    TABLE = "table"


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


def scan(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, folders, or - for standard input. Known: .jsonl, .ndjson, .csv (also "
            ".gz, .zst), .parquet, .arrow.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Output file; default: standard output."),
    ] = None,
    form: Annotated[
        _Format | None,
        typer.Option(
            "--format", help="Default: by the output's name; else table on a terminal, jsonl."
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
    region: Annotated[str, typer.Option(help="Region of rules/policy.yaml.")] = "cn",
    batch_size: Annotated[int, typer.Option(min=1, help="Posts scored at once, at most.")] = 4096,
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
            help="Day whose rules count; default: today (UTC).",
            show_default=False,
        ),
    ] = None,
    fail_on: Annotated[
        _FailOn | None,
        typer.Option(help="Exit with 1 when a post gets this action or a stronger one."),
    ] = None,
    with_text: Annotated[
        bool, typer.Option("--with-text", help="Add the posts' text to the verdicts.")
    ] = False,
    max_line_bytes: Annotated[
        int, typer.Option(min=1, help="Longest JSON line or CSV record.")
    ] = 16 << 20,
    errors: Annotated[
        Path | None,
        typer.Option(help="Rejected records; default: errors.jsonl beside the output."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no summary.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also say what runs and each rejection.")
    ] = False,
) -> int:
    """Score posts; write one verdict a post, in order.

    Exit: 0 done, even if violations were found; 1 with --fail-on, when it applies; 2 usage or
    configuration; 3 done, but records or inputs were rejected (see errors.jsonl); 130 interrupted.
    """
    if not paths and sys.stdin is not None and sys.stdin.isatty():
        typer.echo(context.get_help(), err=True)
        return EXIT_USAGE
    from moderation.cli.progress import Progress
    from moderation.engine import Moderator
    from moderation.scan import ErrorLog, ScanOptions, TextFields, resolve_sources

    options = ScanOptions(
        fields=TextFields(tuple(text_field or ("text",))),
        id_field=id_field,
        input_format=input_format,
        batch_size=batch_size,
        max_line_bytes=max_line_bytes,
    )
    target = None if output is None or str(output) == "-" else output
    sources = resolve_sources(paths or ["-"], input_format)
    spec = _spec(target, form, options, with_text=with_text)
    errors = errors or _errors_path(target)
    _check_target(target, errors, sources)
    log = ErrorLog(errors, sources)
    # A table that scrolls by is progress enough, and would be torn by the updating line.
    progress = Progress(sys.stderr, quiet=quiet or (target is None and sys.stdout.isatty()))
    try:
        moderator = Moderator(
            region=region,
            tier=tier,
            device=_device(context, device, quiet=quiet),
            rules=rules,
            model=model,
            as_of=as_of.date() if as_of is not None else None,
        )
        if verbose:
            progress.say(_setting(moderator, sources))
        summary = _run(moderator, sources, spec, options, log, progress, verbose=verbose)
    except KeyboardInterrupt:  # typer would end here without a word
        progress.say("interrupted; no output was written" if target else "interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # typer would make it a 1
        progress.clear()
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    _close(summary, log, progress, quiet=quiet)
    if fail_on is not None and summary.reaches(fail_on):
        return EXIT_VIOLATIONS
    return EXIT_REJECTED if summary.rejected or summary.failed_inputs else 0


def _run(
    moderator: Moderator,
    sources: list[Source],
    spec: SinkSpec,
    options: ScanOptions,
    log: ErrorLog,
    progress: Progress,
    *,
    verbose: bool,
) -> ScanSummary:
    from moderation.scan import open_sink, scan_sources
    from moderation.scan.rows import UNREADABLE_INPUT

    def reject(rejection: Rejection) -> None:
        log.add(rejection)
        if verbose or rejection.reason == UNREADABLE_INPUT:
            at = f":{rejection.line}" if rejection.line is not None else ""
            progress.say(f"{rejection.source}{at}: {rejection.reason}: {rejection.detail}")

    with log, open_sink(spec) as sink:
        return scan_sources(
            moderator, sources, sink, options, reject=reject, progress=progress.update
        )


def _spec(
    target: Path | None, form: str | None, options: ScanOptions, *, with_text: bool
) -> SinkSpec:
    import shutil
    from dataclasses import replace

    from moderation.scan import sink_spec

    terminal = target is None and sys.stdout.isatty()
    spec = sink_spec(target, form, "table" if terminal else "jsonl")
    return replace(
        spec,
        fields=options.fields,
        with_text=with_text,
        colour=terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
        width=shutil.get_terminal_size().columns if terminal else _PLAIN_WIDTH,
    )


def _errors_path(target: Path | None) -> Path:
    beside_file = target is not None and (target.is_file() or not target.exists())
    return target.with_name(_ERRORS_NAME) if target and beside_file else Path(_ERRORS_NAME)


def _check_target(target: Path | None, errors: Path, sources: list[Source]) -> None:
    from moderation.errors import ConfigError
    from moderation.scan.output import check_output

    check_output(target, sources, "--output")
    if target is None:
        return
    if target.resolve() == errors.resolve() and not target.is_char_device():
        raise ConfigError(f"{target}: named both for the verdicts and for the errors")


def _device(context: typer.Context, asked: _Device, *, quiet: bool) -> str:
    """Return the device to ask for: auto that nobody spelled out falls back without a word."""
    from moderation.classifier import cuda_problem, has_cuda

    source = context.get_parameter_source("device")
    said = source is not None and source.name == "COMMANDLINE"
    silent = quiet or not (said or has_cuda())
    return "cpu" if asked is _Device.AUTO and silent and cuda_problem() else asked.value


def _setting(moderator: Moderator, sources: list[Source]) -> str:
    return (
        f"{len(sources)} input{'s' * (len(sources) != 1)}; region {moderator.region}, "
        f"tier {moderator.tier} on {moderator.device}, model {moderator.model_ref}, "
        f"rules {moderator.policy_ref.bundle}"
    )


def _close(summary: ScanSummary, log: ErrorLog, progress: Progress, *, quiet: bool) -> None:
    from moderation.cli.progress import rejected_line, summary_line

    progress.clear()
    for name in summary.absent_fields:
        progress.say(f"no record has the text field {name!r}")
    rejected = rejected_line(summary, log.path)
    if rejected is not None:
        progress.say(rejected)
    if not quiet:
        progress.say(summary_line(summary))
