"""What `moderate scan` does once its options are read: to a stream, or to files, resumably."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moderation.cli.exits import EXIT_INTERRUPTED, EXIT_TERMINATED
from moderation.cli.progress import Progress, rejected_line
from moderation.engine import Moderator
from moderation.errors import ConfigError, ModerationError
from moderation.rules import load_ruleset
from moderation.scan import (
    ErrorLog,
    Interrupt,
    Rejection,
    ScanSummary,
    SinkSpec,
    open_sink,
    part_spec,
    resolve_sources,
    scan_sources,
    sink_spec,
)
from moderation.scan.output import check_output
from moderation.scan.rows import INPUT_CHANGED, UNREADABLE_INPUT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from moderation.scan import Layout, ScanOptions, Source
    from moderation.scan.manifest import Manifest
    from moderation.scan.workers import Worker

__all__ = ["Engine", "Request", "run"]

_ERRORS_NAME: Final = "errors.jsonl"
_PLAIN_WIDTH: Final = 100


@dataclass(frozen=True, slots=True)
class Engine:
    """What the Moderator is made from."""

    region: str
    tier: str | None
    device: str
    threads: int
    rules: Path | None
    model: Path | None
    as_of: date | None

    def load(self) -> Moderator:
        """Load rules and model."""
        return Moderator(
            region=self.region,
            tier=self.tier,
            device=self.device,
            threads=self.threads,
            rules=self.rules,
            model=self.model,
            as_of=self.as_of,
        )


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for."""

    paths: Sequence[str]
    target: str | None
    """None is standard output."""
    form: str | None
    compression: str | None
    """Of part files."""
    options: ScanOptions
    engine: Engine
    errors: Path | None
    with_text: bool
    jobs: int
    resume: bool
    force: bool
    checkpoint_batches: int
    max_errors: int | None
    verbose: bool

    @property
    def is_folder(self) -> bool:
        """Say whether the output is a folder of part files."""
        target = self.target
        return target is not None and (target.endswith(("/", os.sep)) or Path(target).is_dir())

    @property
    def path(self) -> Path | None:
        """The output file or folder; None is standard output."""
        return None if self.target is None else Path(self.target)


def run(request: Request, progress: Progress) -> ScanSummary | int:
    """Scan; return what was done, or the exit code where it was not finished.

    Raises:
        ModerationError: an option, an input or the output is not as it must be.
    """
    sources = resolve_sources(request.paths, request.options.input_format)
    spec = _spec(request)
    if request.is_folder:
        if request.errors is not None:
            raise ConfigError(f"--errors: the output folder has its own {_ERRORS_NAME}")
        return _run_resumable(request, sources, spec, None, progress)
    path = request.path
    errors = request.errors or _errors_path(path)
    _check_target(path, errors, sources)
    log = ErrorLog(errors, sources)
    if path is None or spec.format == "table" or (path.exists() and not path.is_file()):
        return _run_stream(request, sources, spec, log, progress)
    return _run_resumable(request, sources, spec, errors, progress)


def _run_resumable(
    request: Request,
    sources: list[Source],
    spec: SinkSpec,
    errors: Path | None,
    progress: Progress,
) -> ScanSummary | int:
    from moderation.scan import Layout, check_place, earlier_scan

    assert request.path is not None
    layout = Layout.of_folder(request.path)
    if errors is not None:
        layout = Layout.of_file(request.path, errors)
    check_place(layout, sources, request.paths)
    earlier = earlier_scan(layout, resume=request.resume, force=request.force)
    with _workers_ahead(request, sources) as ahead:
        return _run_with(request, sources, spec, layout, earlier, ahead, progress)


def _workers_ahead(
    request: Request, sources: Sequence[Source]
) -> AbstractContextManager[list[Worker]]:
    """Start the workers that will be wanted: they load our code while rules are looked at."""
    from moderation.scan.plan import most_units

    wanted = min(request.jobs, most_units(sources)) if request.jobs > 1 else 0
    if not wanted:
        return nullcontext([])
    from moderation.scan.workers import workers_ahead

    return workers_ahead(wanted)


