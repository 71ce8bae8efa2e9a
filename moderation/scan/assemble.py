"""Assemble: the spools of finished units into an output file, in their order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from moderation.scan.json_line import json_line
from moderation.scan.jsonl import parse_line
from moderation.scan.output import Output
from moderation.scan.sinks import CsvSink

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from moderation.scan.sinks import SinkSpec

__all__ = ["Assembly", "Growing", "assemble_errors", "join_files"]

_BLOCK: Final = 1 << 18


class Assembly:
    """An output file that grows while units are still at work.

    What is left to do when the last unit ends is done by nobody else meanwhile: little should be.
    """

    def __init__(self, target: Path, temporary: Path, spec: SinkSpec) -> None:
        """Name a file; nothing is made before the first spool comes.

        Args:
            target: the file.
            temporary: where it is written before it takes its place.
            spec: its format and compression.
        """
        self._place = target, temporary
        self._spec = spec
        self._begun: _Rows | _Batches | None = None
        self._taken: list[Path] = []

    def add(self, spool: Path) -> None:
        """Append the rows that a unit has written.

        Raises:
            ModerationError: they cannot be written.
        """
        begun = self._opened()
        self._taken.append(spool)
        try:
            begun.add(spool)
        except BaseException:
            self.drop()
            raise

    def finish(self, spools: Sequence[Path]) -> tuple[int, str]:
        """Put the file in its place; return its size and digest.

        Args:
            spools: all that belongs into it, in the order of the posts. Where it begins with other
                ones than were added it is written anew.

        Raises:
            ModerationError: it cannot be written.
        """
        if self._taken != list(spools[: len(self._taken)]):
            self.drop()
        for spool in spools[len(self._taken) :]:
            self.add(spool)
        begun = self._opened()
        self._begun, self._taken = None, []
        return begun.finish()

    def drop(self) -> None:
        """Remove what was written."""
        begun, self._begun, self._taken = self._begun, None, []
        if begun is not None:
            begun.drop()

    def _opened(self) -> _Rows | _Batches:
        if self._begun is None:
            target, temporary = self._place
            kind = _Batches if self._spec.format in {"parquet", "arrow"} else _Rows
            self._begun = kind(Output(target, self._spec.compression, temporary), self._spec)
        return self._begun


class Growing:
    """An assembly of spools that become whole one by one, in any order."""

    def __init__(self, assembly: Assembly, spools: Iterable[Path]) -> None:
        """Take what belongs into an assembly.

        Args:
            assembly: to which nothing was added.
            spools: in the order of the posts.
        """
        self._assembly = assembly
        self._left = deque(spools)
        self._whole: set[Path] = set()

    def add(self, spools: Iterable[Path]) -> None:
        """Take note of spools that are whole; append them as far as nothing is missing before.

        Raises:
            ModerationError: they cannot be written.
        """
        self._whole.update(spools)
        while self._left and self._left[0] in self._whole:
            self._assembly.add(self._left.popleft())

    def finish(self, spools: Sequence[Path]) -> tuple[int, str]:
        """Put the file in its place; see `Assembly.finish`."""
        return self._assembly.finish(spools)

    def drop(self) -> None:
        """Remove what was written."""
        self._assembly.drop()


class _Rows:
    """Rows of JSON or CSV, one spool after the other."""

    def __init__(self, output: Output, spec: SinkSpec) -> None:
        self._output = _opened(output)
        try:
            if spec.format == "csv":
                CsvSink(output, spec).begin()
        except BaseException:
            self.drop()
            raise

    def add(self, spool: Path) -> None:
        _copy(spool, self._output)

    def finish(self) -> tuple[int, str]:
        self._output.close(keep=True)
        return self._output.size, self._output.sha256

    def drop(self) -> None:
        self._output.close(keep=False)


class _Batches:
    """Batches of Arrow, in groups of their own."""

    def __init__(self, output: Output, spec: SinkSpec) -> None:
        from moderation.scan.arrow_sinks import ArrowSink, sink_schema

        self._output = output
        self._schema = sink_schema(spec)
        self._sink = ArrowSink(output, spec).__enter__()

    def add(self, spool: Path) -> None:
        import pyarrow as pa

        with spool.open("rb") as file:
            while file.peek(1):
                message = pa.ipc.read_message(file)
                self._sink.write_batch(pa.ipc.read_record_batch(message, self._schema))

    def finish(self) -> tuple[int, str]:
        self._sink.__exit__(None, None, None)
        return self._output.size, self._output.sha256

    def drop(self) -> None:
        self._sink.__exit__(GeneratorExit, None, None)


def assemble_errors(
    spools: Sequence[tuple[Path, int]], target: Path, temporary: Path, only: str | None = None
) -> None:
    """Write the errors of a shard's units.

    Args:
        spools: errors that units have written, and the records that stand before each unit.
        target: the file; not made where there are no errors.
        temporary: where it is written before it takes its place.
        only: leave out every error that has another reason.

    Raises:
        ModerationError: it cannot be written.
    """
    if not any(path.stat().st_size for path, _ in spools):
        target.unlink(missing_ok=True)
        return
    output = _opened(Output(target, None, temporary))
    try:
        for path, before in spools:
            with path.open("rb") as file:
                for line in file:
                    if not before and only is None:
                        output.write(line)
                        continue
                    row = parse_line(line)  # an id may hold a lone surrogate
                    if only is not None and row["reason"] != only:
                        continue
                    if row["record"] is not None:
                        row["record"] += before
                    output.write(json_line(row))
    except BaseException:
        output.close(keep=False)
        raise
    output.close(keep=True)


def join_files(paths: Sequence[Path], target: Path, temporary: Path) -> None:
    """Write files one after the other into one; without files there is none.

    Raises:
        ModerationError: it cannot be written.
    """
    if not paths:
        target.unlink(missing_ok=True)
        return
    output = _opened(Output(target, None, temporary))
    try:
        for path in paths:
            _copy(path, output)
    except BaseException:
        output.close(keep=False)
        raise
    output.close(keep=True)


def _opened(output: Output) -> Output:
    try:
        output.open()
    except BaseException:
        output.close(keep=False)
        raise
    return output


def _copy(path: Path, output: Output) -> None:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            output.write(block)
