"""Redacted files: copies of posts in their own format, of which only masked texts differ."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol, cast

import msgspec

from moderation.errors import ConfigError, ShardError
from moderation.scan.csv_line import csv_lines
from moderation.scan.groups import open_batches
from moderation.scan.json_line import json_line, storable
from moderation.scan.jsonl import parse_line
from moderation.scan.output import UnseekableFile
from moderation.scan.pairs import Post, read_posts
from moderation.scan.rows import Gap
from moderation.scan.source import STDIN
from moderation.scan.streams import Lines, open_source, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from moderation.scan.options import ScanOptions
    from moderation.scan.output import Output
    from moderation.scan.rejections import Rejection
    from moderation.scan.source import Source

__all__ = ["Copy", "open_copy", "posts_to_copy"]

_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_JSON: Final = msgspec.json.Encoder()


class Copy(Protocol):
    """Writes posts in the format that they came in."""

    def write(self, post: Post, changed: Mapping[str, Any]) -> None:
        """Copy a post, with new values of some fields."""

    def finish(self) -> None:
        """Write what is left when the last post has come."""


def open_copy(output: Output, sources: Sequence[Source], limit: int) -> Copy:
    """Return what writes a copy of inputs to an open output.

    Raises:
        ConfigError: the inputs do not fit into one file.
    """
    kinds = sorted({source.format for source in sources})
    if len(kinds) > 1:
        raise ConfigError(f"expected inputs of one format, found {' and '.join(kinds)}")
    if kinds == ["jsonl"]:
        return _JsonCopy(output)
    for source in sources:
        if source.name == STDIN:
            raise ConfigError(
                f"-: {source.format} cannot be copied from a pipe; give the file's path"
            )
    if kinds == ["csv"]:
        return _CsvCopy(output, sources, limit)
    return _ArrowCopy(output, sources)


def posts_to_copy(
    sources: Sequence[Source], options: ScanOptions, reject: Callable[[Rejection], None]
) -> Iterator[Post]:
    """Yield posts as `pairs.read_posts` does, with all that a copy needs of them."""

    def columns(source: Source) -> Sequence[str]:
        return csv_header(source, options.max_line_bytes) if source.format == "csv" else ()

    return read_posts(sources, options, reject, columns)


class _JsonCopy:
    """JSON lines; what does not change keeps its bytes."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, post: Post, changed: Mapping[str, Any]) -> None:
        assert post.raw is not None, "JSON lines come with their bytes"
        self._output.write(_patched(post.raw, changed) if changed else post.raw + b"\n")

    def finish(self) -> None:
        """Nothing is left."""


def _patched(line: bytes, changed: Mapping[str, Any]) -> bytes:
    """Return a line with some values replaced; numbers and the like stay as they were written."""
    try:
        fields = _FIELDS.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):  # what only parse_line can read
        return json_line({**parse_line(line), **changed})
    for name, value in changed.items():
        fields[name] = msgspec.Raw(json_line({"": value})[len(b'{"":') : -len(b"}\n")])
    return _JSON.encode(fields) + b"\n"


def csv_header(source: Source, limit: int) -> list[str]:
    """Return the names in the first record of a CSV file; none where it cannot be read."""
    try:
        with reading(source), open_source(source) as stream:
            lines = (
                line.decode("utf-8") + "\n" for line in Lines(stream, limit) if line is not None
            )
            return [name.strip() for name in next(csv.reader(lines), [])]
    except (ShardError, UnicodeDecodeError, csv.Error):
        return []  # reading the posts says what is wrong


class _CsvCopy:
    """CSV with the columns of the inputs, which must be the same."""

    def __init__(self, output: Output, sources: Sequence[Source], limit: int) -> None:
        self._output = output
        self._header = csv_header(sources[0], limit)
        for source in sources[1:]:
            found = csv_header(source, limit)
            if found != self._header:
                raise ConfigError(
                    f"{source.name}: expected the columns of {sources[0].name}, found "
                    f"{len(found)} others: copy them one by one"
                )
        self._row(self._header)

    def write(self, post: Post, changed: Mapping[str, Any]) -> None:
        self._row([changed.get(name, post.record.get(name, "")) for name in self._header])

    def finish(self) -> None:
        """Nothing is left."""

    def _row(self, cells: Sequence[str]) -> None:
        self._output.write(csv_lines([cells]))


class _ArrowCopy:
    """Parquet or Arrow with the schema of the inputs; every other column is copied, not read."""

    def __init__(self, output: Output, sources: Sequence[Source]) -> None:
        import pyarrow as pa

        self._batches = _batches(sources)
        self._sources = {source.name: source for source in sources}
        self._file: Any = pa.PythonFile(cast("BinaryIO", UnseekableFile(output)), mode="w")
        self._kind = sources[0].format
        self._writer: Any = None
        self._schema: Any = None
        self._batch: Any = None
        self._name = ""
        self._damage: str | None = None
        self._begin = 0
        self._rows: list[int] = []
        self._changed: list[Mapping[str, Any]] = []

    def write(self, post: Post, changed: Mapping[str, Any]) -> None:
        while (
            self._batch is None
            or self._name != post.source
            or post.line > self._begin + self._batch.num_rows
        ):
            self._next()
        if post.line <= self._begin:  # its texts can be read, other columns of it cannot
            raise ShardError(f"{post.place}: {self._damage or 'expected this row, found none'}")
        self._rows.append(post.line - 1 - self._begin)
        self._changed.append(changed)

    def finish(self) -> None:
        """Write the last batch, and the end of the file."""
        self._flush()
        for _, _, schema, _ in self._batches:
            self._open(schema)
        if self._writer is not None:
            self._writer.close()

    def _next(self) -> None:
        self._flush()
        self._name, self._begin, schema, found = next(self._batches)
        if isinstance(found, Gap):
            self._damage = found.detail
            self._batch = None
            return
        self._batch = found
        self._open(schema)

    def _open(self, schema: Any) -> None:
        if self._writer is not None:
            if not self._schema.equals(schema):
                raise ConfigError(
                    f"{self._name}: expected the columns of the inputs before it: copy them one "
                    "by one"
                )
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._schema = schema
        self._writer = (
            pq.ParquetWriter(self._file, schema, compression="zstd")
            if self._kind == "parquet"
            else pa.ipc.new_stream(self._file, schema)
        )

    def _flush(self) -> None:
        import pyarrow as pa

        if not self._rows:
            return
        batch = self._batch.take(pa.array(self._rows, pa.int64()))
        for name in sorted({name for changed in self._changed for name in changed}):
            at = batch.schema.get_field_index(name)
            field = batch.schema.field(at)
            values = batch.column(at).to_pylist()
            values = [
                _storable(changed.get(name, value))
                for changed, value in zip(self._changed, values, strict=True)
            ]
            batch = batch.set_column(at, field, _column(values, field.type))
        self._writer.write_batch(batch)
        self._rows, self._changed = [], []


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {name: _storable(item) for name, item in value.items()}
    return value


def _column(values: list[Any], kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(values, kind)


def _batches(sources: Sequence[Source]) -> Iterator[tuple[str, int, Any, Any]]:
    """Yield name, number of the rows before it, schema and rows or gap of all of the inputs."""
    import pyarrow as pa

    for source in sources:
        with open_batches(source, lambda _: None) as opened:
            if opened.schema is None:
                continue
            yield source.name, 0, opened.schema, pa.RecordBatch.from_pylist([], opened.schema)
            for begin, found in opened.batches:
                yield source.name, begin, opened.schema, found
