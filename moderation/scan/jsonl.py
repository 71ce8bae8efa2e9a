"""Read JSON lines: one object a line."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np
import orjson

from moderation.errors import RecordError
from moderation.scan.plain import plain_records
from moderation.scan.rows import (
    INVALID_UTF8,
    LINE_TOO_LONG,
    MALFORMED_JSON,
    NOT_AN_OBJECT,
    TOO_DEEP,
    GivenNumber,
    Place,
    kind_of,
)
from moderation.scan.streams import Lines, open_source, reading

if TYPE_CHECKING:
    from moderation.scan.options import ScanOptions
    from moderation.scan.plain import Plain, RowsOrPlain
    from moderation.scan.rows import Rows
    from moderation.scan.source import Source

__all__ = ["parse_line", "read_jsonl", "read_jsonl_together"]

_INEXACT: Final = (float, dict, list)
"""What orjson returns where an integer may have lost digits."""
_TOGETHER: Final = 1 << 18
"""Bytes of lines that are read together: a thousand posts or two."""
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)


def read_jsonl(
    source: Source,
    max_line_bytes: int,
    *,
    max_depth: int | None = None,
    max_ratio: int | None = None,
    exact: str | None = None,
    place: Place | None = None,
) -> Rows:
    """Yield the objects of a JSONL input; blank lines are no records.

    Args:
        source: the input.
        max_line_bytes: longest line.
        max_depth: most brackets within one another; None: as many as the parser follows.
        max_ratio: see `open_source`.
        exact: a field whose number is kept as it was written, as a `GivenNumber`, where a float
            would be another.
        place: learns where each row stands.

    Raises:
        ShardError: the input cannot be read to its end.
    """
    place = place or Place()
    with reading(source), open_source(source, place, max_ratio) as stream:
        lines = Lines(stream, max_line_bytes, source.span)
        for line in lines:
            place.offset, place.end, place.raw = lines.offset, lines.end, line
            row = _row(line, max_line_bytes, max_depth, exact)
            if row is not None:
                yield lines.number, row


def read_jsonl_together(source: Source, options: ScanOptions, place: Place) -> RowsOrPlain:
    """Yield the objects of a JSONL input, consecutive posts together where all are plain.

    Args:
        source: the input.
        options: how to read it, with a single text field.
        place: learns where each row stands.

    Raises:
        ShardError: the input cannot be read to its end.
    """
    limit, depth, exact = options.max_line_bytes, options.max_depth, options.id_field
    with reading(source), open_source(source, place, options.max_ratio) as stream:
        lines = Lines(stream, limit, source.span)
        single = 0
        while True:
            taken = b"" if single else lines.take(_TOGETHER)
            if taken:
                posts = _plain(lines, taken, options)
                if posts is not None:
                    place.offset, place.end = lines.offset, lines.end
                    yield posts
                    continue
                single = taken.count(b"\n")
                lines.give_back(taken)
            try:
                line = next(lines)
            except StopIteration:
                return
            single = max(single - 1, 0)
            place.offset, place.end, place.raw = lines.offset, lines.end, line
            row = _row(line, limit, depth, exact)
            if row is not None:
                yield lines.number, row


def _plain(lines: Lines, taken: bytes, options: ScanOptions) -> Plain | None:
    """Return lines as posts; None: one of them has to be looked at by itself."""
    parts = taken.split(b"\n")
    parts.pop()
    if max(map(len, parts)) > options.max_line_bytes:  # a break of two bytes counts as one more
        return None
    brackets = taken.count(b"[") + taken.count(b"{")
    if brackets - len(parts) >= options.max_depth and any(
        _depth(part, options.max_depth) > options.max_depth for part in parts
    ):
        return None
    try:
        records = list(map(orjson.loads, parts))
    except orjson.JSONDecodeError:
        return None
    sizes = [len(part) + 1 for part in parts]
    return plain_records(lines.number - len(parts) + 1, records, options, sizes)


def _row(
    line: bytes | None, max_line_bytes: int, max_depth: int | None, exact: str | None
) -> dict[str, Any] | RecordError | None:
    """Return what a line holds; None where it is blank."""
    if line is None:
        return RecordError(LINE_TOO_LONG, f"longer than {max_line_bytes} bytes (--max-line-bytes)")
    if max_depth is not None and _depth(line, max_depth) > max_depth:
        detail = f"more than {max_depth} brackets within one another (--max-depth)"
        return RecordError(TOO_DEEP, detail)
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        if not line.strip():
            return None
        try:
            record = parse_line(line)
        except RecordError as error:
            return error
    if not isinstance(record, dict):
        return RecordError(NOT_AN_OBJECT, f"expected a JSON object, found {kind_of(record)}")
    try:
        if exact is not None and isinstance(record.get(exact), _INEXACT):
            record[exact] = _exact(line, exact)
    except RecordError as error:
        return error
    return record


def _depth(line: bytes, enough: int) -> int:
    """Return how deep brackets stand within one another; 0 where `enough` cannot be exceeded."""
    if line.count(b"[") + line.count(b"{") <= enough:
        return 0
    bare = np.frombuffer(_STRING.sub(b"", line), np.uint8)
    opened = np.isin(bare, (ord("["), ord("{"))).astype(np.int64)
    closed = np.isin(bare, (ord("]"), ord("}")))
    return int(np.cumsum(opened - closed).max(initial=0))


def parse_line(line: bytes) -> Any:
    """Parse what orjson refuses and a post may well hold: lone surrogates, raw control characters.

    Raises:
        RecordError: the line is not UTF-8 or not JSON.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        detail = f"byte 0x{line[error.start]:02x} at byte {error.start + 1} of the line"
        raise RecordError(INVALID_UTF8, detail) from None
    try:
        return json.loads(text, parse_constant=_refuse, strict=False)
    except json.JSONDecodeError as error:
        detail = f"{error.msg} at character {error.pos + 1} of the line"
    except RecursionError:
        detail = "nested too deeply"
    except ValueError as error:  # NaN, Infinity, a number of thousands of digits
        detail = str(error)
    raise RecordError(MALFORMED_JSON, detail)


def _exact(line: bytes, name: str) -> Any:
    """Return a field of a line that was parsed, with the numbers in it as they were written.

    Raises:
        RecordError: they cannot be had.
    """
    try:
        return json.loads(line, parse_float=GivenNumber, strict=False)[name]
    except RecursionError:
        raise RecordError(MALFORMED_JSON, "nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits
        raise RecordError(MALFORMED_JSON, str(error)) from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
