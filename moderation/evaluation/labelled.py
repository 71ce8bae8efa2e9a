"""Read labelled posts: JSONL with text and labels."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from moderation.errors import ShardError
from moderation.types import POLICIES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["LabelledPosts", "read_labelled"]


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
    ids: list[str] = []
    texts: list[str] = []
    labels: list[list[float]] = []
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                row = _row(line, path, number)
                ids.append(str(row.get("id", f"{path.name}:{number}")))
                texts.append(row["text"])
                labels.append([_label(row["labels"], policy) for policy in POLICIES])
    except (OSError, EOFError) as error:
        raise ShardError(f"{path}: cannot be read: {error}") from error
    table = np.array(labels, np.float64).reshape(-1, len(POLICIES))
    name = path.name.removesuffix(".gz").removesuffix(".jsonl")
    return LabelledPosts(ids, texts, table, [name] * len(ids))


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
