"""Accept: which rows a scan takes for posts, and why it refuses the others.

The one place that decides it: commands that lay posts and verdicts side by side have to come to
the same posts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from moderation.errors import RecordError
from moderation.scan.fields import record_id
from moderation.scan.options import hashed_id
from moderation.scan.rejections import Rejection
from moderation.scan.rows import POST_TOO_LONG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moderation.scan.options import ScanOptions
    from moderation.text import FieldSpan

__all__ = ["Accepted", "accepted"]


class Accepted(NamedTuple):
    """A row as a scan sees it: a post, or the reason why it is none."""

    data_id: str | None
    text: str
    layout: tuple[FieldSpan, ...]
    fields: Mapping[str, Any]
    """What the record held."""
    error: RecordError | None = None

    def rejection(self, source: str, line: int, record: int, offset: int | None) -> Rejection:
        """Return the row of errors.jsonl for a row that is no post."""
        assert self.error is not None
        error = self.error
        return Rejection(source, line, self.data_id, error.reason, error.detail, record, offset)


def accepted(row: Mapping[str, Any] | RecordError, options: ScanOptions) -> Accepted:
    """Return what a scan makes of a reader's row."""
    if isinstance(row, RecordError):
        return Accepted(None, "", (), {}, row)
    data_id = record_id(row, options.id_field)
    if data_id is not None and options.id_key is not None:
        data_id = hashed_id(options.id_key, data_id)
    try:
        text, layout = options.fields.text(row)
    except RecordError as error:
        return Accepted(data_id, "", (), row, error)
    if len(text) > options.max_post_chars:
        detail = f"expected at most {options.max_post_chars:,} characters (--max-post-chars)"
        too_long = RecordError(POST_TOO_LONG, f"{detail}, found {len(text):,}")
        return Accepted(data_id, "", (), row, too_long)
    return Accepted(data_id, text, layout, row)
