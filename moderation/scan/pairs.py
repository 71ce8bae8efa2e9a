"""Pairs: posts and their verdicts side by side, in one order or by id, in constant memory."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from moderation.errors import ConfigError, ShardError
from moderation.scan.accept import accepted
from moderation.scan.json_line import json_line, storable
from moderation.scan.jsonl import parse_line
from moderation.scan.rejections import Rejection
from moderation.scan.rows import UNREADABLE_INPUT, Gap, Place
from moderation.scan.runner import read_rows
from moderation.scan.verdict_rows import VerdictRow, verdict_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from moderation.scan.options import ScanOptions
    from moderation.scan.source import Source

__all__ = [
    "JOINS",
    "Post",
    "VerdictIndex",
    "by_id",
    "check_spans",
    "in_order",
    "read_posts",
    "verdict_index",
]

JOINS: Final = ("order", "id")
_INSERT: Final = "INSERT INTO verdicts VALUES (?, ?, ?)"
_PRAGMAS: Final = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -65536")
"""The file is nobody else's and need not outlive a crash; 64 MiB of it are kept in memory."""


@dataclass(frozen=True, slots=True)
class Post:
    """One post as a scan reads it."""

    source: str
    line: int
    data_id: str | None
    record: Mapping[str, Any]
    texts: Mapping[str | None, str]
    """Its text by field, under None where one field is read: what spans count in."""
    raw: bytes | None = None
    """The line of JSON that it was read from."""

    @property
    def place(self) -> str:
        """Where the post stands, for messages."""
        return f"{self.source}:{self.line}"


def read_posts(
    sources: Sequence[Source],
    options: ScanOptions,
    reject: Callable[[Rejection], None],
    also: Callable[[Source], Sequence[str]] = lambda _: (),
) -> Iterator[Post]:
    """Yield the posts that a scan of the same inputs gives verdicts to, in the same order.

    Args:
        sources: inputs that `resolve_sources` has checked.
        options: how the scan read them.
        reject: told of every record and input that a scan would reject.
        also: says which columns of an input to read beside id and text, where they exist.
    """
    for source in sources:
        place = Place()
        line = record = 0
        try:
            for line, row in read_rows(source, options, place, also=also(source)):
                if isinstance(row, Gap):
                    reject(Rejection.of_gap(source.name, line, row))
                    record += row.rows
                    line += row.rows - 1
                    continue
                record += 1
                found = accepted(row, options)
                if found.error is not None:
                    reject(found.rejection(source.name, line, record, place.offset))
                    continue
                texts: dict[str | None, str] = {
                    span.name: found.text[span.start : span.end] for span in found.layout
                }
                texts = texts or {None: found.text}
                yield Post(source.name, line, found.data_id, found.fields, texts, place.raw)
        except ShardError as error:
            at = line + 1 if line else None
            reject(Rejection(source.name, at, None, UNREADABLE_INPUT, str(error)))


def in_order(
    posts: Iterator[Post], verdicts: Iterator[VerdictRow]
) -> Iterator[tuple[Post, VerdictRow]]:
    """Yield each post with its verdict: the first with the first, as a scan leaves them.

    Raises:
        ConfigError: an id differs from its verdict's, or one side ends before the other.
    """
    for post, row in zip_longest(posts, verdicts):
        if post is None:
            raise ConfigError(f"{row.place}: expected a post for this verdict, found no more posts")
        if row is None:
            raise ConfigError(
                f"{post.place}: expected a verdict for this post, found no more verdicts"
            )
        if not _same(post.data_id, row.verdict.data_id):
            raise ConfigError(
                f"{row.place}: expected the verdict on the post {post.data_id!r} of {post.place}, "
                f"found that on {row.verdict.data_id!r}: posts and verdicts have to stand in one "
                "order (are text and id fields those of the scan?); or join them by id"
            )
        yield post, row


