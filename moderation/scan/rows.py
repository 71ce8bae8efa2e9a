"""Rows: what every reader yields, and why a row may be refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from moderation.errors import RecordError

__all__ = [
    "COLUMN_COUNT",
    "INPUT_CHANGED",
    "INVALID_UTF8",
    "LINE_TOO_LONG",
    "MALFORMED_CSV",
    "MALFORMED_JSON",
    "MISSING_TEXT",
    "NOT_AN_OBJECT",
    "NULL_TEXT",
    "POST_TOO_LONG",
    "REASONS",
    "TEXT_NOT_STRING",
    "TOO_DEEP",
    "UNREADABLE_INPUT",
    "WORKER_DIED",
    "Gap",
    "GivenNumber",
    "Place",
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
POST_TOO_LONG: Final = "post_too_long"
TOO_DEEP: Final = "too_deep"
WORKER_DIED: Final = "worker_died"
INPUT_CHANGED: Final = "input_changed"
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
    POST_TOO_LONG,
    TOO_DEEP,
    WORKER_DIED,
    INPUT_CHANGED,
    UNREADABLE_INPUT,
)
"""Every `reason` of errors.jsonl; the last two are about an input, the others about a record."""

_KINDS: Final = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class Gap:
    """Consecutive rows that cannot be read, in an input that can be read on behind them."""

    rows: int
    detail: str
    """What is wrong, and where."""


Rows: TypeAlias = Iterator[tuple[int, Mapping[str, Any] | RecordError | Gap]]
"""1-based line (CSV: the record's first line; Parquet and Arrow: the row) with the record's
fields, or with the reason why there are none; or with a gap that begins there."""


class GivenNumber(float):
    """A number with a point or an exponent, or an integer beyond 64 bits, as it was written."""

    given: str

    def __new__(cls, given: str) -> GivenNumber:
        """Read a number."""
        number = super().__new__(cls, given)
        number.given = given
        return number


@dataclass(slots=True)
class Place:
    """Where a reader stands; it says so before it hands out a row.

    Offsets count bytes of the content, decompressed. Columnar formats have none.
    """

    offset: int | None = None
    """First byte of the row handed out last."""
    end: int | None = None
    """One past its last byte: JSONL can be read on from here."""
    raw: bytes | None = None
    """The line of JSON that it was read from, without its break."""
    tell: Callable[[], int] | None = None
    """Says how many bytes of the file were used, about."""


def kind_of(value: object) -> str:
    """Return what JSON calls a value."""
    return _KINDS.get(type(value), "a number")
