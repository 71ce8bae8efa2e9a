"""Groups: Parquet and Arrow files by their row groups and record batches; what is damaged is named.

A group is read by itself, from its start: what can be read of it depends neither on the groups
beside it nor on where a scan was stopped.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from moderation.errors import ShardError
from moderation.scan.arrow_inputs import damage, reading_arrow, sound
from moderation.scan.ipc_file import ipc_blocks, ipc_rows
from moderation.scan.rows import Gap
from moderation.scan.source import STDIN, Groups
from moderation.scan.streams import open_source

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator

    from moderation.scan.rows import Place
    from moderation.scan.source import Source

__all__ = ["Opened", "cut", "open_batches"]

_ROWS: Final = 4096
_BUFFER: Final = 1 << 20
_ROW_BYTES: Final = 1 << 10
"""Most that a row counts where groups are gathered: columns that are not read may be larger."""
_FILE_MAGIC: Final = b"ARROW1"
_STREAM_WITHIN_FILE: Final = 8
"""Bytes before the stream that an IPC file holds, for files that come through a pipe."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An input that is open."""

    schema: Any
    """None where it is empty."""
    batches: Iterator[tuple[int, Any]]
    """A batch or a Gap, each with the number of the rows that stand before it."""


@dataclass(frozen=True, slots=True)
class _Grouped:
    """A file of groups that is open."""

    kind: str
    schema: Any
    count: int
    rows: Callable[[int], int]
    size: Callable[[int], int]
    """Bytes of a group: before compression (Parquet), or as they stand in the file (Arrow)."""
    read: Callable[[int], Iterator[Any]]


@contextmanager
def open_batches(
    source: Source, choose: Callable[[Any], list[str] | None], place: Place | None = None
) -> Iterator[Opened]:
    """Open a Parquet or Arrow input, or the groups of it that are asked for.

    Args:
        source: the input.
        choose: returns the columns to read of a schema; None: all. May raise ShardError.
        place: learns how far an Arrow stream was read.

    Raises:
        ShardError: it cannot be opened, or, while its batches are read, not be read any further.
    """
    with reading_arrow(source), _opened(source, choose, place) as found:
        if isinstance(found, _Grouped):
            yield Opened(found.schema, _batches(found, source))
        else:
            yield found