def by_id(
    posts: Iterator[Post], verdicts: Iterator[VerdictRow]
) -> Iterator[tuple[Post, VerdictRow]]:
    """Yield each post with the verdict that has its id, in the order of the posts.

    Raises:
        ConfigError: a post or a verdict is alone, or an id is missing or stands twice.
    """
    with verdict_index() as index:
        index.fill(verdicts)
        for post in posts:
            row = index.take(post.data_id)
            if row is None:
                raise ConfigError(
                    f"{post.place}: expected a verdict on the post {post.data_id!r}, found none "
                    "(or one that an earlier post has taken)"
                )
            yield post, row
        for row in index.rest():
            raise ConfigError(
                f"{row.place}: expected the post {row.verdict.data_id!r} of this verdict, "
                "found none"
            )


def check_spans(row: VerdictRow, texts: Mapping[str | None, str], place: str) -> None:
    """Refuse a verdict whose evidence cannot lie in a text.

    Args:
        row: the verdict.
        texts: the post's text by field.
        place: where the post stands.

    Raises:
        ConfigError: with both places.
    """
    for label in row.verdict.labels:
        for span in label.evidence:
            text = texts.get(span.field)
            if text is not None and span.end <= len(text):
                continue
            named = "the text" if span.field is None else f"the field {span.field!r}"
            found = "no such field" if text is None else f"{len(text)} characters"
            raise ConfigError(
                f"{row.place}: expected evidence within {named} of {place}, found {span.start} to "
                f"{span.end}, and {found}: the verdict is on another text, or on other text fields"
            )


def _same(given: str | None, stored: str | None) -> bool:
    # Parquet and Arrow hold U+FFFD in the place of a lone surrogate.
    if given is None or stored is None:
        return given is stored
    return given == stored or storable(given) == storable(stored)


class VerdictIndex:
    """Verdicts by id, on disk; each is taken once."""

    def __init__(self, connection: Any) -> None:
        """Use an empty SQLite database."""
        self._database = connection
        self._database.execute(
            "CREATE TABLE verdicts (id TEXT PRIMARY KEY, number INTEGER, row BLOB) WITHOUT ROWID"
        )

    def fill(self, verdicts: Iterator[VerdictRow]) -> int:
        """Store verdicts and return how many there are.

        Raises:
            ConfigError: a verdict has no id, or that of an earlier one.
        """
        import sqlite3

        number = 0
        for number, row in enumerate(verdicts, 1):
            if row.verdict.data_id is None:
                raise ConfigError(f"{row.place}: expected a data_id to join by, found null")
            key = storable(row.verdict.data_id)
            try:
                self._database.execute(_INSERT, (key, number, _stored(row)))
            except sqlite3.IntegrityError:
                raise ConfigError(
                    f"{row.place}: a second verdict on the post {row.verdict.data_id!r}"
                ) from None
        return number

    def take(self, data_id: str | None) -> VerdictRow | None:
        """Return the verdict on a post and forget it; None where there is none."""
        if data_id is None:
            return None
        found = self._database.execute(
            "DELETE FROM verdicts WHERE id = ? RETURNING row", (storable(data_id),)
        ).fetchone()
        return None if found is None else _loaded(found[0])

    def rest(self) -> Iterator[VerdictRow]:
        """Yield the verdicts that nobody has taken, in their order."""
        for (stored,) in self._database.execute("SELECT row FROM verdicts ORDER BY number"):
            yield _loaded(stored)


def _stored(row: VerdictRow) -> bytes:
    return json_line(
        {
            "source": row.source,
            "line": row.line,
            "verdict": row.verdict.to_dict(),
            "texts": None if row.texts is None else list(row.texts.items()),
        }
    )


def _loaded(stored: bytes) -> VerdictRow:
    found = parse_line(stored)
    verdict, _ = verdict_of(found["verdict"])
    texts = None if found["texts"] is None else dict(found["texts"])
    return VerdictRow(found["source"], found["line"], verdict, texts)


@contextmanager
def verdict_index() -> Iterator[VerdictIndex]:
    """Open an index in a temporary file, which is gone afterwards."""
    import sqlite3
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="moderate-") as folder:
        connection = sqlite3.connect(Path(folder) / "verdicts.sqlite", isolation_level=None)
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("BEGIN")
            yield VerdictIndex(connection)
        finally:
            connection.close()
