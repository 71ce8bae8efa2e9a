"""Labelled records: which formats, which labels, and why a record is refused."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest
from scan_support import write_jsonl

from moderation.errors import ShardError
from moderation.evaluation.labelled import (
    LABEL_REASONS,
    LabelledBatch,
    read_labelled,
    read_labelled_sources,
)
from moderation.scan import Rejection, ScanOptions, TextFields, resolve_sources


def read(*paths: Path, options: ScanOptions | None = None) -> tuple[LabelledBatch, list[Rejection]]:
    """Return all records as one batch, and what was refused."""
    refused: list[Rejection] = []
    whole = LabelledBatch()
    sources = resolve_sources([str(path) for path in paths])
    for batch in read_labelled_sources(sources, options or ScanOptions(), refused.append):
        for name in LabelledBatch.__slots__:
            getattr(whole, name).extend(getattr(batch, name))
    return whole, refused


def labels(batch: LabelledBatch) -> list[list[float | None]]:
    return [[None if math.isnan(value) else value for value in row] for row in batch.labels]


def test_an_object_of_labels(tmp_path: Path):
    path = write_jsonl(
        tmp_path / "a.jsonl",
        {"id": 7, "text": "a", "labels": {"porn": 0, "drugs": 1, "gambling": None}},
        {"text": "b", "labels": {"porn": True, "gambling": 0.0}, "stance": "warn"},
        {"id": "c", "text": "c", "labels": {}, "sub_label": "drugs.sale"},
    )
    batch, refused = read(path)
    assert refused == []
    assert labels(batch) == [[0, 1, None], [1, None, 0], [None, None, None]]
    assert batch.ids == ["7", f"{path}:2", "c"]
    assert batch.places == [(str(path), line) for line in (1, 2, 3)]
    assert batch.stances == [None, "warn", None]
    assert batch.sub_labels == [None, None, "drugs.sale"]


def test_columns_of_a_csv_file(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("id,text,porn,drugs,sub_label,stance\n1,a,0,,,none\n2,b,1,0,porn.explicit,\n")
    batch, refused = read(path)
    assert refused == []
    assert labels(batch) == [[0, None, None], [1, 0, None]]
    assert batch.sub_labels == [None, "porn.explicit"]
    assert batch.stances == ["none", None]


@pytest.mark.parametrize("nested", [True, False])
def test_columns_of_a_parquet_file(tmp_path: Path, nested: bool):
    pa = pytest.importorskip("pyarrow", reason="needs the extra arrow")
    from pyarrow import parquet

    given = [{"porn": 0, "drugs": None, "gambling": 1}, {"porn": 1, "drugs": 0, "gambling": None}]
    rows = [{"text": "a", **({"labels": row} if nested else row)} for row in given]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    batch, refused = read(tmp_path / "a.parquet")
    assert refused == []
    assert labels(batch) == [[0, None, 1], [1, 0, None]]


def test_compressed_files_and_several_text_fields(tmp_path: Path):
    row = {"title": "a", "tags": ["b", "c"], "labels": {"porn": 1}}
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(row).encode()))
    batch, refused = read(path, options=ScanOptions(TextFields(("title", "tags"))))
    assert refused == []
    assert batch.texts == ["a\nb c"]
    assert [span.name for span in batch.layouts[0]] == ["title", "tags"]


@pytest.mark.parametrize(
    ("record", "reason", "detail"),
    [
        (b"{", "malformed_json", "character 2"),
        ({"labels": {}}, "missing_text", "'text'"),
        ({"text": "a"}, "missing_labels", "porn, drugs, gambling"),
        ({"text": "a", "labels": 1}, "labels_not_an_object", "found a number"),
        ({"text": "a", "labels": {"fraud": 1}}, "unknown_policy", "found fraud"),
        ({"text": "a", "labels": {"porn": 2}}, "label_value", "for 'porn', found 2"),
        ({"text": "a", "labels": {"porn": "yes"}}, "label_value", "found a string"),
        ({"text": "a", "labels": {"porn": [1]}}, "label_value", "found a list"),
        ({"text": "a", "labels": {}, "sub_label": "sale"}, "unknown_sub_label", "drugs.sale"),
        ({"text": "a", "labels": {}, "stance": ["offer"]}, "unknown_stance", "offer, seek"),
        ({"id": "first", "text": "a", "labels": {}}, "duplicate_id", "line 1 has the same id"),
    ],
)
def test_a_record_is_refused_with_its_line(
    tmp_path: Path, record: object, reason: str, detail: str
):
    good = {"id": "first", "text": "a", "labels": {"porn": 1}}
    path = write_jsonl(tmp_path / "a.jsonl", good, {"text": "b", "labels": {}}, record)
    batch, refused = read(path)
    assert len(batch) == 2
    assert [(r.source, r.line, r.reason) for r in refused] == [(str(path), 3, reason)]
    assert detail in refused[0].detail


def test_every_reason_is_documented():
    page = (Path(__file__).parent.parent / "docs" / "evaluation.md").read_text("utf-8")
    assert [reason for reason in LABEL_REASONS if f"`{reason}`" not in page] == []


def test_the_same_id_in_two_files_is_no_duplicate(tmp_path: Path):
    row = {"id": "1", "text": "a", "labels": {}}
    paths = [write_jsonl(tmp_path / f"{name}.jsonl", row) for name in "ab"]
    batch, refused = read(*paths)
    assert (len(batch), refused) == (2, [])


def test_a_damaged_input_ends_there(tmp_path: Path):
    whole = gzip.compress(b'{"text": "a", "labels": {}}\n' * 50_000)
    damaged = tmp_path / "a.jsonl.gz"
    damaged.write_bytes(whole[: len(whole) // 2])
    good = write_jsonl(tmp_path / "b.jsonl", {"text": "a", "labels": {}})
    batch, refused = read(damaged, good)
    assert batch.places[-1] == (str(good), 1)
    assert [(r.source, r.reason) for r in refused] == [(str(damaged), "unreadable_input")]


@pytest.mark.parametrize("value", ["0", 2, "no"])
def test_a_label_is_never_taken_for_another(tmp_path: Path, value: object):
    path = write_jsonl(tmp_path / "a.jsonl", {"text": "a", "labels": {"porn": value}})
    if value == "0":
        assert read_labelled(path).labels[0, 0] == 0
    else:
        with pytest.raises(ShardError, match=r"a\.jsonl:1: expected 0, 1 or null for 'porn'"):
            read_labelled(path)
