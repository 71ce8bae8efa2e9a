"""Fields: a record's id and text, and spans of joined text given back to the fields."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from moderation.errors import ConfigError, RecordError
from moderation.scan.rows import MISSING_TEXT, NULL_TEXT, TEXT_NOT_STRING, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moderation.decide import Verdicts
    from moderation.types import Evidence

__all__ = ["FieldSpan", "TextFields", "by_field", "record_id", "with_field_evidence"]

_BETWEEN_FIELDS: Final = "\n"
_BETWEEN_ITEMS: Final = " "


class FieldSpan(NamedTuple):
    """Where one field's text lies in the text that was scored."""

    name: str
    start: int
    end: int


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
        texts: list[str] = []
        spans: list[FieldSpan] = []
        start = 0
        for name in self.names:
            value = record.get(name)
            if value is None:
                continue
            text = _BETWEEN_ITEMS.join(_items(name, value)) if isinstance(value, list) else value
            if not isinstance(text, str):
                raise _not_a_string(name, value)
            texts.append(text)
            spans.append(FieldSpan(name, start, start + len(text)))
            start += len(text) + len(_BETWEEN_FIELDS)
        if not texts:
            present = [name for name in self.names if name in record]
            reason = NULL_TEXT if present else MISSING_TEXT
            found = f"; {', '.join(present)}: null" if present else ""
            raise RecordError(reason, f"expected one of {', '.join(self.names)}{found}")
        return _BETWEEN_FIELDS.join(texts), tuple(spans)


def _items(name: str, values: list[Any]) -> list[str]:
    for value in values:
        if not isinstance(value, str):
            raise _not_a_string(f"{name}[]", value)
    return values


def _not_a_string(name: str, value: object) -> RecordError:
    detail = f"expected a string in {name!r}, found {kind_of(value)}"
    return RecordError(TEXT_NOT_STRING, detail)


def record_id(record: Mapping[str, Any], name: str) -> str | None:
    """Return a record's id: a string as it is, null or no field as None, else its JSON."""
    value = record.get(name)
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def by_field(evidence: Evidence, spans: Sequence[FieldSpan]) -> list[Evidence]:
    """Give evidence on the joined text back to the fields; what crosses a border is split."""
    start, end = evidence.start, evidence.end
    found = [
        replace(
            evidence,
            start=max(start, span.start) - span.start,
            end=min(end, span.end) - span.start,
            field=span.name,
        )
        for span in spans
        if max(start, span.start) < min(end, span.end)
    ]
    if found:
        return found
    # Nothing but a border, or nothing at all: the field before it keeps the place.
    span = spans[max(bisect_right([span.start for span in spans], start) - 1, 0)]
    place = min(start, span.end) - span.start
    return [replace(evidence, start=place, end=place, field=span.name)]


def with_field_evidence(verdicts: Verdicts, layouts: Sequence[Sequence[FieldSpan]]) -> Verdicts:
    """Return verdicts whose evidence names fields and counts within them.

    Args:
        verdicts: verdicts on joined texts.
        layouts: the fields of each post.
    """
    labels = {
        post: tuple(
            label.with_evidence(
                tuple(part for span in label.evidence for part in by_field(span, layouts[post]))
            )
            for label in found
        )
        for post, found in verdicts.labels.items()
    }
    return replace(verdicts, labels=labels)
