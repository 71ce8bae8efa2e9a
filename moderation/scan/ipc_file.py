"""IPC files: where an Arrow file says that its record batches are, and how many rows each holds.

pyarrow tells neither without reading a batch, which may be damaged. Both stand in flatbuffers, of
which the few fields that are wanted here are read:
https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moderation.errors import ShardError

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["Block", "ipc_blocks", "ipc_rows"]

_MAGIC: Final = b"ARROW1"
_TAIL: Final = struct.Struct("<i6s")
"""Size of the footer, and the magic bytes that end a file."""
_BLOCK: Final = struct.Struct("<qi4xq")
_CONTINUES: Final = b"\xff\xff\xff\xff"
"""Stands before the length of a message, but for files of before Arrow 0.15."""
_RECORD_BATCHES: Final = 3
"""Field of Footer."""
_HEADER_TYPE: Final = 1
_HEADER: Final = 2
"""Fields of Message."""
_RECORD_BATCH: Final = 3
"""A header's type."""
_LENGTH: Final = 0
"""Field of RecordBatch."""
_MOST_METADATA: Final = 1 << 26
"""Bytes of one batch: those of a million columns."""


@dataclass(frozen=True, slots=True)
class Block:
    """A message of an IPC file."""

    offset: int
    metadata: int
    """Bytes of its metadata."""
    body: int
    """Bytes of its content."""


def ipc_blocks(file: BinaryIO) -> list[Block]:
    """Return the record batches that the footer of a file names, in their order.

    Raises:
        ShardError: it names none that could be read.
    """
    size = file.seek(0, 2)
    if size < len(_MAGIC) + _TAIL.size:
        raise ShardError("too short for a footer")
    file.seek(size - _TAIL.size)
    length, magic = _TAIL.unpack(file.read(_TAIL.size))
    begin = size - _TAIL.size - length
    if magic != _MAGIC or length <= 0 or begin < 0:
        raise ShardError("expected a footer at the end of the file")
    file.seek(begin)
    footer = _Bytes(file.read(length))
    at = footer.field(footer.root(), _RECORD_BATCHES)
    if at is None:
        return []
    at = footer.follow(at)
    first, end = at + 4, at + 4 + footer.unsigned(at) * _BLOCK.size
    if end > length:
        raise ShardError("the footer ends within its list of record batches")
    return [Block(*found) for found in _BLOCK.iter_unpack(footer.data[first:end])]


def ipc_rows(file: BinaryIO, block: Block) -> int:
    """Return how many rows a record batch has.

    Raises:
        ShardError: its metadata do not say it.
    """
    if block.offset < 0 or not 0 <= block.metadata <= _MOST_METADATA:
        raise ShardError("the footer names a place where no record batch can be")
    file.seek(block.offset)
    data = file.read(block.metadata)
    message = _Bytes(data[8:] if data.startswith(_CONTINUES) else data[4:])
    root = message.root()
    kind, header = message.field(root, _HEADER_TYPE), message.field(root, _HEADER)
    if kind is None or header is None or message.byte(kind) != _RECORD_BATCH:
        raise ShardError("expected a record batch where the footer names one")
    length = message.field(message.follow(header), _LENGTH)
    rows = 0 if length is None else message.long(length)
    if rows < 0:
        raise ShardError(f"a record batch of {rows} rows")
    return rows


class _Bytes:
    """A flatbuffer, read with every place checked."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def root(self) -> int:
        """Return the place of the outermost table."""
        return self.follow(0)

    def follow(self, at: int) -> int:
        """Return the place that an offset leads to."""
        return at + self.unsigned(at)

    def field(self, table: int, number: int) -> int | None:
        """Return the place of a table's field; None where it has none."""
        fields = table - self._read("<i", table)
        slot = 4 + 2 * number
        if slot >= self._read("<H", fields):
            return None
        offset = self._read("<H", fields + slot)
        return table + offset if offset else None

    def byte(self, at: int) -> int:
        """Return the byte at a place."""
        return self._read("<B", at)

    def unsigned(self, at: int) -> int:
        """Return the number of 32 bits at a place."""
        return self._read("<I", at)

    def long(self, at: int) -> int:
        """Return the signed number of 64 bits at a place."""
        return self._read("<q", at)

    def _read(self, form: str, at: int) -> int:
        if not 0 <= at <= len(self.data) - struct.calcsize(form):
            raise ShardError("metadata that lead out of themselves")
        found: int = struct.unpack_from(form, self.data, at)[0]
        return found
