"""Read CSV: a header, then one record a line or several, streamed."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Final

from moderation.errors import RecordError, ShardError
from moderation.scan.rows import COLUMN_COUNT, INVALID_UTF8, LINE_TOO_LONG, MALFORMED_CSV, Place
from moderation.scan.streams import Lines, open_source, reading

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from io import BufferedReader

    from moderation.scan.rows import Rows
    from moderation.scan.source import Source

__all__ = ["read_csv"]

_COLUMN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_SHOWN: Final = 20


def read_csv(
    source: Source,
    wanted: Collection[str],
    texts: Collection[str],
    limit: int,
    *,
    max_ratio: int | None = None,
    place: Place | None = None,
) -> Rows:
    """Yield the records of a CSV input by the names in its header; blank lines are no records.

    Args:
        source: the input.
        wanted: columns to yield, where they exist.
        texts: the text columns, of which at least one must exist.
        limit: most bytes of a record; also bounds what an unclosed quote can swallow.
        max_ratio: see `open_source`.
        place: learns where each row stands.

    Raises:
        ShardError: the header lacks the text columns, or the input cannot be read to its end.
    """
    if csv.field_size_limit() < limit:
        csv.field_size_limit(limit)  # the module's own limit is 128 KiB a field
    place = place or Place()
    with reading(source), open_source(source, place, max_ratio) as stream:
        records = _records(stream, limit, place)
        for _, header in records:
            if isinstance(header, RecordError):
                raise ShardError(f"expected a CSV header, found {header}")
            break
        else:
            return
        columns = _columns(header, wanted, texts)
        for line, cells in records:
            if isinstance(cells, RecordError):
                yield line, cells
            elif len(cells) > len(header) and any(cells[len(header) :]):
                detail = f"expected {len(header)} columns as in the header, found {len(cells)}"
                yield line, RecordError(COLUMN_COUNT, detail)
            else:
                found = len(cells)
                yield line, {name: cells[at] for name, at in columns.items() if at < found}


def _records(
    stream: BufferedReader, limit: int, place: Place
) -> Iterator[tuple[int, list[str] | RecordError]]:
    """Yield each record's first line and its cells, or why it has none."""
    lines = _RecordLines(stream, limit)
    reader = csv.reader(lines)
    while True:
        place.offset = lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except RecordError as error:
            yield lines.first, error
            continue
        except csv.Error as error:
            yield lines.first, RecordError(MALFORMED_CSV, str(error))
            continue
        problem = lines.problem()
        if problem is not None:
            yield lines.first, problem
        elif cells:
            yield lines.first, cells


def _columns(header: list[str], wanted: Collection[str], texts: Collection[str]) -> dict[str, int]:
    names = [name.strip() for name in header]
    if not any(name in names for name in texts):
        expected = " or ".join(repr(name) for name in texts)
        raise ShardError(f"expected a column {expected} in the header, found {_shown(names)}")
    twice = [name for name in wanted if names.count(name) > 1]
    if twice:
        raise ShardError(f"column {twice[0]!r} stands twice in the header")
    return {name: names.index(name) for name in wanted if name in names}


def _shown(names: list[str]) -> str:
    """Return the names that cannot be a post's text: the file may lack a header."""
    plain = [name for name in names if _COLUMN_NAME.fullmatch(name)][:_SHOWN]
    others = len(names) - len(plain)
    if not plain:
        return f"{others} other columns"
    return ", ".join(plain) + (f" and {others} more" if others else "")


class _RecordLines:
    """Hands lines to a csv.reader, and remembers what happened within one record."""

    def __init__(self, stream: BufferedReader, limit: int) -> None:
        self._lines = Lines(stream, limit)
        self._limit = limit
        self.begin()

    def begin(self) -> int:
        """Say that the next line starts a record; return where."""
        self.first = self._lines.number + 1
        self._bytes = 0
        self._invalid = 0
        self._open = False
        return self._lines.end

    def problem(self) -> RecordError | None:
        """Return what is wrong with the record that was just read."""
        if self._open:
            detail = "a quoted field is not closed before the end of the input"
            return RecordError(MALFORMED_CSV, detail)
        if self._invalid:
            return RecordError(INVALID_UTF8, f"in line {self._invalid}")
        return None

    def __iter__(self) -> _RecordLines:
        return self

    def __next__(self) -> str:
        try:
            line = next(self._lines)
        except StopIteration:
            self._open = self._bytes > 0
            raise
        self._bytes += self._limit + 1 if line is None else len(line) + 1
        if line is None or self._bytes > self._limit + 1:
            detail = f"a record longer than {self._limit} bytes (--max-line-bytes)"
            raise RecordError(LINE_TOO_LONG, detail)
        try:
            return line.decode("utf-8") + self._lines.ending.decode()
        except UnicodeDecodeError:
            self._invalid = self._lines.number
            return line.decode("utf-8", "replace") + self._lines.ending.decode()
