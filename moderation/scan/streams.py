"""Streams: bytes of an input, decompressed as they are read, and lines of bounded length."""

from __future__ import annotations

import io
import sys
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from moderation.errors import ShardError
from moderation.scan.source import STDIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from moderation.scan.rows import Place
    from moderation.scan.source import Source, Span

__all__ = ["Lines", "open_source", "reading"]

_BUFFER: Final = 1 << 20
_COMPRESSED: Final = 1 << 11
"""Compressed bytes taken at once: few, so that what they may expand to stays bounded."""
_GZIP_WINDOW: Final = 31
"""For zlib: a window of 2 ** 15 bytes in a gzip wrapper."""
_BOM: Final = b"\xef\xbb\xbf"
_ANY_RATIO: Final = 1 << 26
"""Bytes that may come out of a compressed file, however few went in."""


@contextmanager
def reading(source: Source) -> Iterator[None]:
    """Turn what can go wrong while an input is read into a ShardError that says what it was."""
    import zstandard

    try:
        yield
    except (EOFError, zlib.error, zstandard.ZstdError) as error:
        raise ShardError(f"damaged {source.compression or 'input'}: {error}") from error
    except OSError as error:
        raise ShardError(f"cannot be read: {error.strerror or error}") from error


@contextmanager
def open_source(
    source: Source, place: Place | None = None, max_ratio: int | None = None
) -> Iterator[io.BufferedReader]:
    """Open an input for reading, decompressed. Standard input stays open afterwards.

    Args:
        source: the input; of one with a span the file stands at its first byte.
        place: learns how to ask how far the file was read.
        max_ratio: most bytes that a compressed byte may become, on average; None: any number.
    """
    if source.name == STDIN:
        if sys.stdin is None:
            raise ShardError("standard input is closed")
        yield cast("io.BufferedReader", sys.stdin.buffer)
        return
    with Path(source.name).open("rb", buffering=_BUFFER) as file:
        if place is not None:
            place.tell = file.tell
        if source.compression is None:
            if source.span is not None:
                file.seek(source.span.begin)
            yield cast("io.BufferedReader", file)
        else:
            content = _Decompressed(file, source.compression, max_ratio)
            yield io.BufferedReader(content, _BUFFER)


class _Decompressed(io.RawIOBase):
    """The content of a gzip or zstd file: its members or frames, one after the other.

    Gives out all that can be decompressed before it raises EOFError for a file that was cut short.
    (`gzip` drops what it had read, the readers of `zstandard` take such a file for a whole one.)
    """

    def __init__(self, file: BinaryIO, compression: str, max_ratio: int | None) -> None:
        self._file = file
        self._max_ratio = max_ratio
        self._taken = self._given = 0
        self._start = _zstd_frames() if compression == "zstd" else _gzip_member
        self._frame: Any = None
        self._input = b""
        self._output = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._output:
            if not self._input:
                self._input = self._file.read(_COMPRESSED)
                self._taken += len(self._input)
            if not self._input:
                if self._frame is not None:
                    raise EOFError("the file ends in the middle of compressed data")
                return 0
            if self._frame is None:
                self._input = self._input.lstrip(b"\0")  # padding, of tapes for one
                if not self._input:
                    continue
                self._frame = self._start()
            self._output = memoryview(self._frame.decompress(self._input))
            self._input = b""
            self._given += len(self._output)
            self._check_ratio()
            if self._frame.eof:
                self._input = self._frame.unused_data
                self._frame = None
        count = min(len(buffer), len(self._output))
        buffer[:count] = self._output[:count]
        self._output = self._output[count:]
        return count

    def _check_ratio(self) -> None:
        if self._max_ratio is None or self._given <= max(self._taken * self._max_ratio, _ANY_RATIO):
            return
        raise ShardError(
            f"expected at most {self._max_ratio} bytes of content for each compressed byte "
            f"(--max-ratio), found {self._given:,} in the first {self._taken:,} bytes"
        )


def _gzip_member() -> Any:
    return zlib.decompressobj(_GZIP_WINDOW)


def _zstd_frames() -> Callable[[], Any]:
    import zstandard

    start: Callable[[], Any] = zstandard.ZstdDecompressor().decompressobj
    return start


class Lines:
    """The lines of a stream, without their line breaks, with a limit on what is held in memory.

    Attributes:
        number: 1-based number of the line returned last.
        offset: its first byte.
        end: one past its last byte, the break included.
        ending: the break that stood at its end.
    """

    def __init__(self, stream: io.BufferedReader, limit: int, span: Span | None = None) -> None:
        """Read lines.

        Args:
            stream: where they come from.
            limit: most bytes of a line, its break not counted.
            span: what to read, of a stream that stands at its first byte; None: all.
        """
        self._stream = stream
        self._limit = limit
        self._stop = None if span is None else span.end
        self._held = b""
        self._at = 0
        """Of `_held`, which was read ahead, what stands before this is used."""
        self.number = 0 if span is None else span.lines
        self.offset = self.end = 0 if span is None else span.begin
        self.ending = b""

    def take(self, size: int) -> bytes:
        """Return the next lines together, with their breaks; they count as returned.

        Nothing where the next one is longer than that, or lacks its break; a byte order mark is
        left where it is.

        Args:
            size: bytes, about.
        """
        ahead = self._held[self._at :]
        wanted = size - len(ahead)
        if self._stop is not None:
            wanted = min(wanted, self._stop - self.end - len(ahead))
        # One read: of a file that turns out to be cut short, what came before it counts.
        block = ahead + self._stream.read1(max(wanted, 0))
        self._at = block.rfind(b"\n") + 1
        self._held = block
        found = block[: self._at]
        self.number += found.count(b"\n")
        self.offset = self.end
        self.end += len(found)
        return found

    def give_back(self, lines: bytes) -> None:
        """Undo `take`."""
        self._at -= len(lines)
        self.number -= lines.count(b"\n")
        self.end -= len(lines)

    def _readline(self, size: int) -> bytes:
        if self._at == len(self._held):
            return self._stream.readline(size)
        at = self._at
        found = self._held.find(b"\n", at, at + size)
        self._at = found + 1 if found >= 0 else min(at + size, len(self._held))
        part = self._held[at : self._at]
        if found >= 0 or len(part) == size:
            return part
        return part + self._stream.readline(size - len(part))

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> bytes | None:
        """Return the next line; None for one over the limit, which has been skipped."""
        if self._stop is not None and self.end >= self._stop:
            raise StopIteration
        line = self._readline(self._limit + 2)
        if not line:
            raise StopIteration
        self.number += 1
        self.offset = self.end
        self.end += len(line)
        ended = line.endswith(b"\n")
        whole = ended or len(line) < self._limit + 2
        self.ending = (b"\r\n" if line.endswith(b"\r\n") else b"\n") if ended else b""
        line = line.removesuffix(self.ending)
        if whole and len(line) <= self._limit:
            bom = self.number == 1 and line.startswith(_BOM)
            return line[len(_BOM) :] if bom else line
        while not ended:
            rest = self._readline(_BUFFER)
            self.end += len(rest)
            ended = not rest or rest.endswith(b"\n")
        return None
