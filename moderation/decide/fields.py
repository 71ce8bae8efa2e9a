"""Evidence by field: spans of a joined text given back to the fields it was joined from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from moderation.decide.labels import END, FIELD, POST, START, LabelTable

if TYPE_CHECKING:
    from moderation.text import FieldSpans

__all__ = ["with_field_evidence"]


def with_field_evidence(labels: LabelTable, fields: FieldSpans) -> LabelTable:
    """Return labels whose evidence names fields and counts within them.

    What crosses a border between two fields is split. Of what lies on a border alone, the field
    before it keeps the place.

    Args:
        labels: labels of joined texts.
        fields: the fields of the posts; one that has none keeps its evidence as it is.
    """
    start, end = labels.spans[:, START], labels.spans[:, END]
    posts = np.repeat(labels.labels[:, POST], np.diff(labels.bounds))
    first, counts = fields.offsets[posts], np.diff(fields.offsets)[posts]
    # Every piece of evidence beside every field of its post.
    piece = np.repeat(np.arange(len(posts)), counts)
    where = np.arange(len(piece)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    left = np.maximum(start[piece], fields.start[where])
    right = np.minimum(end[piece], fields.end[where])
    inside = left < right
    parts = np.bincount(piece[inside], minlength=len(posts))
    begun = np.bincount(piece[fields.start[where] <= start[piece]], minlength=len(posts))
    whole, border = np.flatnonzero(counts == 0), np.flatnonzero((counts > 0) & (parts == 0))
    before = first[border] + np.maximum(begun[border] - 1, 0)
    place = np.minimum(start[border], fields.end[before]) - fields.start[before]
    chosen = np.concatenate([piece[inside], border, whole])
    spans = labels.spans[chosen]
    within, rest = len(spans) - len(border) - len(whole), len(spans) - len(whole)
    origin = fields.start[where[inside]]
    spans[:within, START] = left[inside] - origin
    spans[:within, END] = right[inside] - origin
    spans[:within, FIELD] = fields.name[where[inside]]
    spans[within:rest, START] = spans[within:rest, END] = place
    spans[within:rest, FIELD] = fields.name[before]
    ends = np.concatenate(([0], np.cumsum(np.maximum(parts, 1))))
    return replace(
        labels,
        names=replace(labels.names, fields=fields.names),
        bounds=ends[labels.bounds],
        spans=spans[np.argsort(chosen, kind="stable")],
    )
