"""Run a scan: inputs through the engine into a sink, in order, in bounded memory."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from moderation.errors import ShardError
from moderation.scan.accept import accepted
from moderation.scan.options import ScanOptions
from moderation.scan.plain import BATCH_CODEPOINTS, Plain
from moderation.scan.rejections import Rejection
from moderation.scan.rows import UNREADABLE_INPUT, Gap, Place
from moderation.scan.sinks import Scored
from moderation.scan.source import STDIN, Source, resolve_sources
from moderation.text import TextBatch
from moderation.types import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moderation.engine import Moderator
    from moderation.scan.plain import RowsOrPlain
    from moderation.scan.rows import Rows
    from moderation.scan.sinks import Sink
    from moderation.text import FieldSpan

__all__ = ["ScanSummary", "read_rows", "read_together", "scan_paths", "scan_sources"]


@dataclass(frozen=True, slots=True)
class ScanSummary:
    """What a scan has done, so far or in all."""

    posts: int = 0
    actions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ACTIONS, 0))
    """Posts by action."""
    with_error: int = 0
    """Posts whose verdict carries an error."""
    rejected: int = 0
    """Records without a verdict."""
    failed_inputs: int = 0
    """Inputs that could not be read to their end."""
    absent_fields: tuple[str, ...] = ()
    """Text fields that no record had, though others were there."""
    seconds: float = 0.0
    earlier: int = 0
    """Posts among them that were scored before this run, which resumed the scan."""
    bytes_done: int = 0
    """How far the inputs were read, about."""
    bytes_total: int = 0
    """Size of the inputs; 0 where one of them is a pipe."""
    bytes_earlier: int = 0
    """How far they had been read before this run."""

    @property
    def posts_per_second(self) -> float:
        """Posts that this run scored a second."""
        return (self.posts - self.earlier) / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the rest will take at the speed so far; None where nobody knows."""
        read = self.bytes_done - self.bytes_earlier
        if not self.bytes_total or read <= 0:
            return None
        return (self.bytes_total - self.bytes_done) * self.seconds / read

    def reaches(self, action: str) -> bool:
        """Return whether any post got this action or a stronger one."""
        return any(self.actions[a] for a in ACTIONS[ACTIONS.index(action) :])


def scan_paths(
    moderator: Moderator,
    paths: Sequence[str],
    sink: Sink,
    options: ScanOptions | None = None,
    *,
    reject: Callable[[Rejection], None] | None = None,
    progress: Callable[[ScanSummary], None] | None = None,
) -> ScanSummary:
    """Score every post of files, folders or standard input ("-").

    Args:
        moderator: the engine.
        paths: see `moderation.scan.resolve_sources`.
        sink: takes the verdicts, in the order of the posts; opened and closed by the caller.
        options: how to read.
        reject: told of every record and input that is left out.
        progress: told after every batch.

    Raises:
        ConfigError: an input is missing, unreadable or of no known format; nothing was read.
    """
    chosen = options or ScanOptions()
    sources = resolve_sources(paths, chosen.input_format)
    return scan_sources(moderator, sources, sink, chosen, reject=reject, progress=progress)


def scan_sources(
    moderator: Moderator,
    sources: Sequence[Source],
    sink: Sink,
    options: ScanOptions,
    *,
    reject: Callable[[Rejection], None] | None = None,
    progress: Callable[[ScanSummary], None] | None = None,
) -> ScanSummary:
    """Score every post of inputs that `resolve_sources` has checked; see `scan_paths`."""
    run = _Run(moderator, sink, options, reject, progress)
    for source in sources:
        run.read(source)
    run.flush()
    return run.summary()


