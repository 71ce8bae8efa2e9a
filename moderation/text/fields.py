"""Fields: a post's title, body and tags joined into one text, and where each lies in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = ["FieldSpan", "FieldSpans", "join_fields"]

_BETWEEN_FIELDS: Final = "\n"
_BETWEEN_ITEMS: Final = " "


class FieldSpan(NamedTuple):
    """Where one field's text lies in the text that was scored, in code points of the post."""

    name: str
    start: int
    end: int


def join_fields(
    values: Iterable[tuple[str, str | Sequence[str]]],
) -> tuple[str, tuple[FieldSpan, ...]]:
    """Join the fields of one post by line breaks; a list of strings (tags) is joined by spaces.

    Returns:
        The joined text, and the span of each field in it, in order.
    """
    texts: list[str] = []
    spans: list[FieldSpan] = []
    start = 0
    for name, value in values:
        text = value if isinstance(value, str) else _BETWEEN_ITEMS.join(value)
        texts.append(text)
        spans.append(FieldSpan(name, start, start + len(text)))
        start += len(text) + len(_BETWEEN_FIELDS)
    return _BETWEEN_FIELDS.join(texts), tuple(spans)


@dataclass(frozen=True, slots=True)
class FieldSpans:
    """The fields of a batch of posts.

    Attributes:
        names: every field name that occurs.
        name: int64, shape (spans,): index into `names`; spans are in order of post and place.
        start, end: int64, shape (spans,): half-open, in code points of the post.
        offsets: int64, shape (posts + 1,): the spans of post i are those from `offsets[i]` to
            `offsets[i + 1]`.
    """

    names: tuple[str, ...]
    name: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    offsets: NDArray[np.int64]

    @classmethod
    def from_layouts(cls, layouts: Sequence[Sequence[FieldSpan]]) -> FieldSpans:
        """Lay the fields of every post end to end."""
        index: dict[str, int] = {}
        flat = [span for layout in layouts for span in layout]
        numbers = [index.setdefault(span.name, len(index)) for span in flat]
        counts = [len(layout) for layout in layouts]
        return cls(
            tuple(index),
            np.array(numbers, np.int64),
            np.array([span.start for span in flat], np.int64),
            np.array([span.end for span in flat], np.int64),
            np.concatenate(([0], np.cumsum(counts, dtype=np.int64))),
        )

    def of(self, post: int) -> tuple[FieldSpan, ...]:
        """Return the fields of one post."""
        where = slice(int(self.offsets[post]), int(self.offsets[post + 1]))
        columns = (self.name[where].tolist(), self.start[where].tolist(), self.end[where].tolist())
        return tuple(FieldSpan(self.names[n], a, b) for n, a, b in zip(*columns, strict=True))

    def take(self, posts: NDArray[np.int64]) -> FieldSpans:
        """Return the fields of the given posts, in the given order."""
        chosen, counts = self._rows(posts)
        offsets = np.concatenate(([0], np.cumsum(counts)))
        return FieldSpans(
            self.names, self.name[chosen], self.start[chosen], self.end[chosen], offsets
        )

    def cut(
        self, posts: NDArray[np.int64], start: NDArray[np.int64], length: NDArray[np.int64]
    ) -> FieldSpans:
        """Return the fields of windows; one that lies outside a window is empty there.

        Args:
            posts: int64, shape (windows,), the post of each window.
            start: int64, shape (windows,), where each begins, in code points of the post.
            length: int64, shape (windows,), in code points.
        """
        chosen, counts = self._rows(posts)
        origin, size = np.repeat(start, counts), np.repeat(length, counts)
        return FieldSpans(
            self.names,
            self.name[chosen],
            np.clip(self.start[chosen] - origin, 0, size),
            np.clip(self.end[chosen] - origin, 0, size),
            np.concatenate(([0], np.cumsum(counts))),
        )

    def number(self, places: NDArray[np.int64], posts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return which field each place lies in: what stands between two belongs to the first.

        Args:
            places: int64, shape (n,), in code points of the post.
            posts: int64, shape (n,).
        """
        # Posts side by side on one axis, each with room for its own places.
        room = 1 + int(max(self.end.max(initial=0), places.max(initial=0)))
        owner = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        found = np.searchsorted(owner * room + self.start, posts * room + places, "right")
        return found.astype(np.int64)

    def _rows(self, posts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        counts = np.diff(self.offsets)[posts]
        first = np.repeat(self.offsets[posts] - (np.cumsum(counts) - counts), counts)
        return first + np.arange(counts.sum()), counts
