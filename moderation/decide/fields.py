"""Evidence by field: spans of a joined text given back to the fields it was joined from."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moderation.decide.verdicts import Verdicts
    from moderation.text import FieldSpan, FieldSpans
    from moderation.types import Evidence

__all__ = ["by_field", "with_field_evidence"]


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


def with_field_evidence(verdicts: Verdicts, fields: FieldSpans) -> Verdicts:
    """Return verdicts whose evidence names fields and counts within them.

    Args:
        verdicts: verdicts on joined texts.
        fields: the fields of the posts; one that has none keeps its evidence as it is.
    """
    labels = dict(verdicts.labels)
    for post, found in verdicts.labels.items():
        spans = fields.of(post)
        if spans:
            labels[post] = tuple(
                label.with_evidence(
                    tuple(part for e in label.evidence for part in by_field(e, spans))
                )
                for label in found
            )
    return replace(verdicts, labels=labels)
