"""Read Parquet files and Arrow IPC files and streams, batch by batch."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from moderation.errors import RecordError, ShardError
from moderation.scan.plain import plain
from moderation.scan.rows import INVALID_UTF8, Place
from moderation.scan.source import STDIN
from moderation.scan.streams import open_source, reading

if TYPE_CHECKING:
    import io
    from collections.abc import Collection, Iterator

    from moderation.scan.options import ScanOptions
    from moderation.scan.plain import Plain, RowsOrPlain
    from moderation.scan.rows import Rows
    from moderation.scan.source import Source

__all__ = [
    "arrow_batches",
    "read_arrow",
    "read_parquet",
    "read_together",
    "reading_arrow",
    "sound",
]

_ROWS: Final = 4096
_BUFFER: Final = 1 << 20
_FILE_MAGIC: Final = b"ARROW1"
_LONG: Final = 64
"""Bits of most times; the others have half of them."""
_STREAM_WITHIN_FILE: Final = 8
"""Bytes before the stream that an IPC file holds, for files that come through a pipe."""


def read_parquet(
    source: Source, wanted: Collection[str], texts: Collection[str], *, place: Place | None = None
) -> Rows:
    """Yield the rows of a Parquet file.

    Args:
        source: the input.
        wanted: columns to read, where they exist; the others are never decoded.
        texts: the text columns, of which at least one must exist and hold strings.
        place: learns how far the file was read.

    Raises:
        ShardError: the text columns are missing, or the file cannot be read to its end.
    """
    with reading_arrow(source), _parquet(source, wanted, texts, place) as batches:
        yield from _rows(batches)


def read_arrow(
    source: Source, wanted: Collection[str], texts: Collection[str], *, place: Place | None = None
) -> Rows:
    """Yield the rows of an Arrow IPC file or stream; arguments as for `read_parquet`.

    Raises:
        ShardError: the text columns are missing, or the input cannot be read to its end.
    """
    with reading_arrow(source), _arrow(source, wanted, texts, place) as batches:
        yield from _rows(batches)


def read_together(
    source: Source, wanted: Collection[str], options: ScanOptions, place: Place
) -> RowsOrPlain:
    """Yield the rows of a Parquet or Arrow input, those of a batch together where all are plain.

    Args:
        source: the input.
        wanted: as for `read_parquet`.
        options: how to read it, with a single text field.
        place: learns how far the file was read.

    Raises:
        ShardError: as by `read_parquet`.
    """
    opened = _parquet if source.format == "parquet" else _arrow
    number = 0
    with (
        reading_arrow(source),
        opened(source, wanted, options.fields.names, place) as batches,
    ):
        for batch in batches:
            posts = _plain(batch, number + 1, options)
            if posts is None:
                yield from _rows(iter([batch]), number)
            else:
                yield posts
            number += batch.num_rows


@contextmanager
def _parquet(
    source: Source, wanted: Collection[str], texts: Collection[str], place: Place | None
) -> Iterator[Iterator[Any]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(source.name, buffer_size=_BUFFER) as file:
        columns = _columns(file.schema_arrow, wanted, texts)
        handed_out = _Counter()
        if place is not None:
            size, total = Path(source.name).stat().st_size, max(file.metadata.num_rows, 1)
            place.tell = lambda: size * handed_out.rows // total
        batches = file.iter_batches(_ROWS, columns=columns, use_threads=False)
        yield handed_out.count(batches)


@contextmanager
def _arrow(
    source: Source, wanted: Collection[str], texts: Collection[str], place: Place | None
) -> Iterator[Iterator[Any]]:
    with open_source(source, place) as stream:
        if not stream.peek(1):
            yield iter(())
            return
        schema, batches = arrow_batches(stream, seekable=source.name != STDIN)
        columns = _columns(schema, wanted, texts)
        yield (
            batch.slice(at, _ROWS)
            for batch in map(sound, (batch.select(columns) for batch in batches))
            for at in range(0, batch.num_rows, _ROWS)
        )


def arrow_batches(stream: io.BufferedReader, *, seekable: bool) -> tuple[Any, Iterator[Any]]:
    """Return the schema of an Arrow IPC file or stream, and its batches, which nobody has checked.

    Raises:
        pyarrow.ArrowException: it is neither, then or while the batches are read.
    """
    import pyarrow as pa

    is_file = stream.peek(len(_FILE_MAGIC)).startswith(_FILE_MAGIC)
    if is_file and seekable:
        file = pa.ipc.open_file(stream)
        return file.schema, (file.get_batch(at) for at in range(file.num_record_batches))
    if is_file:
        stream.read(_STREAM_WITHIN_FILE)
    batches = pa.ipc.open_stream(stream)
    return batches.schema, batches


def sound(batch: Any) -> Any:
    """Return a batch whose offsets and indices lie within it; UTF-8 is looked at row by row.

    pyarrow takes both as they stand in the file. Followed, they would lead out of the batch, into
    the memory of the process.

    Raises:
        pyarrow.ArrowInvalid: they do not.
    """
    import pyarrow as pa

    for column in batch.columns:
        if pa.types.is_primitive(column.type):  # nothing in it leads anywhere
            column.validate()
            continue
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            raw = _without_utf8(column.type)
            if raw == column.type:
                raise
            column.view(raw).validate(full=True)
    return batch


def _without_utf8(kind: Any) -> Any:
    """Return the type of the same layout in which strings are bytes."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _without_utf8(kind.value_type), kind.ordered)
    if pa.types.is_list(kind):
        return pa.list_(_without_utf8(kind.value_type))
    if pa.types.is_large_list(kind):
        return pa.large_list(_without_utf8(kind.value_type))
    for strings, raw in (
        (pa.types.is_string, pa.binary()),
        (pa.types.is_large_string, pa.large_binary()),
        (pa.types.is_string_view, pa.binary_view()),
    ):
        if strings(kind):
            return raw
    return kind