class _Run:
    """The posts waiting for the next batch, and the counts."""

    def __init__(
        self,
        moderator: Moderator,
        sink: Sink,
        options: ScanOptions,
        reject: Callable[[Rejection], None] | None,
        progress: Callable[[ScanSummary], None] | None,
    ) -> None:
        self._moderator = moderator
        self._sink = sink
        self._options = options
        self._reject = reject
        self._progress = progress
        self._started = time.perf_counter()
        self._actions = np.zeros(len(ACTIONS), np.int64)
        self._with_error = 0
        self._rejected = 0
        self._failed_inputs = 0
        self._unseen = set(options.fields.names)
        self._clear()

    def _clear(self) -> None:
        self._ids: list[str | None] = []
        self._texts: list[str] = []
        self._layouts: list[tuple[FieldSpan, ...]] = []
        self._codepoints = 0

    def read(self, source: Source) -> None:
        """Score the posts of one input; what is wrong with it is recorded."""
        options = self._options
        place = Place()
        line = record = 0
        failed = False
        try:
            for found in read_together(source, options, place):
                if isinstance(found, Plain):
                    record += len(found.texts)
                    line = found.line + len(found.texts) - 1
                    self._take(found)
                    continue
                line, row = found
                if isinstance(row, Gap):
                    failed = True
                    self._record(Rejection.of_gap(source.name, line, row))
                    record += row.rows
                    line += row.rows - 1
                    continue
                record += 1
                post = accepted(row, options)
                if post.error is not None:
                    self._rejected += 1
                    self._record(post.rejection(source.name, line, record, place.offset))
                    continue
                if self._unseen:
                    self._unseen.difference_update(post.fields)
                if self._texts and self._codepoints + len(post.text) > BATCH_CODEPOINTS:
                    self.flush()
                self._layouts.append(post.layout)
                self._add([post.data_id], [post.text])
        except ShardError as error:
            failed = True
            at = line + 1 if line else None
            self._record(Rejection(source.name, at, None, UNREADABLE_INPUT, str(error)))
        self._failed_inputs += failed

    def _take(self, posts: Plain) -> None:
        """Score posts that came together, as many at once as one by one."""
        self._unseen.clear()
        at, count = 0, len(posts.texts)
        while at < count:
            room = self._options.batch_size - len(self._texts)
            stop = posts.fitting(at, room, self._codepoints)
            self._add(posts.ids[at:stop], posts.texts[at:stop])
            if stop < count and self._texts:
                self.flush()
            at = stop

    def _add(self, ids: list[str | None], texts: list[str]) -> None:
        self._ids += ids
        self._texts += texts
        self._codepoints += sum(map(len, texts))
        if len(self._texts) >= self._options.batch_size:
            self.flush()

    def flush(self) -> None:
        """Score the waiting posts and hand them to the sink."""
        if not self._texts:
            return
        batch = TextBatch.from_strings(self._texts)
        layouts = None
        if self._options.fields.several:
            layouts = self._layouts
            batch = batch.with_fields(layouts)
        verdicts = self._moderator.check_text_batch(batch, data_ids=self._ids)
        self._sink.write(Scored(verdicts, self._texts, layouts))
        self._actions += np.bincount(verdicts.actions, minlength=len(ACTIONS))
        self._with_error += len(verdicts.errors)
        self._clear()
        if self._progress is not None:
            self._progress(self.summary())

    def summary(self) -> ScanSummary:
        """Return the counts."""
        posts = int(self._actions.sum())
        names = self._options.fields.names
        return ScanSummary(
            posts,
            dict(zip(ACTIONS, self._actions.tolist(), strict=True)),
            self._with_error,
            self._rejected,
            self._failed_inputs,
            tuple(name for name in names if name in self._unseen) if posts else (),
            time.perf_counter() - self._started,
        )

    def _record(self, rejection: Rejection) -> None:
        if self._reject is not None:
            self._reject(rejection)


def read_together(source: Source, options: ScanOptions, place: Place) -> RowsOrPlain:
    """Yield the rows of an input as `read_rows`, those that are plain posts together.

    They are where a post has a single text field and the input is a file of JSON lines, Parquet or
    Arrow; from a pipe a post is taken as it comes.
    """
    if options.fields.several or source.format == "csv" or source.name == STDIN:
        return read_rows(source, options, place)
    if source.format == "jsonl":
        from moderation.scan.jsonl import read_jsonl_together

        return read_jsonl_together(source, options, place)
    from moderation.scan import columnar

    return columnar.read_together(source, options.columns, options, place)


def read_rows(
    source: Source,
    options: ScanOptions,
    place: Place | None = None,
    *,
    also: Sequence[str] = (),
) -> Rows:
    """Yield the rows of an input in its format; raises ShardError where it cannot go on.

    Args:
        source: the input.
        options: how to read it.
        place: learns where each row stands.
        also: columns to read beside id and text, where they exist.
    """
    texts = options.fields.names
    wanted = tuple(dict.fromkeys((*options.columns, *also)))
    if source.format == "jsonl":
        from moderation.scan.jsonl import read_jsonl

        return read_jsonl(
            source,
            options.max_line_bytes,
            max_depth=options.max_depth,
            max_ratio=options.max_ratio,
            exact=options.id_field,
            place=place,
        )
    if source.format == "csv":
        from moderation.scan.delimited import read_csv

        limit = options.max_line_bytes
        return read_csv(source, wanted, texts, limit, max_ratio=options.max_ratio, place=place)
    from moderation.scan import columnar

    return columnar.read_columnar(source, wanted, texts, place=place)
