"""Sinks: verdicts as JSON lines and CSV, and the choice of a sink for an output."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from moderation.errors import ConfigError
from moderation.scan.csv_line import csv_lines
from moderation.scan.fields import TextFields
from moderation.scan.json_line import json_line, storable
from moderation.scan.output import Output
from moderation.scan.source import COMPRESSIONS, require_pyarrow
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from moderation.decide import Verdicts
    from moderation.scan.fields import FieldSpan
    from moderation.types import Verdict

__all__ = [
    "CSV_COLUMNS",
    "OUTPUT_FORMATS",
    "Scored",
    "Sink",
    "SinkSpec",
    "open_sink",
    "part_spec",
    "sink_spec",
]

OUTPUT_FORMATS: Final = ("jsonl", "csv", "parquet", "arrow", "table")
CSV_COLUMNS: Final = (
    "data_id",
    "action",
    "risk_level",
    "language",
    *(f"score_{policy}" for policy in POLICIES),
    "labels",
    "rules",
    "error",
)
_BY_EXTENSION: Final = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".txt": "table",
}
_COMPRESSIBLE: Final = ("jsonl", "csv", "table")
_SEPARATOR: Final = "|"


@dataclass(frozen=True, slots=True)
class Scored:
    """One batch on its way out.

    Attributes:
        verdicts: one verdict a post, evidence already given back to the fields.
        texts: the posts' texts as they were scored.
        layouts: where each field lies in the text; None with a single field.
    """

    verdicts: Verdicts
    texts: Sequence[str]
    layouts: Sequence[Sequence[FieldSpan]] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def fields(self, post: int) -> dict[str, str]:
        """Return a post's text field by field (nothing, with a single field)."""
        text = self.texts[post]
        spans = self.layouts[post] if self.layouts is not None else ()
        return {span.name: text[span.start : span.end] for span in spans}


class Sink(Protocol):
    """Takes verdicts batch by batch.

    A context manager: what was written is kept when the block ends without an exception.
    """

    def write(self, scored: Scored) -> None:
        """Take one batch."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class SinkSpec:
    """What to write, and where."""

    path: Path | None
    """None is standard output."""
    format: str = "jsonl"
    """One of OUTPUT_FORMATS."""
    compression: str | None = None
    fields: TextFields = field(default_factory=TextFields)
    with_text: bool = False
    """Add the posts' text: "text", or "fields" where a post has several."""
    colour: bool = False
    """Tables only."""
    width: int = 100
    """Columns of a table."""


def sink_spec(path: Path | None, chosen: str | None, default: str = "jsonl") -> SinkSpec:
    """Decide format and compression from the file name.

    Args:
        path: the output; None for standard output.
        chosen: a format that was asked for; it beats the name.
        default: the format for standard output.

    Raises:
        ConfigError: the name says nothing about the format, or a format that is never compressed
            has a compressed name.
        MissingExtraError: the format needs pyarrow and it is not installed.
    """
    compression = None
    if path is not None:
        compression = COMPRESSIONS.get(path.suffix.lower())
        name = path.with_suffix("") if compression is not None else path
        chosen = chosen or _BY_EXTENSION.get(name.suffix.lower())
        if chosen is None:
            raise ConfigError(
                f"{path}: expected the name to end in {', '.join(_BY_EXTENSION)} "
                "(.jsonl, .csv and .txt also with .gz or .zst); or name the --format"
            )
    form = chosen or default
    if form not in OUTPUT_FORMATS:
        raise ConfigError(f"unknown format {form!r}; known: {', '.join(OUTPUT_FORMATS)}")
    if compression is not None and form not in _COMPRESSIBLE:
        raise ConfigError(f"{path}: {form} is not written compressed; leave out the last extension")
    if form in {"parquet", "arrow"}:
        require_pyarrow()
    return SinkSpec(path, form, compression)


