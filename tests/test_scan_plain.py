"""Posts that are read together are those that are read one by one, whatever stands between."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moderation.scan import ScanOptions, Source, jsonl, resolve_sources
from moderation.scan.accept import accepted
from moderation.scan.plain import Plain
from moderation.scan.rows import Place
from moderation.scan.runner import read_rows, read_together
from moderation.scan.source import Span

if TYPE_CHECKING:
    from pathlib import Path

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

KEY = b"a key of sixteen bytes or more"
OPTIONS = [
    ScanOptions(),
    ScanOptions(max_line_bytes=40, max_depth=3, max_post_chars=12),
    ScanOptions(id_key=KEY, id_field="text2"),
]
LINES = [
    b'{"id":"a","text":"tea"}', b'{"text":"no id"}', b'{"id":7,"text":""}',
    b'{"id":null,"text":"x"}', b'{"id":1.50,"text":"exact"}', b'{"id":true,"text":"y"}',
    b'{"id":18446744073709551616,"text":"long"}', b'{"id":"b"}', b'{"id":"c","text":null}',
    b'{"id":"d","text":3}', b"", b"  ", b"[1]", b"{", b'{"text":"\\ud800"}', b'{"text":"\xff"}',
    b'{"text":"deep","x":[[[[]]]]}', b'{"text":"[[[[ {{{"}', b'{"text":"thirteen char"}',
    b'{"id":"long","text":"' + b"t" * 60 + b'"}', b'{"text":"\tt"}', '{"text":"茶"}'.encode(),
    b'{"text":"one","text":"two"}', b'{"text2":"key","text":"k"}',
]  # fmt: skip


def one_by_one(source: Source, options: ScanOptions) -> list[tuple[Any, ...]]:
    place = Place()
    return [seen(line, row, options, place) for line, row in read_rows(source, options, place)]


def seen(line: int, row: Any, options: ScanOptions, place: Place) -> tuple[Any, ...]:
    post = accepted(row, options)
    error = None if post.error is None else (post.error.reason, post.error.detail)
    return line, post.data_id, post.text, error, place.end


def together(source: Source, options: ScanOptions) -> list[tuple[Any, ...]]:
    place = Place()
    found: list[tuple[Any, ...]] = []
    for item in read_together(source, options, place):
        if not isinstance(item, Plain):
            found.append(seen(*item, options, place))
            continue
        end = place.end
        ends = [end] * len(item.texts)
        if item.sizes:
            ends = [end - sum(item.sizes[n + 1 :]) for n in range(len(item.texts))]
        lines = range(item.line, item.line + len(item.texts))
        rows = zip(lines, item.ids, item.texts, ends, strict=True)
        found += [(line, data_id, text, None, at) for line, data_id, text, at in rows]
    return found


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.one_of(st.sampled_from(LINES[:4]), st.sampled_from(LINES)), max_size=30),
    st.sampled_from([b"\n", b"\r\n"]),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.booleans(),
    st.sampled_from([1, 30, 100, 1 << 18]),
    st.sampled_from(OPTIONS),
)
def test_lines_of_json(
    tmp_path: Path,
    lines: list[bytes],
    ending: bytes,
    mark: bytes,
    ended: bool,
    size: int,
    options: ScanOptions,
):
    path = tmp_path / "posts.jsonl"
    path.write_bytes(mark + ending.join(lines) + (ending if ended else b""))
    (source,) = resolve_sources([str(path)], None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl, "_TOGETHER", size)
        assert together(source, options) == one_by_one(source, options)
        places = [0, *(at + 1 for at, byte in enumerate(path.read_bytes()) if byte == ord("\n"))]
        for begin, end in zip(places[1::7], places[4::7], strict=False):
            count = path.read_bytes().count(b"\n", 0, begin)
            part = dataclasses.replace(source, span=Span(begin, end, count))
            assert together(part, options) == one_by_one(part, options)


def test_most_lines_come_together(tmp_path: Path):
    path = tmp_path / "posts.jsonl"
    path.write_bytes(
        b"".join(json.dumps({"id": n, "text": "t"}).encode() + b"\n" for n in range(9))
    )
    (source,) = resolve_sources([str(path)], None)
    (found,) = read_together(source, ScanOptions(), Place())
    assert isinstance(found, Plain)
    assert found.ids == [str(n) for n in range(9)]


@pytest.mark.parametrize("name", ["posts.parquet", "posts.arrow"])
@pytest.mark.parametrize(
    "columns",
    [
        {"id": ["a", None, "c"], "text": ["x", "y", ""]},
        {"id": [1, 2, 3], "text": ["x", "y", "z"]},
        {"id": [1.5, 2.0, 3.0], "text": ["x", "y", "z"]},
        {"text": ["x", None, "thirteen char"]},
        {"id": [True, False, None], "text": ["x", "y", "z"]},
        {"id": [], "text": pa.array([], pa.string())},
        {"id": pa.array([1, 2, 1 << 58], pa.timestamp("ms")), "text": ["x", "y", "z"]},
    ],
)
def test_columns(tmp_path: Path, name: str, columns: dict[str, Any]):
    path = tmp_path / name
    table = pa.table(columns)
    if name.endswith("parquet"):
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    (source,) = resolve_sources([str(path)], None)
    for options in OPTIONS:
        assert together(source, options) == one_by_one(source, options)


def test_a_batch_of_plain_posts_ends_where_it_is_full():
    posts = Plain(1, [None] * 4, ["t" * (1 << 20)] * 4)
    assert posts.fitting(0, 10, 0) == 2
    assert posts.fitting(2, 10, 1) == 3
    assert posts.fitting(2, 1, 1) == 3
    assert posts.fitting(3, 10, 1 << 21) == 3
    assert Plain(1, [None], ["t" * (1 << 22)]).fitting(0, 10, 0) == 1
