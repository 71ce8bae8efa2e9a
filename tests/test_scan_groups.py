"""Parquet and Arrow files are cut by groups, and every row is read once whatever is damaged."""

import io
import itertools
import random

import pytest
from group_support import FORMS, KIND, damage, damaged, posts, write
from scan_support import VIOLATING, rows, texts

from moderation.errors import ShardError
from moderation.scan import ScanOptions, TextFields, resolve_sources
from moderation.scan import plan as plan_module
from moderation.scan.ipc_file import ipc_blocks, ipc_rows
from moderation.scan.plan import plan_shards
from moderation.scan.runner import read_rows

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def planned(path, options=None):
    (shard,) = plan_shards(resolve_sources([str(path)]), options=options)
    return shard


def read(shard, options=None):
    """Return what the units of a shard read."""
    chosen = options or ScanOptions()
    return [row for unit in shard.units for row in read_rows(unit.source, chosen)]


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("legacy", [False, True])
def test_an_arrow_file_says_where_its_batches_are(compression, legacy):
    options = pa.ipc.IpcWriteOptions(compression=compression, use_legacy_format=legacy)
    read = {"text": pa.array(["a", "b"] * 500).dictionary_encode(), "n": pa.array(range(1000))}
    whole = pa.record_batch(read)
    file = io.BytesIO()
    with pa.ipc.new_file(file, whole.schema, options=options) as writer:
        for begin in range(0, 1200, 300):
            writer.write_batch(whole.slice(begin, 300))
    reader = pa.ipc.open_file(file.getvalue())
    batches = [reader.get_batch(n) for n in range(reader.num_record_batches)]
    blocks = ipc_blocks(file)
    assert [ipc_rows(file, block) for block in blocks] == [batch.num_rows for batch in batches]
    assert all(begin.offset < end.offset for begin, end in itertools.pairwise(blocks))


def test_an_arrow_file_whose_footer_says_anything_is_read_within_it_or_refused():
    file = io.BytesIO()
    with pa.ipc.new_file(file, posts(0).schema) as writer:
        for begin in range(0, 50, 10):
            writer.write_batch(posts(10, begin))
    content = file.getvalue()
    chance = random.Random(0)
    refused = 0
    for _ in range(5000):
        changed = bytearray(content)
        for _ in range(4):
            changed[-chance.randint(1, 900)] = chance.randrange(256)
        try:
            for block in ipc_blocks(io.BytesIO(changed)):
                assert ipc_rows(io.BytesIO(changed), block) >= 0
        except ShardError:
            refused += 1
    assert 0 < refused < 5000


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 3000, 20_000, 1 << 30])
def test_units_read_every_row_once(tmp_path, monkeypatch, form, size):
    monkeypatch.setattr(plan_module, "UNIT_BYTES", size)
    path = tmp_path / f"posts.{form}"
    sizes = [70, 0, 1, 300, 0, 0, 129, 40]
    begins = [0, *itertools.accumulate(sizes)]
    write(path, [posts(count, begin) for count, begin in zip(sizes, begins, strict=False)])
    shard = planned(path)
    groups = [unit.source.groups for unit in shard.units]
    assert (groups[0].begin, groups[-1].end) == (0, len(sizes))
    assert all(one.end == other.begin for one, other in itertools.pairwise(groups))
    assert all(part.before == begins[part.begin] for part in groups)
    assert all(part.rows == sum(sizes[part.begin : part.end]) for part in groups)
    assert sum(part.bytes for part in groups) == path.stat().st_size
    assert all(part.bytes >= 0 for part in groups)
    assert (len(groups) == 1) == (size == 1 << 30)
    expected = posts(sum(sizes)).to_pylist()
    assert read(shard) == list(enumerate(expected, 1))
    assert rows(path) == read(shard)


@pytest.mark.parametrize("form", FORMS)
def test_several_small_groups_are_one_unit_and_one_large_group_is_not_cut(
    tmp_path, monkeypatch, form
):
    monkeypatch.setattr(plan_module, "UNIT_BYTES", 4000)
    write(tmp_path / f"a.{form}", [posts(10, 10 * n) for n in range(100)])
    write(tmp_path / f"b.{form}", [posts(1000)])
    several, one = plan_shards(resolve_sources([str(tmp_path)]))
    assert 1 < len(several.units) < 50
    assert len(one.units) == 1
    monkeypatch.setattr(plan_module, "MOST_UNITS", 3)
    assert 1 < len(planned(tmp_path / f"a.{form}").units) <= 3


@pytest.mark.parametrize("form", FORMS)
def test_wide_columns_do_not_make_small_units(tmp_path, monkeypatch, form):
    monkeypatch.setattr(plan_module, "UNIT_BYTES", 40 << 10)
    chance = random.Random(0)
    noise = pa.array([chance.randbytes(9000) for _ in range(10)])
    wide = [posts(10, 10 * n).append_column("raw", noise) for n in range(40)]
    path = tmp_path / f"posts.{form}"
    write(path, wide, "lz4")
    assert [unit.source.groups.rows for unit in planned(path).units] == [40] * 10


