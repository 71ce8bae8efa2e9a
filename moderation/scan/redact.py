"""Redact: posts with the evidence against them masked, character by character."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from moderation.errors import ConfigError
from moderation.scan.pairs import Post, by_id, check_spans, in_order
from moderation.scan.redact_files import posts_to_copy
from moderation.scan.rows import Place
from moderation.scan.verdict_rows import read_verdicts
from moderation.types import ACTIONS, is_unshown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moderation.scan.options import ScanOptions
    from moderation.scan.redact_files import Copy
    from moderation.scan.rejections import Rejection
    from moderation.scan.source import Source
    from moderation.types import Verdict

__all__ = [
    "RedactOptions",
    "RedactSummary",
    "evidence_by_field",
    "masked",
    "redact_posts",
    "redact_verdicts",
]


@dataclass(frozen=True, slots=True)
class RedactOptions:
    """What to mask, and with what."""

    at_least: str = "pass"
    """Evidence of labels with this action or a stronger one; that against minors always."""
    mask: str = "█"
    """One character for each that is masked, so that places in the text stay what they were."""

    def __post_init__(self) -> None:
        if self.at_least not in ACTIONS:
            raise ConfigError(
                f"expected an action of {', '.join(ACTIONS)}, found {self.at_least!r}"
            )
        if len(self.mask) != 1 or not self.mask.isprintable():
            raise ConfigError(f"expected one visible character to mask with, found {self.mask!r}")


def evidence_by_field(
    verdict: Verdict, options: RedactOptions
) -> dict[str | None, list[tuple[int, int]]]:
    """Return the stretches to mask of each field, under None where a post has a single one."""
    least = ACTIONS.index(options.at_least)
    out: dict[str | None, list[tuple[int, int]]] = {}
    for label in verdict.labels:
        if ACTIONS.index(label.action) >= least or is_unshown([label]):
            for span in label.evidence:
                out.setdefault(span.field, []).append((span.start, span.end))
    return out


def masked(text: str, spans: Sequence[tuple[int, int]], mask: str) -> str:
    """Return a text of the same length in which every character of some stretches is the mask.

    Args:
        text: what the stretches count in, in code points.
        spans: half-open; they may overlap.
        mask: one character.
    """
    out: list[str] = []
    last = 0
    for start, end in sorted(spans):
        if end > last:
            first = max(start, last)
            out += (text[last:first], mask * (end - first))
            last = end
    return "".join((*out, text[last:]))


@dataclass(frozen=True, slots=True)
class RedactSummary:
    """What was copied."""

    posts: int
    changed: int
    """Posts of which some character was masked."""


def redact_posts(
    posts: Sequence[Source],
    verdicts: Sequence[Source],
    join: str,
    reading: ScanOptions,
    options: RedactOptions,
    copy: Copy,
    reject: Callable[[Rejection], None],
) -> RedactSummary:
    """Copy posts with the evidence of their verdicts masked.

    Args:
        posts: inputs that `resolve_sources` has checked.
        verdicts: inputs from `verdict_sources`.
        join: one of `pairs.JOINS`.
        reading: how the posts are read: text fields and id field as in the scan.
        options: what to mask.
        copy: takes the posts, in their order.
        reject: told of every record that a scan would reject; it is not copied, since nobody has
            looked for evidence in it.

    Raises:
        ConfigError: posts and verdicts do not belong together.
    """
    read = posts_to_copy(posts, reading, reject)
    rows = read_verdicts(verdicts, _refuse)
    pairs = in_order(read, rows) if join == "order" else by_id(read, rows)
    count = changed = 0
    for post, row in pairs:
        check_spans(row, post.texts, post.place)
        new = _changed_fields(post, row.verdict, options, reading.fields.names[0])
        copy.write(post, new)
        count += 1
        changed += bool(new)
    copy.finish()
    return RedactSummary(count, changed)


def redact_verdicts(
    verdicts: Sequence[Source],
    options: RedactOptions,
    copy: Copy,
    reject: Callable[[Rejection], None],
) -> RedactSummary:
    """Copy verdicts that hold their posts' text, with the evidence in it masked.

    Args:
        verdicts: inputs from `verdict_sources`.
        options: what to mask.
        copy: takes the verdicts, in their order.
        reject: told of every row that is no verdict.

    Raises:
        ConfigError: a verdict has no text.
    """
    count = changed = 0
    place = Place()
    for row in read_verdicts(verdicts, reject, place):
        if row.texts is None:
            raise ConfigError(
                f"{row.place}: expected the post's text in the verdict (scan --with-text), "
                "found none: name the posts, and the verdicts with --verdicts"
            )
        check_spans(row, row.texts, row.place)
        spans = evidence_by_field(row.verdict, options)
        texts = {n: masked(t, spans.get(n, ()), options.mask) for n, t in row.texts.items()}
        new: dict[str, Any] = {}
        if texts != row.texts:
            new = {"text": texts[None]} if None in texts else {"fields": texts}
        copy.write(Post(row.source, row.line, row.verdict.data_id, {}, row.texts, place.raw), new)
        count += 1
        changed += bool(new)
    copy.finish()
    return RedactSummary(count, changed)


def _refuse(rejection: Rejection) -> NoReturn:
    at = f":{rejection.line}" if rejection.line is not None else ""
    raise ConfigError(
        f"{rejection.source}{at}: {rejection.reason}: {rejection.detail}: "
        "a post would stay as it is"
    )


def _changed_fields(
    post: Post, verdict: Verdict, options: RedactOptions, only: str
) -> dict[str, Any]:
    """Return the fields of a post's record that change, with their new values.

    Args:
        post: whose texts hold all stretches of the verdict.
        verdict: the verdict on it.
        options: what to mask.
        only: name of the text field where a post has a single one.
    """
    out: dict[str, Any] = {}
    for field, spans in evidence_by_field(verdict, options).items():
        name = only if field is None else field
        value = post.record[name]
        new = (
            _masked_items(value, spans, options.mask)
            if isinstance(value, list)
            else masked(value, spans, options.mask)
        )
        if new != value:
            out[name] = new
    return out


def _masked_items(items: list[str], spans: Sequence[tuple[int, int]], mask: str) -> list[str]:
    """Mask a list of strings, in which stretches count as if it were joined by single spaces."""
    out: list[str] = []
    begin = 0
    for item in items:
        end = begin + len(item)
        inside = [
            (max(first, begin) - begin, min(last, end) - begin)
            for first, last in spans
            if first < end and last > begin
        ]
        out.append(masked(item, inside, mask))
        begin = end + 1
    return out
