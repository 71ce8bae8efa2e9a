"""Unit: score what one worker takes at a time, from its last checkpoint on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import dropwhile
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.errors import ModerationError, RecordError, ShardError
from moderation.scan.accept import accepted
from moderation.scan.arrow_sinks import verdict_batch
from moderation.scan.json_line import json_line
from moderation.scan.output import Output
from moderation.scan.plain import BATCH_CODEPOINTS, Plain
from moderation.scan.plan import file_state
from moderation.scan.rejections import Rejection
from moderation.scan.rows import INPUT_CHANGED, UNREADABLE_INPUT, WORKER_DIED, Gap, Place
from moderation.scan.runner import read_rows, read_together
from moderation.scan.sinks import CsvSink, JsonlSink, Scored
from moderation.scan.source import Span
from moderation.scan.spool import Checkpoint, Spool
from moderation.scan.statistics import Statistics
from moderation.text import TextBatch
from moderation.types import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moderation.engine import Moderator
    from moderation.scan.layout import UnitFiles
    from moderation.scan.options import ScanOptions
    from moderation.scan.plan import Unit
    from moderation.scan.rows import Rows
    from moderation.scan.sinks import SinkSpec
    from moderation.scan.source import Source
    from moderation.text import FieldSpan

__all__ = ["StoppedError", "Tick", "UnitTask", "Work", "scan_unit"]

_OF_INPUTS: Final = (INPUT_CHANGED, UNREADABLE_INPUT)


class StoppedError(ModerationError):
    """A unit was asked to stop; its checkpoint is saved."""


@dataclass(frozen=True, slots=True)
class Work:
    """What every unit of a scan shares. Can be sent to workers."""

    moderator: Moderator
    options: ScanOptions
    spec: SinkSpec
    checkpoint_batches: int
    """Batches from one checkpoint to the next."""
    verbose: bool = False
    """Hand on every rejection, not only those of inputs."""


@dataclass(frozen=True, slots=True)
class UnitTask:
    """One unit to be scored."""

    unit: Unit
    files: UnitFiles
    careful_until: int = 0
    """Records up to this number are scored one by one: workers died among them."""
    fatal: int | None = None
    """Number of a record that is not to be scored: workers died of it."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What a unit has done since it last spoke."""

    posts: int
    actions: tuple[int, ...]
    with_error: int
    rejected: int
    bytes_read: int
    told: tuple[Rejection, ...] = ()


@dataclass(slots=True)
class _Pending:
    """Posts that wait for their batch to be full, and the rejections among them."""

    ids: list[str | None] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    layouts: list[tuple[FieldSpan, ...]] = field(default_factory=list)
    codepoints: int = 0
    rejections: list[Rejection] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.texts) + len(self.rejections)


def scan_unit(
    work: Work,
    task: UnitTask,
    *,
    stopping: Callable[[], bool],
    report: Callable[[Tick], None],
    waiting: Callable[[Rows], Rows] | None = None,
) -> Checkpoint:
    """Score a unit to its end; return its last checkpoint.

    Args:
        work: engine and options.
        task: the unit.
        stopping: asked after every batch whether to stop there.
        report: told after every batch.
        waiting: wraps the rows of an input that may keep a reader waiting.

    Raises:
        StoppedError: it was asked to stop.
        ModerationError: a result cannot be written.
    """
    with Spool(task.files) as spool:
        if not spool.checkpoint.done:
            _Unit(work, task, spool, stopping, report).run(waiting)
        return spool.checkpoint