def cut(
    source: Source,
    choose: Callable[[Any], list[str] | None],
    file_bytes: int,
    least: int,
    most: int,
) -> list[Groups]:
    """Return the pieces in which a file can be read, each of some groups.

    Args:
        source: a Parquet or Arrow file.
        choose: as for `open_batches`.
        file_bytes: its size, which is shared out between the pieces.
        least: bytes that a piece has, but for the last one; a row counts as 1 KiB at most.
        most: pieces; of a file with more content each has more.

    Returns:
        No piece for an Arrow stream, and for a file that cannot be opened: reading it will say why.
        One where the first group cannot be read: it may be that none can, which is said once.
    """
    try:
        with reading_arrow(source), _opened(source, choose, None) as file:
            if not isinstance(file, _Grouped):
                return []
            rows = [file.rows(at) for at in range(file.count)]
            sizes = [
                max(min(file.size(at), count * _ROW_BYTES), 0) for at, count in enumerate(rows)
            ]
            filled = [at for at, count in enumerate(rows) if count]
            whole = len(filled) < 2 or not _is_readable(file, filled[0])
    except ShardError:
        return []
    total = max(sum(sizes), 1)
    least = max(least, -(-total // most))
    pieces: list[Groups] = []
    begin = before = count = size = read = told = 0
    for at, (more, content) in enumerate(zip(rows, sizes, strict=True), 1):
        count, size, read = count + more, size + content, read + content
        if at < len(rows) and (whole or size < least):
            continue
        share = file_bytes if at == len(rows) else file_bytes * read // total
        pieces.append(Groups(begin, at, before, count, share - told))
        begin, before, told = at, before + count, share
        count = size = 0
    return pieces or [Groups(0, 0, 0, 0, file_bytes)]


@contextmanager
def _opened(
    source: Source, choose: Callable[[Any], list[str] | None], place: Place | None
) -> Iterator[_Grouped | Opened]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if source.format == "parquet":
        with pq.ParquetFile(source.name, buffer_size=_BUFFER) as file:
            yield _parquet(file, choose(file.schema_arrow))
        return
    with open_source(source, place) as stream:
        if not stream.peek(1):
            yield Opened(None, iter(()))
            return
        is_file = stream.peek(len(_FILE_MAGIC)).startswith(_FILE_MAGIC)
        if is_file and source.name != STDIN and stream.seekable():
            yield _arrow_file(stream, choose)
            return
        if is_file:
            stream.read(_STREAM_WITHIN_FILE)
        batches = pa.ipc.open_stream(stream)
        columns = choose(batches.schema)
        yield Opened(batches.schema, _counted(_sound(batch, columns) for batch in batches))


def _parquet(file: Any, columns: list[str] | None) -> _Grouped:
    metadata = file.metadata  # of columns it must not be asked: damaged ones end the process

    def rows(at: int) -> int:
        found: int = metadata.row_group(at).num_rows
        if found < 0:
            raise ShardError(f"damaged parquet: row group {at} (counted from 0) of {found} rows")
        return found

    def read(at: int) -> Iterator[Any]:
        found: Iterator[Any] = file.iter_batches(
            _ROWS, row_groups=[at], columns=columns, use_threads=False
        )
        return found

    return _Grouped(
        "row group",
        file.schema_arrow,
        file.num_row_groups,
        rows,
        lambda at: int(metadata.row_group(at).total_byte_size),
        read,
    )


def _arrow_file(stream: io.BufferedReader, choose: Callable[[Any], list[str] | None]) -> _Grouped:
    import pyarrow as pa

    file = pa.ipc.open_file(stream)
    columns = choose(file.schema)
    try:
        blocks = ipc_blocks(stream)
    except ShardError as error:
        raise ShardError(f"damaged arrow: {error}") from None

    def rows(at: int) -> int:
        try:
            return ipc_rows(stream, blocks[at])
        except ShardError as error:
            raise ShardError(
                f"damaged arrow: record batch {at} (counted from 0): {error}"
            ) from None

    def read(at: int) -> Iterator[Any]:
        batch = _sound(file.get_batch(at), columns)
        return (batch.slice(begin, _ROWS) for begin in range(0, batch.num_rows, _ROWS))

    return _Grouped(
        "record batch",
        file.schema,
        len(blocks),
        rows,
        lambda at: blocks[at].body,
        read,
    )


def _sound(batch: Any, columns: list[str] | None) -> Any:
    return sound(batch if columns is None else batch.select(columns))


def _counted(batches: Iterator[Any]) -> Iterator[tuple[int, Any]]:
    """Yield batches of bounded length, with the number of the rows before each."""
    number = 0
    for batch in batches:
        for at in range(0, batch.num_rows, _ROWS):
            yield number + at, batch.slice(at, _ROWS)
        number += batch.num_rows


def _batches(file: _Grouped, source: Source) -> Iterator[tuple[int, Any]]:
    """Yield the batches and gaps of a file, or of the groups of it that are asked for."""
    groups = source.groups or Groups(0, file.count, 0, 0, 0)
    number, left = groups.before, groups.done
    whole = groups.begin == 0 and groups.end == file.count
    for at in range(groups.begin, groups.end):
        rows = file.rows(at)
        if rows <= left:
            left -= rows
            number += rows
            continue
        found, problem = 0, None
        try:
            for batch in file.read(at):
                skipped = min(max(left - found, 0), batch.num_rows)
                if skipped < batch.num_rows:
                    yield number + found + skipped, batch.slice(skipped)
                found += batch.num_rows
        except Exception as error:
            problem = damage(error)
            if problem is None:
                raise
            if whole and not number + found and not _has_readable(file):
                raise
        if problem is None and found < rows:
            problem = f"expected {rows:,} rows, found {found:,}"
        if problem is not None:
            begin = max(found, left)
            named = f"{file.kind} {at} (counted from 0)"
            place = f"rows {number + begin + 1:,} to {number + rows:,}"
            yield (
                number + begin,
                Gap(rows - begin, f"damaged {source.format}: {named}, {place}: {problem}"),
            )
        number += rows
        left = 0


def _has_readable(file: _Grouped) -> bool:
    """Say whether any row can be read: where a dictionary is damaged, none can."""
    return any(file.rows(at) and _is_readable(file, at) for at in range(file.count))


def _is_readable(file: _Grouped, at: int) -> bool:
    try:
        next(iter(file.read(at)), None)
    except Exception as error:
        if damage(error) is None:
            raise
        return False
    return True
