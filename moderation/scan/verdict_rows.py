"""Verdict rows: verdicts read back from what a scan wrote, one by one, checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from moderation.errors import ConfigError, RecordError, ShardError
from moderation.scan.layout import ERRORS_NAME, MARKERS_NAME, WORK_NAME
from moderation.scan.rejections import Rejection
from moderation.scan.rows import UNREADABLE_INPUT, Gap
from moderation.scan.source import resolve_sources
from moderation.types import LANGUAGES, POLICIES, RISK_LEVELS, STANCES, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from moderation.scan.rows import Place, Rows
    from moderation.scan.source import Source

__all__ = [
    "MAX_VERDICT_BYTES",
    "NOT_A_VERDICT",
    "VerdictRow",
    "read_verdicts",
    "verdict_of",
    "verdict_sources",
]

NOT_A_VERDICT: Final = "not_a_verdict"
"""The `reason` of a row that is no verdict, beside those of `moderation.scan.rows`."""
MAX_VERDICT_BYTES: Final = 128 << 20
"""Longest line of verdicts: that of a post of the longest line, its text written in escapes."""
_REQUIRED: Final = ("action",)
_COLUMNS: Final = (
    *("data_id", "action", "risk_level", "language", "category_scores", "labels", "policy"),
    *("model", "tier", "error", "text", "fields"),
)


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """One verdict, and where it stands."""

    source: str
    line: int
    """1-based line, or row of Parquet and Arrow."""
    verdict: Verdict
    texts: Mapping[str | None, str] | None = None
    """The post's text by field, under None where it has a single one; None: the row has none."""

    @property
    def place(self) -> str:
        """Where the verdict stands, for messages."""
        return f"{self.source}:{self.line}"


def verdict_sources(paths: Sequence[str], input_format: str | None = None) -> list[Source]:
    """Turn paths into inputs of verdicts.

    Args:
        paths: files, folders of part files, and "-" for standard input. What else a scan leaves in
            its folder, errors for one, is no part.
        input_format: as for `resolve_sources`.

    Raises:
        ConfigError: a path is missing, unreadable, of no known format, or CSV, which has no spans.
    """
    given = {str(Path(path)) for path in paths}
    sources = [
        source
        for source in resolve_sources(paths, input_format)
        if str(Path(source.name)) in given or not _is_beside_parts(Path(source.name))
    ]
    for source in sources:
        if source.format == "csv":
            raise ConfigError(
                f"{source.name}: expected verdicts as JSON lines, Parquet or Arrow, found CSV, "
                "which holds no spans"
            )
    if not sources:
        raise ConfigError(f"{', '.join(paths)}: expected files of verdicts, found none")
    return sources


def _is_beside_parts(path: Path) -> bool:
    return path.name == ERRORS_NAME or path.parent.name in {MARKERS_NAME, WORK_NAME}


def read_verdicts(
    sources: Sequence[Source],
    reject: Callable[[Rejection], None],
    place: Place | None = None,
) -> Iterator[VerdictRow]:
    """Yield the verdicts of inputs that `verdict_sources` has checked, in order.

    Args:
        sources: the inputs.
        reject: told of every row that is no verdict, and of every input that cannot be read to its
            end.
        place: learns where each verdict stands.
    """
    for source in sources:
        line = 0
        try:
            for line, record in _rows(source, place):
                if isinstance(record, Gap):
                    reject(Rejection.of_gap(source.name, line, record))
                    continue
                if isinstance(record, RecordError):
                    reject(Rejection(source.name, line, None, record.reason, record.detail))
                    continue
                try:
                    verdict, texts = verdict_of(record)
                except RecordError as error:
                    reject(Rejection(source.name, line, None, error.reason, error.detail))
                    continue
                yield VerdictRow(source.name, line, verdict, texts)
        except ShardError as error:
            at = line + 1 if line else None
            reject(Rejection(source.name, at, None, UNREADABLE_INPUT, str(error)))


def verdict_of(record: Mapping[str, Any]) -> tuple[Verdict, dict[str | None, str] | None]:
    """Return the verdict that a record is, and the text that it carries.

    Raises:
        RecordError: it is not a verdict of the published schema.
    """
    text, fields = record.get("text"), record.get("fields")
    try:
        verdict = msgspec.convert(record, Verdict)
        if text is not None:
            text = msgspec.convert(text, str)
        if fields is not None:
            fields = msgspec.convert(fields, dict[str, str | None])
    except msgspec.ValidationError as error:
        raise RecordError(NOT_A_VERDICT, str(error)) from None
    problem = _problem(verdict)
    if problem is not None:
        raise RecordError(NOT_A_VERDICT, problem)
    if fields is not None:
        return verdict, {name: value for name, value in fields.items() if value is not None}
    return verdict, None if text is None else {None: text}


def _problem(verdict: Verdict) -> str | None:
    """Say what in a verdict of the right types is none of the published values."""
    scores = verdict.category_scores
    if tuple(scores) != POLICIES and set(scores) != set(POLICIES):
        return f"expected scores for {', '.join(POLICIES)}, found {', '.join(scores) or 'none'}"
    wanted: list[tuple[str, str, tuple[str, ...]]] = [
        ("risk_level", verdict.risk_level, RISK_LEVELS),
        ("language", verdict.language, LANGUAGES),
    ]
    numbers = list(scores.values())
    for label in verdict.labels:
        wanted += [("label", label.label, POLICIES), ("stance", label.stance, STANCES)]
        numbers += [label.score, label.threshold]
        for span in label.evidence:
            if not 0 <= span.start <= span.end:
                return f"expected 0 <= start <= end, found {span.start} and {span.end}"
    for name, value, known in wanted:
        if value not in known:
            return f"{name}: expected one of {', '.join(known)}"
    if not all(0 <= number <= 1 for number in numbers):
        return "expected scores from 0 to 1"
    return None


def _rows(source: Source, place: Place | None) -> Rows:
    if source.format == "jsonl":
        from moderation.scan.jsonl import read_jsonl

        return read_jsonl(source, MAX_VERDICT_BYTES, place=place)
    from moderation.scan.columnar import read_columnar

    return read_columnar(source, _COLUMNS, _REQUIRED, place=place)
