"""Fields: which fields of a record are its id and its text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from moderation.errors import ConfigError, RecordError
from moderation.scan.rows import MISSING_TEXT, NULL_TEXT, TEXT_NOT_STRING, GivenNumber, kind_of
from moderation.text import FieldSpan, join_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FieldSpan", "TextFields", "record_id"]


@dataclass(frozen=True, slots=True)
class TextFields:
    """The fields that make up a post's text.

    With one field its string is the text. With several, those that a record has are joined by line
    breaks in the given order; a value may then be a list of strings (tags), joined by spaces.
    """

    names: tuple[str, ...] = ("text",)

    def __post_init__(self) -> None:
        if not self.names:
            raise ConfigError("expected at least one text field, found none")
        twice = [name for name in self.names if self.names.count(name) > 1]
        if twice:
            raise ConfigError(f"text field {twice[0]!r} is named twice")

    @property
    def several(self) -> bool:
        """Whether evidence has to name its field."""
        return len(self.names) > 1

    def text(self, record: Mapping[str, Any]) -> tuple[str, tuple[FieldSpan, ...]]:
        """Return a record's text, and where its fields lie in it (nowhere, with one field).

        Raises:
            RecordError: there is no text, or something else stands in its place.
        """
        if self.several:
            return self._joined(record)
        name = self.names[0]
        value = record.get(name)
        if isinstance(value, str):
            return value, ()
        if name not in record:
            raise RecordError(MISSING_TEXT, f"expected the field {name!r}")
        if value is None:
            raise RecordError(NULL_TEXT, f"expected a string in {name!r}, found null")
        raise _not_a_string(name, value)

    def _joined(self, record: Mapping[str, Any]) -> tuple[str, tuple[FieldSpan, ...]]:
        values: list[tuple[str, str | list[str]]] = []
        for name in self.names:
            value = record.get(name)
            if isinstance(value, list):
                values.append((name, _items(name, value)))
            elif isinstance(value, str):
                values.append((name, value))
            elif value is not None:
                raise _not_a_string(name, value)
        if not values:
            present = [name for name in self.names if name in record]
            reason = NULL_TEXT if present else MISSING_TEXT
            found = f"; {', '.join(present)}: null" if present else ""
            raise RecordError(reason, f"expected one of {', '.join(self.names)}{found}")
        return join_fields(values)


def _items(name: str, values: list[Any]) -> list[str]:
    for value in values:
        if not isinstance(value, str):
            raise _not_a_string(f"{name}[]", value)
    return values


def _not_a_string(name: str, value: object) -> RecordError:
    detail = f"expected a string in {name!r}, found {kind_of(value)}"
    return RecordError(TEXT_NOT_STRING, detail)


def record_id(record: Mapping[str, Any], name: str) -> str | None:
    """Return a record's id: strings and numbers as given, null or no field as None, else JSON."""
    value = record.get(name)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, GivenNumber):
        return value.given
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