def part_spec(chosen: str | None, compression: str | None) -> SinkSpec:
    """Return the spec of part files.

    Args:
        chosen: their format; default: JSON lines.
        compression: None, "gzip" or "zstd".

    Raises:
        ConfigError: the format is never compressed.
        MissingExtraError: the format needs pyarrow and it is not installed.
    """
    made = sink_spec(None, chosen)
    if compression is not None and made.format not in _COMPRESSIBLE:
        raise ConfigError(
            f"--compression {compression}: expected the format jsonl or csv, found {made.format}, "
            "which is not written compressed"
        )
    return replace(made, compression=compression)


def open_sink(spec: SinkSpec) -> Sink:
    """Return the sink that a spec describes; entering it opens the output.

    Raises:
        ModerationError: when entered or written to: the output cannot be opened or written.
    """
    output = Output(spec.path, spec.compression)
    if spec.format == "csv":
        return CsvSink(output, spec)
    if spec.format == "table":
        from moderation.scan.table import TableSink

        return TableSink(output, spec)
    if spec.format in {"parquet", "arrow"}:
        from moderation.scan.arrow_sinks import ArrowSink

        return ArrowSink(output, spec)
    return JsonlSink(output, spec)


class FileSink:
    """Base of the sinks that write to an Output: opens it, and keeps it or drops it at the end."""

    def __init__(self, output: Output, spec: SinkSpec) -> None:
        self._output = output
        self._spec = spec

    def write(self, scored: Scored) -> None:
        """Take one batch."""
        raise NotImplementedError

    def begin(self) -> None:
        """Write what stands before the first post."""

    def finish(self) -> None:
        """Write what is left when the last post has come."""

    def abandon(self) -> None:
        """Let go of what was not written."""

    def __enter__(self) -> Self:
        try:
            self._output.open()
            self.begin()
        except BaseException:
            self._drop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._drop()
            return
        try:
            self.finish()
        except BaseException:
            self._drop()
            raise
        self._output.close(keep=True)

    def _drop(self) -> None:
        try:
            self.abandon()
        finally:
            self._output.close(keep=False)


class ByteSink(FileSink):
    """Base of the sinks that turn each batch into bytes of its own."""

    def encode(self, scored: Scored) -> bytes:
        """Return a batch as bytes."""
        raise NotImplementedError

    def write(self, scored: Scored) -> None:
        """Take one batch."""
        self._output.write(self.encode(scored))


class JsonlSink(ByteSink):
    """The verdict schema, one object a line."""

    def encode(self, scored: Scored) -> bytes:
        """Return a batch as JSON lines."""
        if not self._spec.with_text:
            return scored.verdicts.to_json_lines()
        rows = scored.verdicts.to_dicts()
        several = self._spec.fields.several
        for post, row in enumerate(rows):
            if several:
                row["fields"] = scored.fields(post)
            else:
                row["text"] = scored.texts[post]
        return b"".join(map(json_line, rows))


class CsvSink(ByteSink):
    """Verdicts flattened to one row of plain cells."""

    def begin(self) -> None:
        """Write the header."""
        columns = list(CSV_COLUMNS)
        if self._spec.with_text:
            fields = self._spec.fields
            columns += [f"fields.{name}" for name in fields.names] if fields.several else ["text"]
        self._output.write(csv_lines([columns]))

    def encode(self, scored: Scored) -> bytes:
        """Return a batch as CSV rows."""
        rows = []
        for post, verdict in enumerate(scored.verdicts):
            row = _flat(verdict)
            if self._spec.with_text:
                if self._spec.fields.several:
                    fields = scored.fields(post)
                    row += [storable(fields.get(name, "")) for name in self._spec.fields.names]
                else:
                    row.append(storable(scored.texts[post]))
            rows.append(row)
        return csv_lines(rows)


def _flat(verdict: Verdict) -> list[Any]:
    rules = (e.rule_id for label in verdict.labels for e in label.evidence)
    return [
        None if verdict.data_id is None else storable(verdict.data_id),
        verdict.action,
        verdict.risk_level,
        verdict.language,
        *verdict.category_scores.values(),
        _SEPARATOR.join(label.sub_label or label.label for label in verdict.labels),
        _SEPARATOR.join(dict.fromkeys(rule for rule in rules if rule is not None)),
        verdict.error,
    ]
