"""Sinks for Parquet and Arrow IPC streams, in groups whose size does not depend on batches."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import numpy as np

from moderation.scan.json_line import storable
from moderation.scan.sinks import FileSink, Scored

if TYPE_CHECKING:
    from moderation.decide import Verdicts
    from moderation.scan.output import Output
    from moderation.scan.sinks import SinkSpec

__all__ = ["ArrowSink"]

_GROUP_POSTS: Final = 8192
_GROUP_CHARACTERS: Final = 1 << 23
"""A group also ends with the post that brings its text to this length."""


class ArrowSink(FileSink):
    """Writes the verdict schema as Parquet row groups or as batches of an Arrow IPC stream.

    The groups are cut by the posts alone, so the same posts give the same bytes whatever the batch
    size.
    """

    def __init__(self, output: Output, spec: SinkSpec) -> None:
        super().__init__(output, spec)
        self._pending: list[Scored] = []
        self._posts = 0
        self._characters = 0
        self._schema = self._make_schema()
        self._bytes = _Bytes(output)
        self._writer: Any = None

    def write(self, scored: Scored) -> None:
        """Take one batch."""
        begin = 0
        for post, text in enumerate(scored.texts):
            self._posts += 1
            self._characters += len(text)
            if self._posts == _GROUP_POSTS or self._characters >= _GROUP_CHARACTERS:
                self._pending.append(_part(scored, begin, post + 1))
                self._flush()
                begin = post + 1
        if begin < len(scored):
            self._pending.append(_part(scored, begin, len(scored)))

    def begin(self) -> None:
        """Write the schema."""
        import pyarrow as pa

        sink = pa.PythonFile(cast("BinaryIO", self._bytes), mode="w")
        if self._spec.format == "arrow":
            self._writer = pa.ipc.new_stream(sink, self._schema)
        else:
            import pyarrow.parquet as pq

            self._writer = pq.ParquetWriter(sink, self._schema, compression="zstd")

    def finish(self) -> None:
        """Write the last group and the footer."""
        self._flush()
        self._writer.close()

    def abandon(self) -> None:
        """Close the writer, which otherwise writes its footer when it is collected."""
        self._bytes.dropped = True
        if self._writer is not None:
            self._writer.close()

    def _make_schema(self) -> Any:
        import pyarrow as pa

        from moderation.arrow import output_schema

        schema = output_schema()
        if self._spec.with_text:
            if self._spec.fields.several:
                names = self._spec.fields.names
                kind = pa.struct([pa.field(name, pa.string()) for name in names])
                return schema.append(pa.field("fields", kind, nullable=False))
            return schema.append(pa.field("text", pa.string(), nullable=False))
        return schema

    def _flush(self) -> None:
        import pyarrow as pa

        if not self._posts:
            return
        scored = _joined(self._pending)
        batch = _storable_ids(scored.verdicts).to_arrow()
        if self._spec.with_text:
            field = self._schema.field(len(self._schema) - 1)
            values: list[Any]
            if self._spec.fields.several:
                values = [
                    {name: storable(text) for name, text in scored.fields(post).items()}
                    for post in range(len(scored))
                ]
            else:
                values = [storable(text) for text in scored.texts]
            columns = [*batch.columns, pa.array(values, field.type)]
            batch = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        self._writer.write_batch(batch)
        self._pending.clear()
        self._posts = self._characters = 0


class _Bytes:
    """What pyarrow needs of a file, over an Output."""

    closed = False

    def __init__(self, output: Output) -> None:
        self._output = output
        self.dropped = False

    def write(self, data: Any) -> int:
        content = bytes(data)
        if not self.dropped:
            self._output.write(content)
        return len(content)

    def flush(self) -> None:
        """Do nothing: Output decides when."""

    def close(self) -> None:
        """Do nothing: the sink closes the Output."""

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


def _part(scored: Scored, begin: int, end: int) -> Scored:
    if begin == 0 and end == len(scored):
        return scored
    verdicts = scored.verdicts
    inside = range(begin, end)
    part = replace(
        verdicts,
        scores=verdicts.scores[begin:end],
        actions=verdicts.actions[begin:end],
        risks=verdicts.risks[begin:end],
        languages=verdicts.languages[begin:end],
        tiers=verdicts.tiers[begin:end],
        labels={post - begin: x for post, x in verdicts.labels.items() if post in inside},
        errors={post - begin: x for post, x in verdicts.errors.items() if post in inside},
        data_ids=None if verdicts.data_ids is None else verdicts.data_ids[begin:end],
    )
    layouts = None if scored.layouts is None else scored.layouts[begin:end]
    return Scored(part, scored.texts[begin:end], layouts)


def _joined(parts: list[Scored]) -> Scored:
    if len(parts) == 1:
        return parts[0]
    every = [part.verdicts for part in parts]
    starts = np.cumsum([0, *map(len, parts)]).tolist()
    pairs = list(zip(starts, every, strict=False))
    joined = replace(
        every[0],
        scores=np.concatenate([v.scores for v in every]),
        actions=np.concatenate([v.actions for v in every]),
        risks=np.concatenate([v.risks for v in every]),
        languages=np.concatenate([v.languages for v in every]),
        tiers=np.concatenate([v.tiers for v in every]),
        labels={start + post: x for start, v in pairs for post, x in v.labels.items()},
        errors={start + post: x for start, v in pairs for post, x in v.errors.items()},
        data_ids=[i for v in every for i in (v.data_ids or [None] * len(v))],
    )
    layouts = None
    if parts[0].layouts is not None:
        layouts = [spans for part in parts for spans in part.layouts or ()]
    return Scored(joined, list(chain.from_iterable(part.texts for part in parts)), layouts)


def _storable_ids(verdicts: Verdicts) -> Verdicts:
    if verdicts.data_ids is None:
        return verdicts
    ids = [None if data_id is None else storable(data_id) for data_id in verdicts.data_ids]
    return replace(verdicts, data_ids=ids)
