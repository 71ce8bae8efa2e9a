"""Read Parquet files and Arrow IPC files and streams, batch by batch."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from moderation.errors import RecordError, ShardError
from moderation.scan.groups import open_batches
from moderation.scan.plain import plain
from moderation.scan.rows import INVALID_UTF8, Gap, Place

if TYPE_CHECKING:
    from collections.abc import Collection

    from moderation.scan.options import ScanOptions
    from moderation.scan.plain import Plain, RowsOrPlain
    from moderation.scan.rows import Rows
    from moderation.scan.source import Source

__all__ = ["chosen_columns", "read_columnar", "read_together"]

_LONG: Final = 64
"""Bits of most times; the others have half of them."""


def read_columnar(
    source: Source, wanted: Collection[str], texts: Collection[str], *, place: Place | None = None
) -> Rows:
    """Yield the rows of a Parquet file, or of an Arrow IPC file or stream.

    Args:
        source: the input.
        wanted: columns to read, where they exist; the others are never decoded.
        texts: the text columns, of which at least one must exist and hold strings.
        place: learns how far an Arrow stream was read.

    Raises:
        ShardError: the text columns are missing, or the input cannot be read to its end. A damaged
            group of a file is a Gap.
    """
    choose = partial(chosen_columns, wanted=wanted, texts=texts)
    with open_batches(source, choose, place) as opened:
        for before, found in opened.batches:
            if isinstance(found, Gap):
                yield before + 1, found
            else:
                yield from _rows(found, before)


def read_together(
    source: Source, wanted: Collection[str], options: ScanOptions, place: Place
) -> RowsOrPlain:
    """Yield the rows of a Parquet or Arrow input, those of a batch together where all are plain.

    Args:
        source: the input.
        wanted: as for `read_columnar`.
        options: how to read it, with a single text field.
        place: as for `read_columnar`.

    Raises:
        ShardError: as by `read_columnar`.
    """
    choose = partial(chosen_columns, wanted=wanted, texts=options.fields.names)
    with open_batches(source, choose, place) as opened:
        for before, found in opened.batches:
            if isinstance(found, Gap):
                yield before + 1, found
                continue
            posts = _plain(found, before + 1, options)
            if posts is None:
                yield from _rows(found, before)
            else:
                yield posts


def chosen_columns(schema: Any, wanted: Collection[str], texts: Collection[str]) -> list[str]:
    """Return the columns of a schema that are to be read; arguments as for `read_columnar`.

    Raises:
        ShardError: the text columns are missing, or hold something else.
    """
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


def _rows(batch: Any, before: int) -> Rows:
    """Yield the rows of a batch that has so many before it."""
    from pyarrow import ArrowException

    names = batch.schema.names
    try:
        columns = [column.to_pylist() for column in batch.columns]
    except (ArithmeticError, ValueError, ArrowException):
        yield from _checked_rows(batch, before)
        return
    for number, values in enumerate(zip(*columns, strict=True), before + 1):
        yield number, dict(zip(names, values, strict=True))


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