class _Counter:
    """Counts the rows of the batches that were asked for."""

    def __init__(self) -> None:
        self.rows = 0

    def count(self, batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            self.rows += batch.num_rows
            yield batch


@contextmanager
def reading_arrow(source: Source) -> Iterator[None]:
    """Turn what pyarrow has to say about an input into a ShardError."""
    import pyarrow as pa

    with reading(source):
        try:
            yield
        except OSError as error:
            if error.errno is not None:
                raise
            raise ShardError(f"damaged {source.format}: {_first_line(error)}") from error
        except pa.ArrowException as error:
            raise ShardError(f"damaged {source.format}: {_first_line(error)}") from error
        except MemoryError as error:  # most likely a length that nobody has written
            raise ShardError(
                f"damaged {source.format}: it asks for more memory than there is"
            ) from error
        except UnicodeDecodeError as error:  # of a value it would concern its row alone
            raise ShardError(f"damaged {source.format}: a column's name is not UTF-8") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _columns(schema: Any, wanted: Collection[str], texts: Collection[str]) -> list[str]:
    names = list(schema.names)
    present = [name for name in texts if name in names]
    if not present:
        expected = " or ".join(repr(name) for name in texts)
        raise ShardError(f"expected a column {expected}, found {', '.join(names) or 'none'}")
    columns = [name for name in wanted if name in names]
    twice = [name for name in columns if names.count(name) > 1]
    if twice:
        raise ShardError(f"column {twice[0]!r} stands twice in the schema")
    for name in present:
        kind = schema.field(name).type
        if not _holds_text(kind, lists=len(texts) > 1):
            raise ShardError(f"expected strings in column {name!r}, found {kind}")
    return columns


def _holds_text(kind: Any, *, lists: bool) -> bool:
    from pyarrow import types

    if lists and (types.is_list(kind) or types.is_large_list(kind)):
        kind = kind.value_type
    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_null(kind)
    )


def _plain(batch: Any, line: int, options: ScanOptions) -> Plain | None:
    """Return a batch's rows as posts; None: one of them has to be looked at by itself."""
    from pyarrow import ArrowException

    (name,), id_field = options.fields.names, options.id_field
    if not batch.num_rows:
        return None
    ids = [None] * batch.num_rows
    try:
        texts = batch.column(name).to_pylist()
        if id_field in batch.schema.names:
            ids = batch.column(id_field).to_pylist()
    except (ArithmeticError, ValueError, ArrowException):
        return None
    return plain(line, ids, texts, options)


def _rows(batches: Iterator[Any], number: int = 0) -> Rows:
    from pyarrow import ArrowException

    for batch in batches:
        names = batch.schema.names
        try:
            columns = [column.to_pylist() for column in batch.columns]
        except (ArithmeticError, ValueError, ArrowException):
            yield from _checked_rows(batch, number)
        else:
            for number_, values in enumerate(zip(*columns, strict=True), number + 1):
                yield number_, dict(zip(names, values, strict=True))
        number += batch.num_rows


def _checked_rows(batch: Any, number: int) -> Rows:
    """Yield rows one at a time, for batches with a value that Python has no equal to."""
    for at in range(batch.num_rows):
        values: dict[str, Any] = {}
        problem = None
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            try:
                values[name] = _value(column, at)
            except UnicodeDecodeError:
                problem = RecordError(INVALID_UTF8, f"in column {name!r}")
        yield number + at + 1, problem or values


def _value(column: Any, at: int) -> Any:
    """Return a value; a time too fine or too far away for Python as its text, or as its number."""
    import pyarrow as pa

    try:
        return column[at].as_py()
    except UnicodeDecodeError:
        raise
    except (ArithmeticError, ValueError, pa.ArrowException):
        if not pa.types.is_temporal(column.type):
            raise
    one = column.slice(at, 1)
    try:
        return one.cast(pa.string())[0].as_py()
    except pa.ArrowException:  # a time zone that nobody knows
        return str(one.view(pa.int64() if column.type.bit_width == _LONG else pa.int32())[0])
