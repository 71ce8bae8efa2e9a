"""Output: where bytes go; a file takes its place only once it is complete."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol, TextIO

from moderation.errors import ConfigError
from moderation.scan.durable import explaining, open_new, sync_folder
from moderation.scan.source import STDIN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from moderation.scan.source import Source

__all__ = ["Output", "UnseekableFile", "check_output"]

_BLOCK: Final = 1 << 18
"""A compressor is fed blocks of this size, so that its output does not depend on batch size."""
_GZIP_LEVEL: Final = 6
_GZIP_WINDOW: Final = 31
"""For zlib: a window of 2 ** 15 bytes, in a gzip wrapper without name and time."""


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def check_output(path: Path | None, sources: Sequence[Source], what: str) -> None:
    """Refuse a file that cannot be written, or that would overwrite an input.

    Args:
        path: the file to be written; None for standard output, which may lead into a file.
        sources: the inputs.
        what: the option that named it, for the message.

    Raises:
        ConfigError: with the path and what is wrong.
    """
    if path is None:
        path, what, output = Path("-"), "standard output", _stream_stat(sys.stdout)
    else:
        _check_place(path, what)
        output = path.stat() if path.is_file() else None
    if output is None or not stat.S_ISREG(output.st_mode):
        return
    for source in sources:
        standard = source.name == STDIN
        found = _stream_stat(sys.stdin) if standard else Path(source.name).stat()
        if found is not None and os.path.samestat(found, output):
            raise ConfigError(
                f"{path}: {what} would overwrite the input {source.name}; name another file"
            )


def _stream_stat(stream: TextIO | None) -> os.stat_result | None:
    try:
        return None if stream is None else os.fstat(stream.fileno())
    except (OSError, ValueError):  # not a file of the system's
        return None


def _check_place(path: Path, what: str) -> None:
    if path.is_dir():
        raise ConfigError(f"{path}: expected a file name for {what}, found a folder")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: {what}: the folder {path.parent} does not exist")


class Output:
    """Bytes for a file, or for standard output where the path is None.

    A file is written beside its name, made durable and renamed by `close`, whatever stood there
    before staying in place until then. Pipes and devices are written to directly.

    Attributes:
        size: bytes written so far, compressed.
    """

    def __init__(
        self, path: Path | None, compression: str | None = None, temporary: Path | None = None
    ) -> None:
        """Name an output; nothing is made before `open`.

        Args:
            path: the file; None for standard output.
            compression: None, "gzip" or "zstd".
            temporary: where to write it first, in the same file system; what stands there is
                overwritten. Default: a new name beside it.
        """
        self._path = path
        self._name = "standard output" if path is None else str(path)
        self._target: Path | None = None
        self._temporary: Path | None = None
        self._asked = temporary
        self._digest = hashlib.sha256()
        self.size = 0
        self._file: BinaryIO | None = None
        self._compressor = _compressor(compression)
        self._pending = bytearray()

    def open(self) -> None:
        """Open the file; from here on `close` has to be called, also after an interrupt.

        Raises:
            ModerationError: it cannot be opened.
        """
        with self._explaining():
            if self._path is None:
                self._file = sys.stdout.buffer
            elif self._path.exists() and not self._path.is_file():
                self._file = self._path.open("wb")
            else:
                self._target = target = self._path.resolve()  # a link stays a link
                # Known before it is made, so that an interrupt right then leaves nothing either.
                self._temporary = self._asked or target.with_name(
                    f".{target.name}.{secrets.token_hex(4)}.tmp"
                )
                self._file = os.fdopen(open_new(self._temporary), "wb")

    def write(self, data: bytes) -> None:
        """Write bytes; standard output and devices get them at once unless compressed."""
        assert self._file is not None, "open comes first"
        with self._explaining():
            if self._compressor is None:
                self._put(data)
                if self._temporary is None:
                    self._file.flush()
                return
            self._pending += data
            whole = len(self._pending) - len(self._pending) % _BLOCK
            for start in range(0, whole, _BLOCK):
                block = bytes(self._pending[start : start + _BLOCK])
                self._put(self._compressor.compress(block))
            del self._pending[:whole]

    def close(self, *, keep: bool) -> None:
        """Finish: put the file in its place, or with `keep` false remove what was written."""
        if not keep:
            self._discard()
            return
        assert self._file is not None, "open comes first"
        try:
            with self._explaining():
                if self._compressor is not None:
                    self._put(self._compressor.compress(bytes(self._pending)))
                    self._put(self._compressor.flush())
                self._file.flush()
                if self._temporary is not None:
                    os.fsync(self._file.fileno())
                if self._path is not None:
                    self._file.close()
                if self._temporary is not None and self._target is not None:
                    if self._target.exists():
                        shutil.copymode(self._target, self._temporary)
                    self._temporary.replace(self._target)
                    sync_folder(self._target.parent)
        except BaseException:
            self._discard()
            raise

    def _discard(self) -> None:
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
        if self._path is not None and self._file is not None:
            try:
                self._file.close()
            except OSError:  # what could not be flushed is not wanted
                return

    @property
    def sha256(self) -> str:
        """Digest of the bytes written so far."""
        return f"sha256:{self._digest.hexdigest()}"

    def _put(self, data: bytes) -> None:
        assert self._file is not None, "open comes first"
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    def _explaining(self) -> AbstractContextManager[None]:
        return explaining(self._name)


class UnseekableFile:
    """What pyarrow needs of a file, over an open Output, which stays open afterwards.

    Attributes:
        dropped: nothing more is wanted; a writer that is closed then writes its footer nowhere.
    """

    closed = False

    def __init__(self, output: Output) -> None:
        self._output = output
        self.dropped = False

    def write(self, data: Any) -> int:
        """Write bytes, or what holds them."""
        content = bytes(data)
        if not self.dropped:
            self._output.write(content)
        return len(content)

    def flush(self) -> None:
        """Do nothing: the Output decides when."""

    def close(self) -> None:
        """Do nothing: whoever opened the Output closes it."""

    def readable(self) -> bool:
        """Say no."""
        return False

    def writable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say no."""
        return False


def _compressor(compression: str | None) -> _Compressor | None:
    if compression == "gzip":
        return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    if compression == "zstd":
        import zstandard

        return zstandard.ZstdCompressor(write_checksum=True).compressobj()
    return None
