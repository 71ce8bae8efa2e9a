"""moderate eval: figures of rules and model on labelled posts."""

from __future__ import annotations

import contextlib
import sys
import time
from datetime import datetime  # noqa: TC003  (typer reads it)
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from moderation.cli.exits import EXIT_REJECTED
from moderation.cli.posts_reading import Fields, IdField, InputFormat  # noqa: TC001  (typer)

if TYPE_CHECKING:
    from moderation.engine import Moderator
    from moderation.evaluation.decisions import Decisions
    from moderation.evaluation.evaluation import Evaluation
    from moderation.scan import ErrorLog, Rejection, ScanOptions, Source

__all__ = ["evaluate"]

_ERRORS_NAME: Final = "errors.jsonl"


class _Form(StrEnum):
    TABLE = "table"
    JSON = "json"


class _Lang(StrEnum):
    EN = "en"
    ZH = "zh"


def evaluate(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="LABELLED",
            help="Labelled posts: files, folders, or - for standard input, as of scan.",
        ),
    ],
    form: Annotated[_Form, typer.Option("--format", help="Of standard output.")] = _Form.TABLE,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write everything to this JSON file.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Also write a page with plots into this folder (extra eval)."),
    ] = None,
    lang: Annotated[_Lang, typer.Option(help="Language of the page.")] = _Lang.EN,
    classifier_only: Annotated[
        bool,
        typer.Option("--classifier-only", help="Leave the rules out; the classifier may block."),
    ] = False,
    bootstrap: Annotated[
        int, typer.Option(min=0, help="Resamples behind the 95 % intervals; 0: no intervals.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the resamples.")] = 0,
    worst: Annotated[int, typer.Option(min=0, help="Errors to name, of each policy and kind.")] = 5,
    with_text: Annotated[
        bool, typer.Option("--with-text", help="Show the text of the worst errors.")
    ] = False,
    text_field: Fields = None,
    id_field: IdField = "id",
    input_format: InputFormat = None,
    region: Annotated[str, typer.Option(help="Region of rules/policy.yaml.")] = "cn",
    tier: Annotated[
        str | None, typer.Option(help="Tier of the model; default: as of scan.")
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
    errors: Annotated[
        Path | None,
        typer.Option(help="Rejected records; default: errors.jsonl beside --json, or here."),
    ] = None,
) -> int:
    """Compare the engine's decisions with labels: figures by policy and language.

    A record has text and "labels": {"porn": 0, "drugs": 1, "gambling": null}, or fields named after
    the policies; null: not judged. "sub_label" and "stance" are compared where they are given.
    Exit: 0 done; 2 usage or configuration; 3 done, but records were rejected (see errors.jsonl).
    """
    from moderation.cli.eval_table import table_lines
    from moderation.engine import Moderator
    from moderation.evaluation.evaluation import evaluate_decisions
    from moderation.scan import ErrorLog, ScanOptions, TextFields, resolve_sources
    from moderation.scan.json_line import json_line
    from moderation.scan.output import check_output

    options = ScanOptions(TextFields(tuple(text_field or ("text",))), id_field, input_format)
    sources = resolve_sources(paths, input_format)
    if json_file is not None:
        check_output(json_file, sources, "--json")
    if report is not None:
        from moderation.evaluation.report import check_report_folder

        check_report_folder(report)
    log = ErrorLog(errors or (json_file or Path(_ERRORS_NAME)).with_name(_ERRORS_NAME), sources)
    chosen: dict[str, Any] = {} if tier is None else {"tier": tier}
    day = as_of.date() if as_of is not None else None
    moderator = Moderator(region=region, rules=rules, model=model, as_of=day, **chosen)
    decisions, rejected = _decide(
        moderator, sources, options, log, classifier_only=classifier_only, with_text=with_text
    )
    evaluation = evaluate_decisions(
        decisions,
        {
            **_setting(moderator, classifier_only=classifier_only),
            "as_of": day.isoformat() if day else None,
            "inputs": [source.name for source in sources],
            "text_fields": list(options.fields.names),
            "rejected": rejected,
        },
        resamples=bootstrap,
        seed=seed,
        worst=worst,
    )
    if form is _Form.JSON:
        typer.echo(json_line(evaluation.to_dict()).decode(), nl=False)
    else:
        for line in table_lines(evaluation):
            typer.echo(line)
    if json_file is not None:
        _write_json(evaluation, json_file)
    if report is not None:
        _write_report(evaluation, decisions, report, lang)
    _say(f"{len(decisions):,} posts, {rejected:,} rejected{_where(log) if rejected else ''}")
    return EXIT_REJECTED if rejected else 0


def _decide(
    moderator: Moderator,
    sources: list[Source],
    options: ScanOptions,
    log: ErrorLog,
    *,
    classifier_only: bool,
    with_text: bool,
) -> tuple[Decisions, int]:
    from moderation.cli.posts_reading import Rejections
    from moderation.cli.progress import Progress
    from moderation.evaluation.decisions import decide, without_rules
    from moderation.evaluation.labelled import read_labelled_sources
    from moderation.scan import ScanSummary
    from moderation.types import ACTIONS

    told = Rejections()
    progress = Progress(sys.stderr)
    started = time.perf_counter()
    actions = dict.fromkeys(ACTIONS, 0)

    def decided(counts: dict[str, int]) -> None:
        for action, count in counts.items():
            actions[action] += count
        seconds = time.perf_counter() - started
        progress.update(ScanSummary(sum(actions.values()), actions, seconds=seconds))

    def reject(rejection: Rejection) -> None:
        log.add(rejection)
        progress.clear()
        told.add(rejection)

    with contextlib.ExitStack() as stack:
        stack.enter_context(log)
        if classifier_only:
            moderator = stack.enter_context(without_rules(moderator))
        decisions = decide(
            moderator,
            read_labelled_sources(sources, options, reject),
            several_fields=options.fields.several,
            keep_texts=with_text,
            progress=decided,
        )
    progress.clear()
    return decisions, told.count


def _setting(moderator: Moderator, *, classifier_only: bool) -> dict[str, Any]:
    from moderation import __version__

    return {
        "engine": __version__,
        "model": moderator.model_ref,
        "bundle": moderator.policy_ref.bundle,
        "region": moderator.region,
        "tier": moderator.tier,
        "classifier_only": classifier_only,
    }


def _write_json(evaluation: Evaluation, path: Path) -> None:
    from moderation.scan.json_line import json_line
    from moderation.scan.output import Output

    output = Output(path)
    output.open()
    kept = False
    try:
        output.write(json_line(evaluation.to_dict()))
        kept = True
    finally:
        output.close(keep=kept)


def _write_report(evaluation: Evaluation, decisions: Decisions, folder: Path, lang: _Lang) -> None:
    from moderation.evaluation.report import write_report

    for note in write_report(evaluation, decisions, folder, lang.value):
        _say(note)
    _say(f"{folder / 'index.html'} is the page")


def _where(log: ErrorLog) -> str:
    return f"; the reasons are in {log.path}"


def _say(message: str) -> None:
    sys.stderr.write(f"moderate: {message}\n")
