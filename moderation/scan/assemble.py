"""Assemble: the spools of finished units into an output file, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moderation.scan.json_line import json_line
from moderation.scan.jsonl import parse_line
from moderation.scan.output import Output
from moderation.scan.sinks import CsvSink

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from moderation.scan.sinks import SinkSpec

__all__ = ["assemble_errors", "assemble_rows", "join_files"]

_BLOCK: Final = 1 << 18


def assemble_rows(
    spools: Iterable[Path], target: Path, temporary: Path, spec: SinkSpec
) -> tuple[int, str]:
    """Write an output file from spools; return its size and digest.

    Args:
        spools: rows that units have written, in the order of the posts.
        target: the file.
        temporary: where it is written before it takes its place.
        spec: its format and compression.

    Raises:
        ModerationError: it cannot be written.
    """
    output = Output(target, spec.compression, temporary)
    if spec.format in {"parquet", "arrow"}:
        _columnar(spools, output, spec)
        return output.size, output.sha256
    _opened(output)
    try:
        if spec.format == "csv":
            CsvSink(output, spec).begin()
        for spool in spools:
            _copy(spool, output)
    except BaseException:
        output.close(keep=False)
        raise
    output.close(keep=True)
    return output.size, output.sha256


def _columnar(spools: Iterable[Path], output: Output, spec: SinkSpec) -> None:
    import pyarrow as pa

    from moderation.scan.arrow_sinks import ArrowSink, sink_schema

    schema = sink_schema(spec)
    with ArrowSink(output, spec) as sink:
        for spool in spools:
            with spool.open("rb") as file:
                while file.peek(1):
                    message = pa.ipc.read_message(file)
                    sink.write_batch(pa.ipc.read_record_batch(message, schema))


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