@pytest.mark.parametrize("content", ["no groups", "no rows", "empty file", "stream", "footer"])
def test_what_has_no_groups_is_one_unit(tmp_path, monkeypatch, content):
    monkeypatch.setattr(plan_module, "UNIT_BYTES", 1)
    path = tmp_path / "posts.arrow"
    if content == "no groups":
        path = tmp_path / "posts.parquet"
        with pq.ParquetWriter(path, posts(0).schema):
            pass
    elif content == "no rows":
        write(path, [posts(0)])
    elif content == "stream":
        with pa.ipc.new_stream(path, posts(0).schema) as writer:
            for begin in range(0, 100, 10):
                writer.write_batch(posts(10, begin))
    elif content == "footer":
        write(path, [posts(10), posts(10)])
        path.write_bytes(path.read_bytes()[:-20])
    else:
        path.touch()
    shard = planned(path)
    assert len(shard.units) == 1
    if content == "footer":
        with pytest.raises(ShardError, match="damaged arrow"):
            read(shard)
        return
    assert len(read(shard)) == (100 if content == "stream" else 0)


@pytest.mark.parametrize("form", FORMS)
def test_every_kind_of_row_is_read_from_units_as_from_the_whole(tmp_path, monkeypatch, form):
    fields = ScanOptions(TextFields(("title", "text", "tags")))
    titles = pa.array(["one", None, "three", "one"] * 50).dictionary_encode()
    raw = pa.array([b"fine", b"caf\xe9", b"also fine", None] * 50, pa.binary())
    text = pa.Array.from_buffers(pa.string(), 200, raw.buffers())
    tags = pa.array([["a", None], [], None, [VIOLATING]] * 50)
    ids = pa.array(range(200))
    whole = pa.record_batch({"id": ids, "title": titles, "text": text, "tags": tags})
    path = tmp_path / f"posts.{form}"
    write(path, [whole.slice(0, 90), whole.slice(90, 0), whole.slice(90, 110)])
    expected = read(planned(path, fields), fields)
    monkeypatch.setattr(plan_module, "UNIT_BYTES", 1)
    shard = planned(path, fields)
    assert len(shard.units) > 1
    found = read(shard, fields)
    assert len(found) == 200
    assert [(line, str(row)) for line, row in found] == [(line, str(row)) for line, row in expected]
    assert found[3] == (4, {"id": 3, "title": "one", "text": None, "tags": [VIOLATING]})
    assert found[197][1].reason == "invalid_utf8"


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_group_is_named_and_the_others_are_read(tmp_path, form):
    path = tmp_path / f"posts.{form}"
    damaged(path, 2, 5)
    read_ = rows(path)
    gaps = [(line, row) for line, row in read_ if not isinstance(row, dict)]
    assert [(line, gap.rows) for line, gap in gaps] == [(81, 40), (201, 40)]
    assert f"damaged {form}: {KIND[form]} 2 (counted from 0), rows 81 to 120: " in gaps[0][1].detail
    assert [line for line, row in read_ if isinstance(row, dict)] == [
        *range(1, 81),
        *range(121, 201),
        *range(241, 321),
    ]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_which_no_group_can_be_read_says_so_once(tmp_path, monkeypatch, form):
    monkeypatch.setattr(plan_module, "UNIT_BYTES", 1)
    path = tmp_path / f"posts.{form}"
    damaged(path, *range(8))
    shard = planned(path)
    assert len(shard.units) == 1
    with pytest.raises(ShardError, match=f"damaged {form}: "):
        read(shard)


def test_a_damaged_dictionary_is_told_once(tmp_path, monkeypatch):
    monkeypatch.setattr(plan_module, "UNIT_BYTES", 1)
    path = tmp_path / "posts.arrow"
    words = pa.array([f"word {n}" for n in range(40)]).dictionary_encode()
    batch = pa.record_batch({"text": words})
    places = write(path, [batch, batch, batch], "zstd")
    content = path.read_bytes()
    first = ipc_blocks(io.BytesIO(content))[0].offset
    assert first > places[0][0]  # the dictionary stands before the first batch
    damage(path, first - 100, first)
    shard = planned(path)
    assert len(shard.units) == 1
    with pytest.raises(ShardError, match="damaged arrow: "):
        read(shard)


def test_no_byte_of_a_footer_ends_the_process(tmp_path):
    path = tmp_path / "posts.parquet"
    nested = pa.array([["x", "y"], [], None])
    write(path, [pa.record_batch({"text": pa.array(["a", "b", None]), "tags": nested})] * 2)
    content = path.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for at in range(footer, len(content)):
        path.write_bytes(content[:at] + b"\x09" + content[at + 1 :])
        shard = planned(path)
        assert len(shard.units) == 1


def test_a_row_group_with_fewer_rows_than_it_should_have_is_named(tmp_path):
    path = tmp_path / "posts.parquet"
    batch = pa.record_batch({"text": pa.array([f"post {n}" for n in range(10)])})
    write(path, [batch, batch])
    content = path.read_bytes()
    # In the footer the second group's number of rows comes last: field 3 of a row group, zigzag 10.
    at = content.rindex(b"\x16\x14", 0, content.rindex(b"ARROW:schema"))
    path.write_bytes(content[:at] + b"\x16\x18" + content[at + 2 :])
    assert pq.ParquetFile(path).metadata.row_group(1).num_rows == 12
    *found, (line, gap) = rows(path)
    assert texts(found) == [(n + 1, f"post {n % 10}") for n in range(20)]
    assert (line, gap.rows) == (21, 2)
    assert gap.detail.endswith("row group 1 (counted from 0), rows 21 to 22: expected 12 rows, "
                               "found 10")  # fmt: skip
