"""Read labelled posts: text with 1, 0 or null for each policy, and where given what it does."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from moderation.errors import RecordError, ShardError
from moderation.scan import Rejection
from moderation.scan.fields import record_id
from moderation.scan.plain import BATCH_CODEPOINTS
from moderation.scan.rows import UNREADABLE_INPUT, Gap, kind_of
from moderation.scan.runner import read_rows
from moderation.types import POLICIES, STANCES, SUB_LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.scan import ScanOptions, Source
    from moderation.scan.rows import Rows
    from moderation.text import FieldSpan

__all__ = [
    "LABEL_REASONS",
    "LabelledBatch",
    "LabelledPosts",
    "labelled_batches",
    "read_labelled",
    "read_labelled_sources",
]

_BATCH: Final = 4096
_SUB_LABELS: Final = tuple(name for names in SUB_LABELS.values() for name in names)
_LABEL_FIELDS: Final = ("labels", *POLICIES, "sub_label", "stance")

MISSING_LABELS: Final = "missing_labels"
LABELS_NOT_AN_OBJECT: Final = "labels_not_an_object"
UNKNOWN_POLICY: Final = "unknown_policy"
LABEL_VALUE: Final = "label_value"
UNKNOWN_SUB_LABEL: Final = "unknown_sub_label"
UNKNOWN_STANCE: Final = "unknown_stance"
DUPLICATE_ID: Final = "duplicate_id"
LABEL_REASONS: Final = (
    MISSING_LABELS,
    LABELS_NOT_AN_OBJECT,
    UNKNOWN_POLICY,
    LABEL_VALUE,
    UNKNOWN_SUB_LABEL,
    UNKNOWN_STANCE,
    DUPLICATE_ID,
)
"""Every `reason` that a labelled record may be refused for beside those of `moderation.scan`."""


@dataclass(slots=True)
class LabelledBatch:
    """Labelled records as a scan would read them, in order.

    Attributes:
        ids: as given; of a record without one, its input and line.
        places: the input's name and the 1-based line or row.
        texts: the posts; with several text fields, joined.
        layouts: where the fields of each post lie; empty tuples with one text field.
        labels: 1, 0 or NaN where nobody looked, in the order of POLICIES.
        sub_labels: one of SUB_LABELS, or None.
        stances: one of STANCES, or None.
    """

    ids: list[str] = field(default_factory=list)
    places: list[tuple[str, int]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    layouts: list[tuple[FieldSpan, ...]] = field(default_factory=list)
    labels: list[tuple[float, ...]] = field(default_factory=list)
    sub_labels: list[str | None] = field(default_factory=list)
    stances: list[str | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)


def read_labelled_sources(
    sources: Sequence[Source],
    options: ScanOptions,
    reject: Callable[[Rejection], None],
) -> Iterator[LabelledBatch]:
    """Yield the labelled records of inputs in any format that a scan reads, in batches.

    Labels stand in an object `labels`, or in fields (CSV columns) named after the policies. A
    policy that is absent, null or empty was not judged. `sub_label` and `stance` are optional.

    Args:
        sources: inputs that `moderation.scan.resolve_sources` has checked.
        options: text fields, id field and sizes, as for a scan.
        reject: told of every record that is left out, with its line and reason, and of every input
            that could not be read to its end.
    """
    batch, size = LabelledBatch(), 0
    for source in sources:
        line = 0
        lines_of_ids: dict[str, int] = {}
        try:
            for line, record in _rows(source, options):
                if isinstance(record, Gap):
                    reject(Rejection.of_gap(source.name, line, record))
                    continue
                data_id = None
                try:
                    if isinstance(record, RecordError):
                        raise record
                    data_id = record_id(record, options.id_field)
                    text, layout = options.fields.text(record)
                    labels = _labels(record)
                    sub_label = _one_of(record, "sub_label", _SUB_LABELS, UNKNOWN_SUB_LABEL)
                    stance = _one_of(record, "stance", STANCES, UNKNOWN_STANCE)
                    if data_id is not None:
                        _check_new(lines_of_ids, data_id, line)
                except RecordError as error:
                    reject(Rejection(source.name, line, data_id, error.reason, error.detail))
                    continue
                if batch.texts and size + len(text) > BATCH_CODEPOINTS:
                    yield batch
                    batch, size = LabelledBatch(), 0
                batch.ids.append(f"{source.name}:{line}" if data_id is None else data_id)
                batch.places.append((source.name, line))
                batch.texts.append(text)
                batch.layouts.append(layout)
                batch.labels.append(labels)
                batch.sub_labels.append(sub_label)
                batch.stances.append(stance)
                size += len(text)
                if len(batch) >= options.batch_size:
                    yield batch
                    batch, size = LabelledBatch(), 0
        except ShardError as error:
            at = line + 1 if line else None
            reject(Rejection(source.name, at, None, UNREADABLE_INPUT, str(error)))
    if len(batch):
        yield batch


def _rows(source: Source, options: ScanOptions) -> Rows:
    """Yield an input's rows with the fields that hold labels, too."""
    texts = options.fields.names
    wanted = tuple(dict.fromkeys((options.id_field, *texts, *_LABEL_FIELDS)))
    if source.format == "csv":
        from moderation.scan.delimited import read_csv

        return read_csv(source, wanted, texts, options.max_line_bytes)
    if source.format in {"parquet", "arrow"}:
        from moderation.scan.columnar import read_columnar

        return read_columnar(source, wanted, texts)
    return read_rows(source, options)


