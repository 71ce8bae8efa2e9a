"""Spool: what one unit of work has written so far, and the checkpoint it can go on from."""

from __future__ import annotations

import os
import zlib
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from moderation.errors import ModerationError
from moderation.scan.durable import explaining, json_bytes, read_json, write_whole

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from moderation.scan.layout import UnitFiles

__all__ = ["Checkpoint", "Spool", "read_checkpoint", "wait_for_writer"]

_BLOCK: Final = 1 << 20
_APPEND: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A point that a unit can go on from: everything before it is durable."""

    records: int = 0
    """Records read, rejected ones among them, and rows that cannot be read."""
    line: int = 0
    """Line of the last one."""
    offset: int | None = None
    """Where the next one starts, in formats that can be read on from there."""
    rows_bytes: int = 0
    rows_crc: int = 0
    errors_bytes: int = 0
    errors_crc: int = 0
    bytes_read: int = 0
    """How far the file was read, about."""
    fields_seen: tuple[str, ...] = ()
    """Text fields that some record had."""
    statistics: dict[str, Any] | None = None
    done: bool = False
    failed: str | None = None
    """The reason why the input could not be read in full, or not be trusted."""


def read_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint in a file, or where a unit starts that has none yet.

    Raises:
        ModerationError: the file holds something else.
    """
    found = read_json(path)
    if found is None:
        return Checkpoint()
    try:
        checkpoint = Checkpoint(**found)
    except TypeError as error:
        raise ModerationError(f"{path}: expected a checkpoint, found: {error}") from error
    return replace(checkpoint, fields_seen=tuple(checkpoint.fields_seen))


class Spool:
    """Rows and errors of a unit, appended to; a context manager that holds a lock meanwhile.

    Entering it cuts off what was written after the last checkpoint.
    """

    def __init__(self, files: UnitFiles) -> None:
        self._files = files
        self._rows = _Appended(files.rows)
        self._errors = _Appended(files.errors)
        self.checkpoint = Checkpoint()

    def __enter__(self) -> Spool:
        try:
            self._rows.open()
            self._errors.open()
            self.checkpoint = point = read_checkpoint(self._files.checkpoint)
            self._rows.cut(point.rows_bytes, point.rows_crc)
            self._errors.cut(point.errors_bytes, point.errors_crc)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, rows: bytes, errors: bytes) -> None:
        """Append; what was written counts from the next checkpoint on."""
        self._rows.write(rows)
        self._errors.write(errors)

    def save(self, point: Checkpoint) -> None:
        """Make what was written durable, then the checkpoint that speaks of it."""
        self._rows.sync()
        self._errors.sync()
        self.checkpoint = replace(
            point,
            rows_bytes=self._rows.size,
            rows_crc=self._rows.crc,
            errors_bytes=self._errors.size,
            errors_crc=self._errors.crc,
        )
        write_whole(self._files.checkpoint, json_bytes(asdict(self.checkpoint)))

    def close(self) -> None:
        """Let go of the files, and of the lock."""
        self._rows.close()
        self._errors.close()


class _Appended:
    """A file that grows, with the checksum of what is in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._unsynced = False
        self.size = self.crc = 0

    def open(self) -> None:
        """Open the file; wait for a worker of a scan that was killed to let go of it."""
        with explaining(self._path):
            handle = os.open(self._path, _APPEND | getattr(os, "O_CLOEXEC", 0), 0o666)
            self._file = os.fdopen(handle, "r+b")
            _lock(handle)

    def cut(self, size: int, crc: int) -> None:
        """Keep the first bytes, which must be those of the checkpoint."""
        assert self._file is not None, "open comes first"
        with explaining(self._path):
            left = size
            while left and (block := self._file.read(min(left, _BLOCK))):
                self.crc = zlib.crc32(block, self.crc)
                left -= len(block)
            if left or self.crc != crc:
                raise ModerationError(
                    f"{self._path}: expected {size:,} bytes of checksum {crc:08x}, found "
                    f"{size - left:,} of {self.crc:08x}: the state of the scan is damaged; "
                    "--force starts it again"
                )
            self._file.seek(size)
            self._file.truncate(size)
            self.size = size

    def write(self, data: bytes) -> None:
        """Append bytes."""
        assert self._file is not None, "open comes first"
        if not data:
            return
        with explaining(self._path):
            self._file.write(data)
        self._unsynced = True
        self.size += len(data)
        self.crc = zlib.crc32(data, self.crc)

    def sync(self) -> None:
        """Make what was written durable."""
        assert self._file is not None, "open comes first"
        if not self._unsynced:
            return
        with explaining(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
        self._unsynced = False

    def close(self) -> None:
        """Close the file, whatever could not be written."""
        if self._file is None:
            return
        try:
            self._file.close()
        except OSError:  # full: what stands after the checkpoint is cut off later
            pass
        finally:
            self._file = None


def wait_for_writer(rows: Path) -> None:
    """Wait until a worker of a scan that was killed has let go of its rows and its checkpoint."""
    handle = os.open(rows, os.O_RDWR)
    try:
        _lock(handle)
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    try:
        import fcntl
    except ImportError:  # not on Windows, where an open file cannot be replaced either
        return
    fcntl.flock(handle, fcntl.LOCK_EX)