class _Unit:
    """One unit on its way."""

    def __init__(
        self,
        work: Work,
        task: UnitTask,
        spool: Spool,
        stopping: Callable[[], bool],
        report: Callable[[Tick], None],
    ) -> None:
        self._work = work
        self._task = task
        self._unit = task.unit
        self._spool = spool
        self._stopping = stopping
        self._report = report
        self._point = spool.checkpoint
        self._statistics = Statistics(self._point.statistics)
        self._seen = set(self._point.fields_seen)
        self._batches = 0
        self._pending = _Pending()
        self._place = Place()
        self._line = self._point.line or _lines_before(self._unit.source)
        self._records = self._point.records
        self._end = self._point.offset
        self._failed = self._point.failed

    def run(self, waiting: Callable[[Rows], Rows] | None) -> None:
        """Score what the checkpoint leaves."""
        failed = self._changed()
        if failed is None:
            try:
                if waiting is not None or self._one_by_one():
                    rows = self._rows()
                    for line, row in rows if waiting is None else waiting(rows):
                        self._take(line, row)
                else:
                    for found in read_together(self._rest(), self._work.options, self._place):
                        if isinstance(found, Plain):
                            self._take_together(found)
                        else:
                            self._take(*found)
            except ShardError as error:
                failed = self._rejection(UNREADABLE_INPUT, str(error))
            failed = self._changed() or failed
        if failed is not None:
            self._failed = failed.reason
            self._pending.rejections.append(failed)
        self._flush(done=True)

    def _one_by_one(self) -> bool:
        """Say whether each record counts by itself: some are to be skipped, or workers died."""
        skipped = self._records > 0 and not _can_go_on(self._unit.source)
        return skipped or self._task.careful_until > 0 or self._task.fatal is not None

    def _rows(self) -> Rows:
        rows = read_rows(self._rest(), self._work.options, self._place)
        if not self._records or _can_go_on(self._unit.source):
            return rows
        last = self._line
        return dropwhile(lambda found: found[0] <= last, rows)

    def _rest(self) -> Source:
        """Return what the checkpoint leaves of a file that can be read on; of others, the whole."""
        source = self._unit.source
        if source.groups is not None:
            return replace(source, groups=replace(source.groups, done=self._records))
        if source.span is None or self._end is None:
            return source
        return replace(source, span=Span(self._end, source.span.end, self._point.line))

    def _take_together(self, posts: Plain) -> None:
        """Take posts as `_take` takes each of them."""
        options = self._work.options
        self._seen.update(options.fields.names)
        sizes = posts.sizes
        end = None if self._place.end is None else self._place.end - sum(sizes)
        at, count = 0, len(posts.texts)
        while at < count:
            pending = self._pending
            stop = posts.fitting(at, options.batch_size - len(pending), pending.codepoints)
            pending.ids += posts.ids[at:stop]
            pending.texts += posts.texts[at:stop]
            pending.layouts += [()] * (stop - at)
            pending.codepoints += sum(map(len, posts.texts[at:stop]))
            if stop > at:
                self._records += stop - at
                self._line = posts.line + stop - 1
                end = None if end is None else end + sum(sizes[at:stop])
                self._end = end
            if stop < count or len(pending) >= options.batch_size:
                self._flush()
            at = stop

    def _take_gap(self, line: int, gap: Gap) -> None:
        """Take note of rows that cannot be read."""
        name = self._unit.source.name
        self._pending.rejections.append(Rejection.of_gap(name, line, gap))
        self._failed = UNREADABLE_INPUT
        self._records += gap.rows
        self._line = line + gap.rows - 1
        self._flush()

    def _take(self, line: int, row: Mapping[str, Any] | RecordError | Gap) -> None:
        if isinstance(row, Gap):
            self._take_gap(line, row)
            return
        options = self._work.options
        careful = self._records < self._task.careful_until
        post = accepted(row, options)
        if self._records + 1 == self._task.fatal and post.error is None:
            detail = "the process that scored it died, more than once"
            post = post._replace(error=RecordError(WORKER_DIED, detail))
        length = len(post.text)
        if self._pending.texts and self._pending.codepoints + length > BATCH_CODEPOINTS:
            self._flush()
        pending = self._pending
        self._records += 1
        self._line = line
        self._end = self._place.end
        if post.error is not None:
            name, at = self._unit.source.name, self._place.offset
            pending.rejections.append(post.rejection(name, line, self._records, at))
        else:
            if len(self._seen) < len(options.fields.names):
                self._seen.update(name for name in options.fields.names if name in post.fields)
            pending.ids.append(post.data_id)
            pending.texts.append(post.text)
            pending.layouts.append(post.layout)
            pending.codepoints += length
        if len(pending) >= options.batch_size or careful:
            self._flush()

    def _flush(self, *, done: bool = False) -> None:
        """Score the waiting posts, write them, and save a checkpoint when it is time."""
        pending, work = self._pending, self._work
        self._pending = _Pending()
        actions = [0] * len(ACTIONS)
        with_error = 0
        rows = b""
        if pending.texts:
            scored = self._score(pending)
            self._statistics.add(scored)
            rows = encode(scored, work.spec)
            with_error = len(scored.verdicts.errors)
            actions = np.bincount(scored.verdicts.actions, minlength=len(ACTIONS)).tolist()
        for rejection in pending.rejections:
            self._statistics.reject(rejection)
        self._spool.write(rows, b"".join(json_line(r.to_dict()) for r in pending.rejections))
        self._batches += 1
        stop = not done and self._stopping()
        read = self._bytes_read(done=done)
        tick_bytes = read - self._point.bytes_read
        careful = self._records <= self._task.careful_until
        point = Checkpoint(
            records=self._records,
            line=self._line,
            offset=self._end,
            bytes_read=read,
            fields_seen=tuple(n for n in work.options.fields.names if n in self._seen),
            done=done,
            failed=self._failed,
        )
        self._point = point
        if done or stop or careful or self._batches % work.checkpoint_batches == 0:
            self._spool.save(replace(point, statistics=self._statistics.to_dict()))
        told = [r for r in pending.rejections if work.verbose or r.reason in _OF_INPUTS]
        rejected = sum(r.reason not in _OF_INPUTS for r in pending.rejections)
        self._report(
            Tick(len(pending.texts), tuple(actions), with_error, rejected, tick_bytes, tuple(told))
        )
        if stop:
            raise StoppedError("stopped")

    def _score(self, pending: _Pending) -> Scored:
        batch = TextBatch.from_strings(pending.texts)
        layouts = None
        if self._work.options.fields.several:
            layouts = pending.layouts
            batch = batch.with_fields(layouts)
        verdicts = self._work.moderator.check_text_batch(batch, data_ids=pending.ids)
        return Scored(verdicts, pending.texts, layouts)

    def _bytes_read(self, *, done: bool) -> int:
        source, state = self._unit.source, self._unit.state
        if source.groups is not None:
            groups = source.groups
            return groups.bytes if done else groups.bytes * self._records // groups.rows
        if source.span is not None:
            end = source.span.end if done else self._end or source.span.begin
            return end - source.span.begin
        if state is None:
            return 0
        if done or self._place.tell is None:
            return state.bytes if done else self._point.bytes_read
        try:
            return min(self._place.tell(), state.bytes)
        except ValueError:  # the reader has closed the file
            return state.bytes

    def _changed(self) -> Rejection | None:
        """Return what is wrong where the file is no longer the one whose digest was taken."""
        expected = self._unit.state
        if expected is None:
            return None
        try:
            found = file_state(self._unit.source)
        except OSError as error:
            return self._rejection(INPUT_CHANGED, f"cannot be read: {error.strerror or error}")
        if found == expected:
            return None
        what = "of another size" if found.bytes != expected.bytes else "written to"
        if found.inode != expected.inode:
            what = "replaced"
        detail = (
            f"the file was {what} while it was scanned: expected {expected.bytes:,} bytes as at "
            f"the start, found {found.bytes:,}"
        )
        return self._rejection(INPUT_CHANGED, detail)

    def _rejection(self, reason: str, detail: str) -> Rejection:
        line = self._line + 1 if self._records or self._line else None
        return Rejection(self._unit.source.name, line, None, reason, detail, None, self._end)


def _lines_before(source: Source) -> int:
    if source.groups is not None:
        return source.groups.before
    return 0 if source.span is None else source.span.lines


def _can_go_on(source: Source) -> bool:
    """Say whether a unit is read on from its checkpoint, not from its start."""
    return source.span is not None or source.groups is not None


def encode(scored: Scored, spec: SinkSpec) -> bytes:
    """Return a batch of verdicts as a spool holds it: rows of JSON or CSV, or Arrow messages."""
    if spec.format == "jsonl":
        return JsonlSink(Output(None), spec).encode(scored)
    if spec.format == "csv":
        return CsvSink(Output(None), spec).encode(scored)
    return bytes(verdict_batch(scored, spec).serialize())