def _labels(record: Mapping[str, Any]) -> tuple[float, ...]:
    if "labels" not in record:
        if not any(policy in record for policy in POLICIES):
            detail = f"expected 'labels', or fields named {', '.join(POLICIES)}"
            raise RecordError(MISSING_LABELS, detail)
        return tuple(_label(record.get(policy), policy) for policy in POLICIES)
    labels = record["labels"]
    if not isinstance(labels, dict):
        detail = f"expected an object in 'labels', found {kind_of(labels)}"
        raise RecordError(LABELS_NOT_AN_OBJECT, detail)
    unknown = sorted(set(labels) - set(POLICIES))
    if unknown:
        detail = f"expected {', '.join(POLICIES)} in 'labels', found {', '.join(unknown)}"
        raise RecordError(UNKNOWN_POLICY, detail)
    return tuple(_label(labels.get(policy), policy) for policy in POLICIES)


def _label(value: object, policy: str) -> float:
    if value is None or value == "":
        return float("nan")
    if value in (0, 1):  # also true, false and 1.0
        return float(value)
    if value in ("0", "1"):
        return float(value == "1")
    found = repr(value) if isinstance(value, int | float) else kind_of(value)
    raise RecordError(LABEL_VALUE, f"expected 0, 1 or null for {policy!r}, found {found}")


def _one_of(record: Mapping[str, Any], name: str, known: Sequence[str], reason: str) -> str | None:
    value = record.get(name)
    if value is None or value == "":
        return None
    if value not in known:
        raise RecordError(reason, f"expected null or one of {', '.join(known)} in {name!r}")
    return str(value)


def _check_new(lines_of_ids: dict[str, int], data_id: str, line: int) -> None:
    first = lines_of_ids.setdefault(data_id, line)
    if first != line:
        raise RecordError(DUPLICATE_ID, f"line {first} has the same id")


@dataclass(frozen=True, slots=True)
class LabelledPosts:
    """Labelled posts.

    Attributes:
        ids: as given, or file and line.
        texts: the posts.
        labels: float64, shape (posts, policies): 1, 0 or NaN.
        sources: what to group figures by: the row's `source` file, else the file's name.
    """

    ids: list[str]
    texts: list[str]
    labels: NDArray[np.float64]
    sources: list[str]


def read_labelled(path: Path) -> LabelledPosts:
    """Read `{"text": …, "labels": {"porn": 0, "drugs": 1, "gambling": null}}` rows, .gz or not.

    Raises:
        ShardError: the file cannot be read or a row is not labelled; names file and line.
    """
    batches = list(labelled_batches(path))
    return LabelledPosts(
        [name for batch in batches for name in batch.ids],
        [text for batch in batches for text in batch.texts],
        np.concatenate([np.zeros((0, len(POLICIES))), *(batch.labels for batch in batches)]),
        [name for batch in batches for name in batch.sources],
    )


def labelled_batches(path: Path, size: int = _BATCH) -> Iterator[LabelledPosts]:
    """Yield the rows that `read_labelled` reads, in batches.

    Args:
        path: the file.
        size: most rows of a batch. One of fewer rows than it could have is full of long posts.

    Raises:
        ShardError: the file cannot be read or a row is not labelled; names file and line.
    """
    name = path.name.removesuffix(".gz").removesuffix(".jsonl")
    ids: list[str] = []
    texts: list[str] = []
    labels: list[list[float]] = []
    length = 0

    def batch() -> LabelledPosts:
        table = np.array(labels, np.float64).reshape(-1, len(POLICIES))
        return LabelledPosts(ids, texts, table, [name] * len(ids))

    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                row = _row(line, path, number)
                ids.append(str(row.get("id", f"{path.name}:{number}")))
                texts.append(row["text"])
                labels.append(_strict_labels(row["labels"], path, number))
                length += len(row["text"])
                if len(ids) >= size or length >= BATCH_CODEPOINTS:
                    yield batch()
                    ids, texts, labels, length = [], [], [], 0
    except (OSError, EOFError, zlib.error) as error:
        raise ShardError(f"{path}: cannot be read: {error}") from error
    if ids:
        yield batch()


def _row(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ShardError(f"{path}:{number}: not JSON: {error}") from error
    if not (
        isinstance(row, dict)
        and isinstance(row.get("text"), str)
        and isinstance(row.get("labels"), dict)
    ):
        raise ShardError(f"{path}:{number}: expected an object with 'text' and 'labels'")
    unknown = sorted(set(row["labels"]) - set(POLICIES))
    if unknown:
        raise ShardError(f"{path}:{number}: unknown policies in 'labels': {', '.join(unknown)}")
    return row


def _strict_labels(labels: dict[str, Any], path: Path, number: int) -> list[float]:
    try:
        return [_label(labels.get(policy), policy) for policy in POLICIES]
    except RecordError as error:
        raise ShardError(f"{path}:{number}: {error.detail}") from None
