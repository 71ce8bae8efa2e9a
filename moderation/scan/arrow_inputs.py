"""Arrow inputs: what pyarrow says of a damaged one, and what it does not look at."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from moderation.errors import ShardError
from moderation.scan.streams import reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moderation.scan.source import Source

__all__ = ["damage", "reading_arrow", "sound"]


def damage(error: Exception) -> str | None:
    """Return what an error says of an input that is damaged; None where it is about another thing.

    Args:
        error: what pyarrow has raised.
    """
    import pyarrow as pa

    if isinstance(error, UnicodeDecodeError):  # of a value it would concern its row alone
        return "a column's name is not UTF-8"
    if isinstance(error, MemoryError):  # most likely a length that nobody has written
        return "it asks for more memory than there is"
    if isinstance(error, pa.ArrowException) or (isinstance(error, OSError) and error.errno is None):
        return str(error).partition("\n")[0]
    return None


@contextmanager
def reading_arrow(source: Source) -> Iterator[None]:
    """Turn what pyarrow has to say about an input into a ShardError."""
    with reading(source):
        try:
            yield
        except Exception as error:
            told = damage(error)
            if told is None:
                raise
            raise ShardError(f"damaged {source.format}: {told}") from error


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
