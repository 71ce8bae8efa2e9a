"""The plan: files are cut at line ends, and every line is read once, with its number and place."""

import hashlib
import itertools
import json

import pytest
from scan_support import write_jsonl

from moderation.scan import ScanOptions, resolve_sources
from moderation.scan import plan as plan_module
from moderation.scan.plan import plan_shards
from moderation.scan.rows import Place
from moderation.scan.runner import read_rows


def read(shard):
    """Return line, offset and text of every row of a shard's units."""
    found = []
    for unit in shard.units:
        place = Place()
        for line, row in read_rows(unit.source, ScanOptions(), place):
            found.append((line, place.offset, row["text"] if isinstance(row, dict) else row.reason))
    return found


@pytest.mark.parametrize("size", [1, 2, 50, 333, 100_000])
@pytest.mark.parametrize("block", [7, 1 << 20])
def test_units_read_every_line_once(tmp_path, monkeypatch, size, block):
    monkeypatch.setattr(plan_module, "UNIT_BYTES", size)
    monkeypatch.setattr(plan_module, "_BLOCK", block)
    lines = [{"text": "x" * (n * 37 % 90)} for n in range(60)]
    path = write_jsonl(tmp_path / "posts.jsonl", *lines[:20], b"", b"{", *lines[20:])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b'{"text":"no line break"}')
    (source,) = resolve_sources([str(path)])
    (shard,) = plan_shards([source])
    content = path.read_bytes()
    assert shard.sha256 == f"sha256:{hashlib.sha256(content).hexdigest()}"
    spans = [unit.source.span for unit in shard.units]
    assert spans[0].begin == 0
    assert spans[-1].end == len(content)
    assert all(one.end == other.begin for one, other in itertools.pairwise(spans))
    assert all(content[span.end - 1 : span.end] == b"\n" for span in spans[:-1])
    assert (len(spans) > 1) == (size < len(content))
    found = read(shard)
    expected = [
        *(r["text"] for r in lines[:20]),
        "malformed_json",
        *(r["text"] for r in lines[20:]),
    ]
    assert [text for _, _, text in found] == [*expected, "no line break"]
    raw = content.split(b"\n")
    offsets = [sum(len(line) + 1 for line in raw[:n]) for n in range(len(raw))]
    for line, offset, text in found:
        assert offset == offsets[line - 1]
        if text != "malformed_json" and line > 1:
            assert json.loads(raw[line - 1])["text"] == text


def test_a_file_larger_than_many_units_has_larger_units(tmp_path, monkeypatch):
    monkeypatch.setattr(plan_module, "UNIT_BYTES", 1)
    monkeypatch.setattr(plan_module, "MOST_UNITS", 10)
    path = write_jsonl(tmp_path / "posts.jsonl", *({"text": str(n)} for n in range(500)))
    (shard,) = plan_shards(resolve_sources([str(path)]))
    assert len(shard.units) <= 10
    assert [text for _, _, text in read(shard)] == [str(n) for n in range(500)]


def test_what_cannot_be_cut_is_one_unit(tmp_path):
    (tmp_path / "posts.csv").write_text("text\n" + "x\n" * 1000)
    (tmp_path / "posts.jsonl").touch()
    for shard in plan_shards(resolve_sources([str(tmp_path)])):
        (unit,) = shard.units
        assert unit.source.span is None
