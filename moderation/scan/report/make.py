"""Make a report: verdicts, and posts where given, read once and told on one page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from moderation import __version__
from moderation.errors import ConfigError
from moderation.scan.pairs import JOINS, check_spans, in_order, read_posts, verdict_index
from moderation.scan.report.aggregate import Totals
from moderation.scan.report.page import Report, page
from moderation.scan.report.sample import Samples
from moderation.scan.report.trend import Trend
from moderation.scan.report.words import PAGE_LANGUAGES
from moderation.scan.verdict_rows import read_verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from moderation.scan.options import ScanOptions
    from moderation.scan.pairs import Post
    from moderation.scan.rejections import Rejection
    from moderation.scan.source import Source
    from moderation.scan.verdict_rows import VerdictRow

__all__ = ["ReportOptions", "ReportSummary", "make_report"]


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What the page says and shows."""

    join: str = "order"
    """How posts and verdicts find each other, one of `moderation.scan.pairs.JOINS`."""
    time_field: str | None = None
    """Field of the posts that holds a time."""
    samples: int = 3
    """Posts shown of a rule."""
    top: int = 25
    """Rules listed."""
    seed: int = 0
    reveal: bool = False
    """Show evidence and contacts instead of masking them."""
    language: str = "en"
    """One of `moderation.scan.report.words.PAGE_LANGUAGES`, in which the page opens."""

    def __post_init__(self) -> None:
        for name, known in (("join", JOINS), ("language", PAGE_LANGUAGES)):
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"{name}: expected one of {', '.join(known)}, found {getattr(self, name)!r}"
                )


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """What a report was made from."""

    verdicts: int
    rejected: int
    """Rows that are no verdicts."""
    skipped_posts: int
    """Records of the posts that a scan rejects, so that no verdict belongs to them."""
    unposted: int
    """Verdicts without a post."""
    unjudged: int
    """Posts without a verdict."""
    untimed: str | None
    """How many posts have no readable time, and where the first one stands; None: all have one."""


def make_report(
    verdicts: Sequence[Source],
    posts: Sequence[Source],
    reading: ScanOptions,
    options: ReportOptions,
    reject: Callable[[Rejection], None],
) -> tuple[bytes, ReportSummary]:
    """Read verdicts once, in constant memory, and return the page.

    The same inputs and options give the same bytes.

    Args:
        verdicts: inputs from `moderation.scan.verdict_rows.verdict_sources`.
        posts: the posts they are on, or none; then text comes from verdicts that hold it.
        reading: how the posts are read: text fields and id field as in the scan.
        options: what to show.
        reject: told of every row of the verdicts that is none.

    Raises:
        ConfigError: a time field without posts; posts and verdicts that do not belong together.
    """
    if options.time_field is not None and not posts:
        raise ConfigError("a time field is one of the posts: expected --posts, found none")
    run = _Run(options, reject)
    for post, row in run.rows(verdicts, posts, reading):
        run.add(post, row)
    return run.page(verdicts, posts).encode("utf-8"), run.summary()


class _Run:
    """Everything that is gathered on the way through the verdicts."""

    def __init__(self, options: ReportOptions, reject: Callable[[Rejection], None]) -> None:
        self._options = options
        self._reject = reject
        self._totals = Totals()
        self._samples = Samples(options.samples, options.seed, reveal=options.reveal)
        self._trend = Trend() if options.time_field is not None else None
        self._with_text = False
        self._rejected = self._skipped = self._unposted = self._unjudged = 0

    def rows(
        self, verdicts: Sequence[Source], posts: Sequence[Source], reading: ScanOptions
    ) -> Iterator[tuple[Post | None, VerdictRow]]:
        """Yield every verdict, with its post where there is one."""
        if not posts:
            for row in read_verdicts(verdicts, self._refuse):
                yield None, row
            return
        also = () if self._options.time_field is None else (self._options.time_field,)
        read = read_posts(posts, reading, self._skip, lambda _: also)
        if self._options.join == "order":
            yield from in_order(read, read_verdicts(verdicts, _refuse_in_order))
            return
        with verdict_index() as index:
            index.fill(read_verdicts(verdicts, self._refuse))
            for post in read:
                found = index.take(post.data_id)
                if found is None:
                    self._unjudged += 1
                else:
                    yield post, found
            for row in index.rest():
                self._unposted += 1
                yield None, row

    def add(self, post: Post | None, row: VerdictRow) -> None:
        """Count one verdict."""
        texts = row.texts
        if post is not None:
            check_spans(row, post.texts, post.place)
            texts = post.texts
        elif texts is not None:
            check_spans(row, texts, row.place)
        self._with_text = self._with_text or texts is not None
        self._totals.add(row.verdict)
        self._samples.add(row.verdict, row.place, texts)
        if self._trend is not None and post is not None:
            value = post.record.get(self._options.time_field or "")
            self._trend.add(value, row.verdict, post.place)

    def page(self, verdicts: Sequence[Source], posts: Sequence[Source]) -> str:
        """Return the page on what was counted."""
        report = Report(
            self._totals,
            self._samples,
            self._trend,
            [source.name for source in verdicts],
            [source.name for source in posts],
            self._with_text,
            self._options.reveal,
            self._rejected,
            self._unposted,
            self._unjudged,
            f"moderation-engine {__version__}",
            self._options.top,
        )
        return page(report, self._options.language)

    def summary(self) -> ReportSummary:
        """Return the counts."""
        untimed = None
        if self._trend is not None and self._trend.unread:
            untimed = f"{self._trend.unread:,}, the first at {self._trend.example}"
        return ReportSummary(
            self._totals.posts,
            self._rejected,
            self._skipped,
            self._unposted,
            self._unjudged,
            untimed,
        )

    def _refuse(self, rejection: Rejection) -> None:
        self._rejected += 1
        self._reject(rejection)

    def _skip(self, rejection: Rejection) -> None:
        self._skipped += 1


def _refuse_in_order(rejection: Rejection) -> NoReturn:
    at = f":{rejection.line}" if rejection.line is not None else ""
    raise ConfigError(
        f"{rejection.source}{at}: {rejection.reason}: {rejection.detail}: posts and verdicts "
        "cannot be joined in order where a verdict is missing; join them by id"
    )
