"""moderate redact: posts with the evidence against them masked."""

from __future__ import annotations

import sys
from enum import StrEnum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from moderation.cli.exits import EXIT_REJECTED, EXIT_USAGE
from moderation.cli.judged_posts import (
    HashIds,
    Join,
    JoinOption,
    MaxDepth,
    MaxLineBytes,
    MaxPostChars,
    MaxRatio,
    PostId,
    reading_options,
)
from moderation.cli.posts_reading import (
    Fields,  # noqa: TC001  (typer reads these)
    InputFormat,  # noqa: TC001
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from moderation.scan import Rejection, ScanOptions, Source
    from moderation.scan.redact import RedactOptions, RedactSummary

__all__ = ["redact"]

_ERRORS_NAME: Final = "errors.jsonl"


class _Action(StrEnum):
    PASS = "pass"  # noqa: S105  (an action)
    REVIEW = auto()
    BLOCK = auto()


def redact(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[POSTS]...",
            help="Posts, as scan reads them; without --verdicts: verdicts with their text.",
            show_default=False,
        ),
    ] = None,
    verdicts: Annotated[
        list[str] | None,
        typer.Option(
            "--verdicts",
            help="Verdicts on the posts: JSON lines, Parquet or Arrow; repeat it for several.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The copy, in the posts' format; default: standard output."
        ),
    ] = None,
    at_least: Annotated[
        _Action,
        typer.Option(help="Mask evidence of labels with this action or a stronger one."),
    ] = _Action.PASS,
    mask: Annotated[str, typer.Option(help="The character to mask with.")] = "█",
    join: JoinOption = Join.ORDER,
    text_field: Fields = None,
    id_field: PostId = None,
    hash_ids: HashIds = None,
    input_format: InputFormat = None,
    max_line_bytes: MaxLineBytes = None,
    max_post_chars: MaxPostChars = None,
    max_depth: MaxDepth = None,
    max_ratio: MaxRatio = None,
    errors: Annotated[
        Path | None,
        typer.Option(help="Rejected records; default: errors.jsonl beside the output."),
    ] = None,
) -> int:
    """Copy posts with the evidence against them masked, character by character.

    Exit: 0 done; 2 usage, or posts and verdicts that do not belong together: then nothing is
    written; 3 done, but records that have no verdict were left out (see errors.jsonl).
    """
    if not paths and sys.stdin is not None and sys.stdin.isatty():
        typer.echo(context.get_help(), err=True)
        return EXIT_USAGE
    from moderation.scan import ErrorLog, resolve_sources
    from moderation.scan.output import check_output
    from moderation.scan.redact import RedactOptions
    from moderation.scan.verdict_rows import verdict_sources

    options = RedactOptions(at_least, mask)
    judged = verdict_sources(verdicts, input_format) if verdicts else []
    reading = reading_options(
        judged,
        text_field=text_field,
        id_field=id_field,
        input_format=input_format,
        hash_ids=hash_ids,
        max_line_bytes=max_line_bytes,
        max_post_chars=max_post_chars,
        max_depth=max_depth,
        max_ratio=max_ratio,
    )
    given = paths or ["-"]
    sources = (
        resolve_sources(given, input_format) if judged else verdict_sources(given, input_format)
    )
    target = None if output is None or str(output) == "-" else output
    check_output(target, [*sources, *judged], "--output")
    beside_file = target is not None and (target.is_file() or not target.exists())
    default = target.with_name(_ERRORS_NAME) if target and beside_file else Path(_ERRORS_NAME)
    log = ErrorLog(errors or default, [*sources, *judged])
    rejected = 0

    def reject(rejection: Rejection) -> None:
        nonlocal rejected
        rejected += 1
        log.add(rejection)

    with log:
        summary = _copied(sources, judged, target, join, reading, options, reject)
    told = f"{summary.posts:,} posts copied, {summary.changed:,} of them masked"
    if rejected:
        told += f"; {rejected:,} rejected: see {log.path}"
    typer.echo(f"moderate: {told}", err=True)
    return EXIT_REJECTED if rejected else 0


def _copied(
    sources: list[Source],
    judged: list[Source],
    target: Path | None,
    join: str,
    reading: ScanOptions,
    options: RedactOptions,
    reject: Callable[[Rejection], None],
) -> RedactSummary:
    from moderation.errors import ConfigError
    from moderation.scan import sink_spec
    from moderation.scan.output import Output
    from moderation.scan.redact import redact_posts, redact_verdicts
    from moderation.scan.redact_files import open_copy

    spec = sink_spec(target, None, sources[0].format)
    if spec.format != sources[0].format:
        raise ConfigError(
            f"{target}: expected a name for {sources[0].format}, the format of the posts, "
            f"found one for {spec.format}"
        )
    out = Output(target, spec.compression)
    try:
        out.open()
        copy = open_copy(out, sources, reading.max_line_bytes)
        if judged:
            summary = redact_posts(sources, judged, join, reading, options, copy, reject)
        else:
            summary = redact_verdicts(sources, options, copy, reject)
    except BaseException:
        out.close(keep=False)
        raise
    out.close(keep=True)
    return summary
