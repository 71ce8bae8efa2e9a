"""Arrow: the verdict schema as columns, and scoring of record batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from moderation.decide.labels import (
    ACTION,
    END,
    EVERY_SUB_LABEL,
    FIELD,
    HIT_TYPES,
    KIND,
    NONE,
    POLICY,
    POST,
    RULE,
    SCORE,
    STANCE,
    START,
    SUB_LABEL,
    THRESHOLD,
    TRANSFORMS,
)
from moderation.errors import ConfigError, MissingExtraError
from moderation.text import TextBatch
from moderation.types import ACTIONS, LANGUAGES, POLICIES, RISK_LEVELS, STANCES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moderation.decide import Verdicts
    from moderation.decide.labels import LabelTable
    from moderation.engine import Moderator

__all__ = ["output_schema", "score_batch", "verdicts_to_arrow"]

OUTPUT_SCHEMA: Any
"""The Arrow schema of verdicts; made on first use, since pyarrow is an extra."""


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise MissingExtraError("pyarrow", "arrow") from None
    return pyarrow


def output_schema() -> Any:
    """Return the Arrow schema of verdicts: the fields of the JSON verdict, in its order.

    Evidence has the column `field` besides, null unless a post has several text fields.
    """
    pa = _pyarrow()
    evidence = pa.struct(
        [
            pa.field("start", pa.int32(), nullable=False),
            pa.field("end", pa.int32(), nullable=False),
            pa.field("rule_id", pa.string()),
            pa.field("hit_type", pa.string(), nullable=False),
            pa.field("transforms", pa.list_(pa.string()), nullable=False),
            pa.field("field", pa.string()),
        ]
    )
    label = pa.struct(
        [
            pa.field("label", pa.string(), nullable=False),
            pa.field("sub_label", pa.string()),
            pa.field("action", pa.string(), nullable=False),
            pa.field("score", pa.float64(), nullable=False),
            pa.field("threshold", pa.float64(), nullable=False),
            pa.field("stance", pa.string(), nullable=False),
            pa.field("evidence", pa.list_(evidence), nullable=False),
        ]
    )
    scores = pa.struct([pa.field(name, pa.float64(), nullable=False) for name in POLICIES])
    policy = pa.struct(
        [
            pa.field("region", pa.string(), nullable=False),
            pa.field("bundle", pa.string(), nullable=False),
        ]
    )
    return pa.schema(
        [
            pa.field("data_id", pa.string()),
            pa.field("action", pa.string(), nullable=False),
            pa.field("risk_level", pa.string(), nullable=False),
            pa.field("language", pa.string(), nullable=False),
            pa.field("category_scores", scores, nullable=False),
            pa.field("labels", pa.list_(label), nullable=False),
            pa.field("policy", policy, nullable=False),
            pa.field("model", pa.string(), nullable=False),
            pa.field("tier", pa.string(), nullable=False),
            pa.field("error", pa.string()),
        ]
    )


def __getattr__(name: str) -> Any:
    if name == "OUTPUT_SCHEMA":
        return output_schema()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def verdicts_to_arrow(verdicts: Verdicts, ids: Any = None) -> Any:
    """Return verdicts as a RecordBatch of `OUTPUT_SCHEMA`.

    Args:
        verdicts: the verdicts.
        ids: pyarrow string Array of the posts' ids, where they need not be made from the verdicts.
    """
    pa = _pyarrow()
    schema = output_schema()
    count = len(verdicts)

    def named(indices: Any, names: tuple[str, ...]) -> Any:
        return pa.array(names, pa.string()).take(pa.array(indices))

    def struct(name: str, columns: list[Any]) -> Any:
        return pa.StructArray.from_arrays(columns, fields=list(schema.field(name).type))

    def constant(value: str) -> Any:
        return pa.repeat(pa.scalar(value, pa.string()), count)

    policy = verdicts.policy
    columns = [
        _ids(verdicts, pa) if ids is None else ids,
        named(verdicts.actions, ACTIONS),
        named(verdicts.risks, RISK_LEVELS),
        named(verdicts.languages, LANGUAGES),
        struct("category_scores", [pa.array(column) for column in verdicts.scores.T]),
        _labels(verdicts, schema.field("labels").type, pa),
        struct("policy", [constant(policy.region), constant(policy.bundle)]),
        constant(verdicts.model),
        named(verdicts.tiers, verdicts.tier_names),
        _errors(verdicts, pa),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _ids(verdicts: Verdicts, pa: Any) -> Any:
    if verdicts.data_ids is None:
        return pa.nulls(len(verdicts), pa.string())
    return pa.array([_storable(data_id) for data_id in verdicts.data_ids], pa.string())


def _labels(verdicts: Verdicts, kind: Any, pa: Any) -> Any:
    """Return the labels as a list column; only posts that have any cost anything."""
    table = verdicts.labels
    label = kind.value_type
    policy, sub_label, action, stance = (
        table.labels[:, column] for column in (POLICY, SUB_LABEL, ACTION, STANCE)
    )
    values = pa.StructArray.from_arrays(
        [
            _named(policy, POLICIES, pa),
            _named(sub_label, EVERY_SUB_LABEL, pa),
            _named(action, ACTIONS, pa),
            pa.array(table.numbers[:, SCORE]),
            pa.array(table.numbers[:, THRESHOLD]),
            _named(stance, STANCES, pa),
            _evidence(table, label.field("evidence").type, pa),
        ],
        fields=list(label),
    )
    counts = np.bincount(table.labels[:, POST], minlength=len(verdicts))
    return _lists(np.concatenate(([0], np.cumsum(counts))), values, kind, pa)


def _evidence(table: LabelTable, kind: Any, pa: Any) -> Any:
    piece = kind.value_type
    codes, numbers = np.unique(table.spans[:, TRANSFORMS], return_inverse=True)
    hidden = [table.names.hidden(code) for code in codes.tolist()]
    values = pa.StructArray.from_arrays(
        [
            pa.array(table.spans[:, START]),
            pa.array(table.spans[:, END]),
            _named(table.spans[:, RULE], table.names.rule_ids, pa),
            _named(table.spans[:, KIND], HIT_TYPES, pa),
            pa.array(hidden, piece.field("transforms").type).take(pa.array(numbers)),
            _named(table.spans[:, FIELD], table.names.fields, pa),
        ],
        fields=list(piece),
    )
    return _lists(table.bounds, values, kind, pa)


def _named(numbers: Any, names: Sequence[str], pa: Any) -> Any:
    """Return a string column from numbers of names; NONE is a null."""
    indices = pa.array(numbers, pa.int32(), mask=numbers == NONE)
    return pa.array(names, pa.string()).take(indices)


def _lists(bounds: Any, values: Any, kind: Any, pa: Any) -> Any:
    return pa.ListArray.from_arrays(bounds.astype(np.int32), values, type=kind)


def _errors(verdicts: Verdicts, pa: Any) -> Any:
    if not verdicts.errors:
        return pa.nulls(len(verdicts), pa.string())
    return pa.array([verdicts.errors.get(post) for post in range(len(verdicts))], pa.string())


def _storable(text: str | None) -> str | None:
    """Return a text that UTF-8 can hold: each lone surrogate becomes one U+FFFD."""
    if text is None or text.isascii():
        return text
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)


def score_batch(
    moderator: Moderator, batch: Any, *, text_field: str = "text", id_field: str = "id"
) -> Any:
    """Score a RecordBatch or Table; see `Moderator.score_batch`."""
    _pyarrow()
    column: Callable[[str], Any] = batch.column
    names = batch.schema.names
    if text_field not in names:
        raise ConfigError(f"expected a column {text_field!r}, found {', '.join(names) or 'none'}")
    verdicts = moderator.check_text_batch(TextBatch.from_arrow(column(text_field)))
    ids = None if id_field not in names else _given_ids(column(id_field))
    return verdicts_to_arrow(verdicts, ids)


def _given_ids(column: Any) -> Any:
    """Return a column of ids as one string Array: what `str` makes of each."""
    pa = _pyarrow()
    if isinstance(column, pa.ChunkedArray):
        chunks = column.chunks
        column = pa.concat_arrays(chunks) if chunks else pa.array([], column.type)
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_large_string(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind):
        return column.cast(pa.string())
    ids = (None if value is None else _storable(str(value)) for value in column.to_pylist())
    return pa.array(list(ids), pa.string())
