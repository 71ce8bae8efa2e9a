"""Rows: what every reader yields, and why a row may be refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from moderation.errors import RecordError

__all__ = [
    "COLUMN_COUNT",
    "INVALID_UTF8",
    "LINE_TOO_LONG",
    "MALFORMED_CSV",
    "MALFORMED_JSON",
    "MISSING_TEXT",
    "NOT_AN_OBJECT",
    "NULL_TEXT",
    "REASONS",
    "TEXT_NOT_STRING",
    "UNREADABLE_INPUT",
    "Rows",
    "kind_of",
]

MALFORMED_JSON: Final = "malformed_json"
NOT_AN_OBJECT: Final = "not_an_object"
INVALID_UTF8: Final = "invalid_utf8"
LINE_TOO_LONG: Final = "line_too_long"
MALFORMED_CSV: Final = "malformed_csv"
COLUMN_COUNT: Final = "column_count"
MISSING_TEXT: Final = "missing_text"
NULL_TEXT: Final = "null_text"
TEXT_NOT_STRING: Final = "text_not_string"
UNREADABLE_INPUT: Final = "unreadable_input"
REASONS: Final = (
    MALFORMED_JSON,
    NOT_AN_OBJECT,
    INVALID_UTF8,
    LINE_TOO_LONG,
    MALFORMED_CSV,
    COLUMN_COUNT,
    MISSING_TEXT,
    NULL_TEXT,
    TEXT_NOT_STRING,
    UNREADABLE_INPUT,
)
"""Every `reason` of errors.jsonl; the last one is about an input, the others about a record."""

_KINDS: Final = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    type(None): "null",
}

Rows: TypeAlias = Iterator[tuple[int, Mapping[str, Any] | RecordError]]
"""1-based line (CSV: the record's first line; Parquet and Arrow: the row) with the record's
fields, or with the reason why there are none."""


def kind_of(value: object) -> str:
    """Return what JSON calls a value."""
    return _KINDS.get(type(value), "a number")
