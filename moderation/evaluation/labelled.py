"""Read labelled posts: JSONL with text and labels."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from moderation.errors import ShardError
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["LabelledPosts", "labelled_batches", "read_labelled"]

_BATCH: Final = 4096
_BATCH_CODEPOINTS: Final = 1 << 21


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
                labels.append([_label(row["labels"], policy) for policy in POLICIES])
                length += len(row["text"])
                if len(ids) >= size or length >= _BATCH_CODEPOINTS:
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


def _label(labels: dict[str, Any], policy: str) -> float:
    value = labels.get(policy)
    return float("nan") if value is None else float(bool(value))
