"""Plain: rows of which every one is a post, read and handed on together.

Nearly all records are: an object with a string as its text and a string, a number or nothing as its
id. Taken one by one, looking at each costs more than reading it. What comes out is what `accepted`
makes of each of them; whatever looks otherwise is left to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from moderation.scan.options import hashed_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from moderation.errors import RecordError
    from moderation.scan.options import ScanOptions
    from moderation.scan.rows import Gap

__all__ = ["BATCH_CODEPOINTS", "Plain", "RowsOrPlain", "plain", "plain_records"]

BATCH_CODEPOINTS: Final = 1 << 21
"""A batch of more posts than one holds no more code points than this: 8 MiB in the engine."""

_NUMBERS: Final = {int}
_IDS: Final = {str, int, type(None)}


@dataclass(frozen=True, slots=True)
class Plain:
    """Consecutive posts."""

    line: int
    """Of the first one; the others stand in the lines behind it."""
    ids: list[str | None]
    texts: list[str]
    sizes: Sequence[int] = ()
    """Bytes that each takes in its file, where it can be read on behind any of them."""

    def fitting(self, at: int, room: int, codepoints: int) -> int:
        """Return where a batch that holds some posts already is full.

        Args:
            at: the first post it has not taken.
            room: how many it may take, at least 1.
            codepoints: of the posts it holds; 0: it is empty, and takes one of any length.
        """
        stop = min(at + room, len(self.texts))
        lengths = map(len, self.texts[at:stop])
        if sum(lengths) + codepoints <= BATCH_CODEPOINTS:
            return stop
        for end, total in enumerate(accumulate(map(len, self.texts[at:stop])), at):
            if codepoints + total > BATCH_CODEPOINTS and (codepoints or end > at):
                return end
        return stop


RowsOrPlain: TypeAlias = "Iterator[tuple[int, Mapping[str, Any] | RecordError | Gap] | Plain]"
"""`Rows` in which posts may come together."""


def plain_records(
    line: int, records: Sequence[Any], options: ScanOptions, sizes: Sequence[int] = ()
) -> Plain | None:
    """Return records as posts; None: one of them has to be looked at by itself.

    Args:
        line: of the first.
        records: what stands in each.
        options: how to read them, with a single text field.
        sizes: see `Plain`.
    """
    if set(map(type, records)) != {dict}:
        return None
    (name,), id_field = options.fields.names, options.id_field
    texts = [record.get(name) for record in records]
    return plain(line, [record.get(id_field) for record in records], texts, options, sizes)


def plain(
    line: int,
    ids: list[Any],
    texts: list[Any],
    options: ScanOptions,
    sizes: Sequence[int] = (),
) -> Plain | None:
    """Return ids and texts as posts; None and arguments as for `plain_records`."""
    kinds = set(map(type, ids))
    if set(map(type, texts)) != {str} or not kinds <= _IDS:
        return None
    if max(map(len, texts)) > options.max_post_chars:
        return None
    if kinds & _NUMBERS:
        ids = [str(value) if type(value) is int else value for value in ids]
    key = options.id_key
    if key is not None:
        ids = [None if value is None else hashed_id(key, value) for value in ids]
    return Plain(line, ids, texts, sizes)
