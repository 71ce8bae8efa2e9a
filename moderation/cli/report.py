"""moderate report: one page about a file of verdicts."""

from __future__ import annotations

import sys
from enum import StrEnum, auto
from pathlib import Path  # noqa: TC003  (typer reads it)
from typing import TYPE_CHECKING, Annotated

import typer

from moderation.cli.exits import EXIT_USAGE
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
from moderation.cli.posts_reading import Fields, InputFormat, Rejections

if TYPE_CHECKING:
    from moderation.scan.report import ReportSummary

__all__ = ["report"]


class _Language(StrEnum):
    EN = auto()
    ZH = auto()


def report(
    context: typer.Context,
    verdicts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[VERDICTS]...",
            help="Verdicts as JSON lines (also .gz, .zst), Parquet or Arrow: files, folders of "
            "part files, or - for standard input.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page; default: standard output.")
    ] = None,
    posts: Annotated[
        list[str] | None,
        typer.Option(
            "--posts",
            help="The posts, as scan reads them; repeat it for several.",
            show_default=False,
        ),
    ] = None,
    join: JoinOption = Join.ORDER,
    text_field: Fields = None,
    id_field: PostId = None,
    hash_ids: HashIds = None,
    time_field: Annotated[
        str | None,
        typer.Option(help="Field of the posts with a time: adds a trend.", show_default=False),
    ] = None,
    input_format: InputFormat = None,
    max_line_bytes: MaxLineBytes = None,
    max_post_chars: MaxPostChars = None,
    max_depth: MaxDepth = None,
    max_ratio: MaxRatio = None,
    language: Annotated[
        _Language, typer.Option(help="In which the page opens; it has both.")
    ] = _Language.EN,
    samples: Annotated[int, typer.Option(min=0, help="Posts shown of each rule.")] = 3,
    top: Annotated[int, typer.Option(min=1, help="Rules listed.")] = 25,
    seed: Annotated[int, typer.Option(help="Another seed shows other posts.")] = 0,
    reveal: Annotated[
        bool,
        typer.Option(
            "--reveal",
            help="Show evidence and contacts instead of masking them; never porn.minors.",
        ),
    ] = False,
) -> int:
    """Write one page about verdicts: totals, scores, rules, trend and posts; no network, no script.

    Exit: 0 done; 2 usage, or posts and verdicts that do not belong together; 3 done, but rows of
    the verdicts were rejected.
    """
    if not verdicts and sys.stdin is not None and sys.stdin.isatty():
        typer.echo(context.get_help(), err=True)
        return EXIT_USAGE
    from moderation.scan import resolve_sources
    from moderation.scan.manifest import unfinished
    from moderation.scan.output import Output, check_output
    from moderation.scan.report import ReportOptions, make_report
    from moderation.scan.verdict_rows import verdict_sources

    sources = verdict_sources(verdicts or ["-"], input_format)
    post_sources = resolve_sources(posts, input_format) if posts else []
    target = None if output is None or str(output) == "-" else output
    check_output(target, [*sources, *post_sources], "--output")
    reading = reading_options(
        sources if posts else (),
        text_field=text_field,
        id_field=id_field,
        input_format=input_format,
        hash_ids=hash_ids,
        max_line_bytes=max_line_bytes,
        max_post_chars=max_post_chars,
        max_depth=max_depth,
        max_ratio=max_ratio,
    )
    options = ReportOptions(join, time_field, samples, top, seed, reveal, language)
    rejections = Rejections()
    page, summary = make_report(sources, post_sources, reading, options, rejections.add)
    out = Output(target)
    try:
        out.open()
        out.write(page)
    except BaseException:
        out.close(keep=False)
        raise
    out.close(keep=True)
    _tell(summary)
    for folder in unfinished(sources):
        typer.echo(
            f"moderate: {folder}: the scan is not finished, or an input failed: the report is on "
            "the verdicts that are there",
            err=True,
        )
    return rejections.exit_code()


def _tell(summary: ReportSummary) -> None:
    told = [f"report on {summary.verdicts:,} verdicts"]
    for count, what in (
        (summary.skipped_posts, "records of the posts are none to a scan"),
        (summary.unposted, "verdicts have no post"),
        (summary.unjudged, "posts have no verdict"),
    ):
        if count:
            told.append(f"{count:,} {what}")
    if summary.untimed is not None:
        told.append(f"posts without a readable time: {summary.untimed}")
    typer.echo(f"moderate: {'; '.join(told)}", err=True)
