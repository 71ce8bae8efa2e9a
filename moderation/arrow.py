"""Arrow: the verdict schema as columns, and scoring of record batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moderation.errors import ConfigError, MissingExtraError
from moderation.text import TextBatch
from moderation.types import ACTIONS, LANGUAGES, POLICIES, RISK_LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from moderation.decide import Verdicts
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
            pa.field("error", pa.string()),
        ]
    )


def __getattr__(name: str) -> Any:
    if name == "OUTPUT_SCHEMA":
        return output_schema()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def verdicts_to_arrow(verdicts: Verdicts) -> Any:
    """Return verdicts as a RecordBatch of `OUTPUT_SCHEMA`."""
    pa = _pyarrow()
    schema = output_schema()
    count = len(verdicts)

    def named(indices: Any, names: tuple[str, ...]) -> Any:
        dictionary = pa.DictionaryArray.from_arrays(pa.array(indices, pa.uint8()), list(names))
        return dictionary.dictionary_decode()

    def struct(name: str, columns: list[Any]) -> Any:
        return pa.StructArray.from_arrays(columns, fields=list(schema.field(name).type))

    def constant(value: str) -> Any:
        return pa.repeat(pa.scalar(value, pa.string()), count)

    labels = [[label.to_dict() for label in verdicts.labels.get(post, ())] for post in range(count)]
    policy = verdicts.policy
    columns = [
        pa.array([_storable(x) for x in verdicts.data_ids or [None] * count], pa.string()),
        named(verdicts.actions, ACTIONS),
        named(verdicts.risks, RISK_LEVELS),
        named(verdicts.languages, LANGUAGES),
        struct("category_scores", [pa.array(column) for column in verdicts.scores.T]),
        pa.array(labels, schema.field("labels").type),
        struct("policy", [constant(policy.region), constant(policy.bundle)]),
        constant(verdicts.model),
        pa.array([verdicts.errors.get(post) for post in range(count)], pa.string()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


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
    ids = None
    if id_field in names:
        ids = [None if value is None else str(value) for value in column(id_field).to_pylist()]
    texts = TextBatch.from_arrow(column(text_field))
    return verdicts_to_arrow(moderator.check_text_batch(texts, data_ids=ids))
