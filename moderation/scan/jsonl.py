"""Read JSON lines: one object a line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

import orjson

from moderation.errors import RecordError
from moderation.scan.rows import (
    INVALID_UTF8,
    LINE_TOO_LONG,
    MALFORMED_JSON,
    NOT_AN_OBJECT,
    kind_of,
)
from moderation.scan.streams import Lines, open_source, reading

if TYPE_CHECKING:
    from moderation.scan.rows import Rows
    from moderation.scan.source import Source

__all__ = ["parse_line", "read_jsonl"]


def read_jsonl(source: Source, max_line_bytes: int) -> Rows:
    """Yield the objects of a JSONL input; blank lines are no records.

    Raises:
        ShardError: the input cannot be read to its end.
    """
    with reading(source), open_source(source) as stream:
        lines = Lines(stream, max_line_bytes)
        for line in lines:
            if line is None:
                detail = f"longer than {max_line_bytes} bytes (--max-line-bytes)"
                yield lines.number, RecordError(LINE_TOO_LONG, detail)
                continue
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                if not line.strip():
                    continue
                try:
                    record = parse_line(line)
                except RecordError as error:
                    yield lines.number, error
                    continue
            if isinstance(record, dict):
                yield lines.number, record
            else:
                detail = f"expected a JSON object, found {kind_of(record)}"
                yield lines.number, RecordError(NOT_AN_OBJECT, detail)


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


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