def _run_with(
    request: Request,
    sources: list[Source],
    spec: SinkSpec,
    layout: Layout,
    earlier: Manifest | None,
    ahead: list[Worker],
    progress: Progress,
) -> ScanSummary | int:
    from moderation.scan import Listener, ResumableScan, StoppedError, Work

    engine = request.engine
    if earlier is not None and engine.as_of is None:
        engine = replace(engine, as_of=date.fromisoformat(earlier.settings["as_of"]))
    moderator = engine.load()
    if request.verbose:
        progress.say(_setting(moderator, sources))
    work = Work(moderator, request.options, spec, request.checkpoint_batches, request.verbose)
    if ahead:  # two that find nothing on the disk would both compile
        assert moderator.rules is not None
        load_ruleset(moderator.rules, moderator.as_of).keep()
    for worker in ahead:
        worker.tell(work)
    interrupt = Interrupt()

    def planning(done: int, total: int) -> None:
        if interrupt.stopping():
            raise StoppedError("stopped")
        progress.planning(done, total)

    listener = Listener(progress.update, lambda r: _tell(r, progress), progress.say, planning)
    scan = ResumableScan(
        layout,
        work,
        listener,
        interrupt,
        jobs=request.jobs,
        max_errors=request.max_errors,
        ahead=ahead,
    )
    try:
        with interrupt.listening():
            summary = scan.run(sources, earlier)
    except (KeyboardInterrupt, StoppedError):
        if scan.can_resume:
            progress.say("interrupted; --resume goes on with it")
        else:
            scan.discard()
            progress.say("interrupted; no output was written")
        return _interrupted(interrupt)
    except ConfigError:
        raise
    except ModerationError as error:
        if not scan.can_resume:
            scan.discard()
            raise
        raise ModerationError(f"{error} (the scan is saved: --resume goes on with it)") from error
    _close(summary, layout.errors, progress)
    return summary


def _run_stream(
    request: Request,
    sources: list[Source],
    spec: SinkSpec,
    log: ErrorLog,
    progress: Progress,
) -> ScanSummary | int:
    for option, given in (("--resume", request.resume), ("--jobs", request.jobs > 1)):
        if given:
            raise ConfigError(
                f"{option} needs an --output file or folder of JSON, CSV, Parquet or Arrow"
            )
    if spec.path is not None and spec.path.is_file() and not request.force:
        raise ConfigError(f"{spec.path}: is there already; --force replaces it")
    rejected = 0

    def reject(rejection: Rejection) -> None:
        nonlocal rejected
        log.add(rejection)
        if request.verbose or rejection.reason in (UNREADABLE_INPUT, INPUT_CHANGED):
            _tell(rejection, progress)
        rejected += rejection.reason != UNREADABLE_INPUT
        if request.max_errors is not None and rejected > request.max_errors:
            raise ModerationError(
                f"stopped: expected at most {request.max_errors:,} rejected records "
                f"(--max-errors), found more"
            )

    interrupt = Interrupt()
    try:
        moderator = request.engine.load()
        if request.verbose:
            progress.say(_setting(moderator, sources))
        with interrupt.listening(at_once=True), log, open_sink(spec) as sink:
            summary = scan_sources(
                moderator, sources, sink, request.options, reject=reject, progress=progress.update
            )
    except KeyboardInterrupt:  # typer would end here without a word
        progress.say("interrupted; no output was written" if spec.path else "interrupted")
        return _interrupted(interrupt)
    except BrokenPipeError:  # typer would make it a 1
        progress.clear()
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    _close(summary, log.path, progress)
    return summary


def _spec(request: Request) -> SinkSpec:
    path = request.path
    if request.is_folder:
        if request.form == "table":
            raise ConfigError("--format table: a folder holds jsonl, csv, parquet or arrow")
        made = part_spec(request.form, request.compression)
        return replace(made, fields=request.options.fields, with_text=request.with_text)
    if request.compression is not None:
        raise ConfigError(
            "--compression is for the part files of a folder; a file is compressed where its name "
            "ends in .gz or .zst"
        )
    terminal = path is None and sys.stdout.isatty()
    return replace(
        sink_spec(path, request.form, "table" if terminal else "jsonl"),
        fields=request.options.fields,
        with_text=request.with_text,
        colour=terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
        width=shutil.get_terminal_size().columns if terminal else _PLAIN_WIDTH,
    )


def _errors_path(target: Path | None) -> Path:
    beside_file = target is not None and (target.is_file() or not target.exists())
    return target.with_name(_ERRORS_NAME) if target and beside_file else Path(_ERRORS_NAME)


def _check_target(target: Path | None, errors: Path, sources: list[Source]) -> None:
    check_output(target, sources, "--output")
    if target is None:
        return
    if target.resolve() == errors.resolve() and not target.is_char_device():
        raise ConfigError(f"{target}: named both for the verdicts and for the errors")


def _setting(moderator: Moderator, sources: list[Source]) -> str:
    return (
        f"{len(sources)} input{'s' * (len(sources) != 1)}; region {moderator.region}, "
        f"tier {moderator.tier} on {moderator.device}, model {moderator.model_ref}, "
        f"rules {moderator.policy_ref.bundle}"
    )


def _tell(rejection: Rejection, progress: Progress) -> None:
    at = f":{rejection.line}" if rejection.line is not None else ""
    progress.say(f"{rejection.source}{at}: {rejection.reason}: {rejection.detail}")


def _interrupted(interrupt: Interrupt) -> int:
    return EXIT_TERMINATED if interrupt.signal == signal.SIGTERM else EXIT_INTERRUPTED


def _close(summary: ScanSummary, errors: Path, progress: Progress) -> None:
    progress.clear()
    for name in summary.absent_fields:
        progress.say(f"no record has the text field {name!r}")
    rejected = rejected_line(summary, errors)
    if rejected is not None:
        progress.say(rejected)
