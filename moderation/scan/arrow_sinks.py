"""Sinks for Parquet and Arrow IPC streams, in groups whose size does not depend on batches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import numpy as np

from moderation.scan.json_line import storable
from moderation.scan.output import UnseekableFile
from moderation.scan.sinks import FileSink, Scored

if TYPE_CHECKING:
    from collections.abc import Callable

    from moderation.decide import Verdicts
    from moderation.scan.output import Output
    from moderation.scan.sinks import SinkSpec

__all__ = ["ArrowSink", "sink_schema", "verdict_batch"]

_GROUP_POSTS: Final = 8192
_GROUP_CHARACTERS: Final = 1 << 23
"""A group also ends with the post that brings its text, where it is written, to this length."""


class ArrowSink(FileSink):
    """Writes the verdict schema as Parquet row groups or as batches of an Arrow IPC stream.

    The groups are cut by the posts alone, so the same posts give the same bytes whatever the batch
    size.
    """

    def __init__(self, output: Output, spec: SinkSpec) -> None:
        super().__init__(output, spec)
        self._schema = sink_schema(spec)
        self._bytes = UnseekableFile(output)
        self._groups: _Groups | None = None
        self._writer: Any = None

    def write(self, scored: Scored) -> None:
        """Take one batch."""
        self.write_batch(verdict_batch(scored, self._spec))

    def write_batch(self, batch: Any) -> None:
        """Take one batch that `verdict_batch` returned."""
        assert self._groups is not None, "begin comes first"
        self._groups.add(batch)

    def begin(self) -> None:
        """Write the schema."""
        import pyarrow as pa

        sink = pa.PythonFile(cast("BinaryIO", self._bytes), mode="w")
        if self._spec.format == "arrow":
            self._writer = pa.ipc.new_stream(sink, self._schema)
        else:
            import pyarrow.parquet as pq

            self._writer = pq.ParquetWriter(sink, self._schema, compression="zstd")
        self._groups = _Groups(self._writer.write_batch, with_text=self._spec.with_text)

    def finish(self) -> None:
        """Write the last group and the footer."""
        assert self._groups is not None, "begin comes first"
        self._groups.flush()
        self._writer.close()

    def abandon(self) -> None:
        """Close the writer, which otherwise writes its footer when it is collected."""
        self._bytes.dropped = True
        if self._writer is not None:
            self._writer.close()


class _Groups:
    """Cuts rows into groups of their own, whatever batches they come in."""

    def __init__(self, write: Callable[[Any], None], *, with_text: bool) -> None:
        self._write = write
        self._with_text = with_text
        self._pending: list[Any] = []
        self._posts = self._characters = 0

    def add(self, batch: Any) -> None:
        """Take some rows."""
        begin = 0
        lengths = _lengths(batch.column(batch.num_columns - 1)) if self._with_text else None
        while begin < batch.num_rows:
            end = min(begin + _GROUP_POSTS - self._posts, batch.num_rows)
            if lengths is not None:
                run = self._characters + np.cumsum(lengths[begin:end])
                end = min(end, begin + 1 + int(np.searchsorted(run, _GROUP_CHARACTERS)))
                self._characters = int(run[end - begin - 1])
            self._pending.append(batch.slice(begin, end - begin))
            self._posts += end - begin
            begin = end
            if self._posts >= _GROUP_POSTS or self._characters >= _GROUP_CHARACTERS:
                self.flush()

    def flush(self) -> None:
        """Write what waits as one group."""
        import pyarrow as pa

        if not self._posts:
            return
        joined = pa.Table.from_batches(self._pending).combine_chunks()
        # Taken one by one: what a slice shares with its neighbours would be written as well.
        (group,) = joined.take(np.arange(self._posts)).combine_chunks().to_batches()
        self._write(group)
        self._pending.clear()
        self._posts = self._characters = 0


def _lengths(column: Any) -> Any:
    """Return the characters of each row of the last column: a text, or one in fields."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = column.flatten() if pa.types.is_struct(column.type) else [column]
    return sum(pc.fill_null(pc.utf8_length(c), 0).to_numpy(zero_copy_only=False) for c in columns)


def sink_schema(spec: SinkSpec) -> Any:
    """Return the schema of the verdicts, with the text where it was asked for."""
    import pyarrow as pa

    from moderation.arrow import output_schema

    schema = output_schema()
    if not spec.with_text:
        return schema
    if spec.fields.several:
        kind = pa.struct([pa.field(name, pa.string()) for name in spec.fields.names])
        return schema.append(pa.field("fields", kind, nullable=False))
    return schema.append(pa.field("text", pa.string(), nullable=False))


def verdict_batch(scored: Scored, spec: SinkSpec) -> Any:
    """Return a batch of verdicts as a pyarrow RecordBatch of `sink_schema`."""
    import pyarrow as pa

    batch = _storable_ids(scored.verdicts).to_arrow()
    if not spec.with_text:
        return batch
    schema = sink_schema(spec)
    values: list[Any]
    if spec.fields.several:
        values = [
            {name: storable(text) for name, text in scored.fields(post).items()}
            for post in range(len(scored))
        ]
    else:
        values = [storable(text) for text in scored.texts]
    column = pa.array(values, schema.field(len(schema) - 1).type)
    return pa.RecordBatch.from_arrays([*batch.columns, column], schema=schema)


def _storable_ids(verdicts: Verdicts) -> Verdicts:
    if verdicts.data_ids is None:
        return verdicts
    ids = [None if data_id is None else storable(data_id) for data_id in verdicts.data_ids]
    return replace(verdicts, data_ids=ids)
