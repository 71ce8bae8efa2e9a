"""Plan: the shards of a scan with their digests, and the units they are scored in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from moderation.scan.options import ScanOptions
from moderation.scan.source import STDIN, Groups, Source, Span

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

__all__ = ["FileState", "Shard", "Unit", "file_state", "most_units", "plan_shards"]

UNIT_BYTES: Final = 2 << 20
"""A plain JSONL file is cut at the first line end after so many bytes, a Parquet or Arrow file
after the group that reaches them: some ten thousand posts, a second or two of work, so that
processes end at about the same time."""
MOST_UNITS: Final = 4096
"""Of one shard; the units of a larger file are larger."""
_UNPACKED: Final = 8
"""Bytes of content that a byte of a Parquet file stands for, at most as a rule."""
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class FileState:
    """What tells that a file was written to."""

    bytes: int
    modified: int
    """Nanoseconds since the epoch."""
    inode: int

    @classmethod
    def of(cls, stat: os.stat_result) -> FileState:
        """Return the state that a stat describes."""
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ino)


@dataclass(frozen=True, slots=True)
class Unit:
    """What one worker scores at a time: a shard, or some lines or groups of it."""

    shard: int
    number: int
    """Within its shard."""
    source: Source
    state: FileState | None
    """Of the file when its digest was taken; None for a pipe."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One input with its digest."""

    number: int
    source: Source
    state: FileState | None
    """None for a pipe, which can be read once."""
    sha256: str | None
    """None for a pipe, and for a file that could not be read to its end."""
    units: tuple[Unit, ...]

    @property
    def bytes(self) -> int:
        """Size of the file; 0 for a pipe."""
        return 0 if self.state is None else self.state.bytes

    @property
    def cut(self) -> str | None:
        """Digest of the places at which it is cut; None where it is not."""
        places = [unit.source.groups or unit.source.span for unit in self.units]
        if places == [None]:
            return None
        return f"sha256:{hashlib.sha256(repr(places).encode()).hexdigest()}"

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest's entry."""
        return {
            "shard": self.number,
            "source": self.source.name,
            "format": self.source.format,
            "compression": self.source.compression,
            "bytes": None if self.state is None else self.state.bytes,
            "sha256": self.sha256,
        }


def plan_shards(
    sources: Sequence[Source],
    told: Callable[[int, int], None] | None = None,
    options: ScanOptions | None = None,
) -> list[Shard]:
    """Read every input once, for its digest and for the places at which it can be cut.

    Args:
        sources: inputs that `resolve_sources` has checked.
        told: told after every block how many bytes were read, and of how many.
        options: how they will be read.

    Returns:
        One shard an input. One that could not be read to its end has no digest; reading it again
        will say why.
    """
    total = sum(Path(s.name).stat().st_size for s in sources if _is_regular(s))
    shards: list[Shard] = []
    read = 0

    def advance(count: int) -> None:
        nonlocal read
        read += count
        if told is not None:
            told(read, total)

    for number, source in enumerate(sources):
        if not _is_regular(source):
            shards.append(Shard(number, source, None, None, (Unit(number, 0, source, None),)))
            continue
        shards.append(_plan(number, source, options or ScanOptions(), advance))
    return shards


def most_units(sources: Sequence[Source]) -> int:
    """Return how many units there are at most, guessed by the sizes of files; 0 with a pipe."""
    if not all(map(_is_regular, sources)):
        return 0
    return sum(map(_most_units, sources))


def _most_units(source: Source) -> int:
    size = Path(source.name).stat().st_size
    if source.format == "parquet":
        size *= _UNPACKED
    is_cut = _is_cut_by_lines(source) or _is_cut_by_groups(source)
    return max(1, -(-size // UNIT_BYTES)) if is_cut else 1


def _is_cut_by_lines(source: Source) -> bool:
    return source.format == "jsonl" and source.compression is None


def _is_cut_by_groups(source: Source) -> bool:
    return source.format in {"parquet", "arrow"}


def _is_regular(source: Source) -> bool:
    return source.name != STDIN and Path(source.name).is_file()


def file_state(source: Source) -> FileState:
    """Return the present state of an input's file; raises OSError where it is gone."""
    return FileState.of(Path(source.name).stat())


def _plan(
    number: int, source: Source, options: ScanOptions, advance: Callable[[int], None]
) -> Shard:
    state = file_state(source)
    size = max(UNIT_BYTES, -(-state.bytes // MOST_UNITS))
    cuts = _Cuts(size if _is_cut_by_lines(source) else None)
    digest = hashlib.sha256()
    try:
        with Path(source.name).open("rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                cuts.take(block)
                advance(len(block))
    except OSError:
        return Shard(number, source, state, None, (Unit(number, 0, source, state),))
    parts = [replace(source, span=span) for span in cuts.spans()]
    if _is_cut_by_groups(source):
        groups = _groups(source, options, state.bytes)
        parts = [replace(source, groups=part) for part in groups]
    units = tuple(Unit(number, at, part, state) for at, part in enumerate(parts or [source]))
    return Shard(number, source, state, f"sha256:{digest.hexdigest()}", units)


def _groups(source: Source, options: ScanOptions, size: int) -> list[Groups]:
    from moderation.scan.columnar import chosen_columns
    from moderation.scan.groups import cut

    choose = partial(chosen_columns, wanted=options.columns, texts=options.fields.names)
    return cut(source, choose, size, UNIT_BYTES, MOST_UNITS)


class _Cuts:
    """Finds where a file can be cut, and counts the lines before each place."""

    def __init__(self, size: int | None) -> None:
        self._size = size
        self._next = size
        self._read = self._lines = 0
        self._places: list[tuple[int, int]] = [(0, 0)]

    def take(self, block: bytes) -> None:
        """Look at the next bytes."""
        if self._size is None:
            return
        done = 0
        while self._next is not None and self._next <= self._read + len(block):
            found = block.find(b"\n", max(self._next - self._read - 1, done))
            if found < 0:
                break
            self._lines += block.count(b"\n", done, found + 1)
            done = found + 1
            self._places.append((self._read + done, self._lines))
            self._next = self._read + done + self._size
        self._lines += block.count(b"\n", done)
        self._read += len(block)

    def spans(self) -> list[Span]:
        """Return the pieces of the file; none where it is not to be cut."""
        places = [place for place in self._places if place[0] < self._read]
        if self._size is None or not places:
            return []
        ends = [begin for begin, _ in places[1:]] + [self._read]
        return [Span(begin, end, lines) for (begin, lines), end in zip(places, ends, strict=True)]
