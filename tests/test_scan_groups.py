"""Parquet and Arrow files are cut by groups, and every row is read once whatever is damaged."""

import io
import itertools
import json
import random
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from scan_support import ORDINARY, VIOLATING, read_jsonl, rows, small_rules, texts

from moderation import Moderator
from moderation.cli import main
from moderation.errors import ShardError
from moderation.scan import ScanOptions, SinkSpec, StoppedError, TextFields, Work, resolve_sources
from moderation.scan import plan as plan_module
from moderation.scan.ipc_file import ipc_blocks, ipc_rows
from moderation.scan.layout import Layout
from moderation.scan.plan import plan_shards
from moderation.scan.runner import read_rows
from moderation.scan.spool import read_checkpoint
from moderation.scan.unit import UnitTask, scan_unit

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

CHILD = Path(__file__).with_name("scan_child.py")
FORMS = ["parquet", "arrow"]
KIND = {"parquet": "row group", "arrow": "record batch"}
AS_OF = "2026-01-01"


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    return small_rules(tmp_path_factory.mktemp("rules"))


@pytest.fixture
def run(rules, tmp_path, monkeypatch, capfd):
    """Run a command in a folder of its own; return exit code and messages."""
    monkeypatch.chdir(tmp_path)

    def call(command, *arguments):
        if command == "scan":
            arguments = ("--rules", rules, "--as-of", AS_OF, *arguments)
        code = main([command, *map(str, arguments)])
        return code, capfd.readouterr().err

    return call


def posts(count, begin=0):
    numbers = range(begin, begin + count)
    ids = pa.array([f"n{n}" for n in numbers], pa.string())
    texts = pa.array([f"{n} {(ORDINARY, VIOLATING)[n % 2]}" for n in numbers], pa.string())
    return pa.record_batch({"id": ids, "text": texts})


def write(path, groups, compression=None):
    """Write batches as the groups of a file; return where each begins and ends in it."""
    places = []
    with path.open("wb") as file:
        if path.suffix == ".parquet":
            writer = pq.ParquetWriter(file, groups[0].schema, compression=compression or "snappy")
        else:
            options = pa.ipc.IpcWriteOptions(compression=compression)
            writer = pa.ipc.new_file(file, groups[0].schema, options=options)
        with writer:
            for group in groups:
                begin = file.tell()
                if path.suffix == ".parquet":
                    writer.write_batch(group, row_group_size=max(len(group), 1))
                else:
                    writer.write_batch(group)
                places.append((begin, file.tell()))
    return places


def damage(path, begin, end):
    """Make what stands in a file from `begin` to `end` meaningless."""
    content = bytearray(path.read_bytes())
    content[begin:end] = b"\xff" * (end - begin)
    path.write_bytes(content)


def damaged(path, *numbers, groups=8, size=40):
    """Write a file of which some groups are damaged, but not what is said about them."""
    places = write(path, [posts(size, size * n) for n in range(groups)], "zstd")
    for number in numbers:
        begin, end = places[number]
        if path.suffix == ".arrow":  # the message itself stays whole
            begin = end - 200
        damage(path, begin, end)


def planned(path, options=None):
    (shard,) = plan_shards(resolve_sources([str(path)]), options=options)
    return shard


def read(shard, options=None):
    """Return what the units of a shard read."""
    chosen = options or ScanOptions()
    return [row for unit in shard.units for row in read_rows(unit.source, chosen)]


def files(folder):
    found = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    return {name: path.read_bytes() for name, path in sorted(found.items())}


def outcome(folder):
    """Return a folder's files but its manifest, which holds the digest of the input."""
    return {name: content for name, content in files(folder).items() if name != "_manifest.json"}


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


def make_inputs(folder):
    """Make files of several groups, with records among them that are rejected."""
    (folder / "posts").mkdir()
    for form in FORMS:
        groups = []
        for group in range(12):
            ids, words = posts(30, 30 * group).columns
            words = [None if n % 17 == 3 else text for n, text in enumerate(words.to_pylist())]
            groups.append(pa.record_batch({"id": ids, "text": pa.array(words, pa.string())}))
        write(folder / "posts" / f"a.{form}", groups)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_no_byte_depends_on_batches_units_or_checkpoints(run, tmp_path, monkeypatch, form):
    make_inputs(tmp_path)
    options = ("--format", form, "--with-text")
    assert run("scan", "posts", "-o", "whole/", *options)[0] == 3
    run("scan", "posts", "-o", f"whole.{form}", *options, "--errors", "whole.errors.jsonl")
    monkeypatch.setattr(plan_module, "UNIT_BYTES", 2000)
    small = ("--batch-size", "11", "--checkpoint-batches", "5")
    run("scan", "posts", "-o", "cut/", *options, *small)
    run("scan", "posts", "-o", f"cut.{form}", *options, *small, "--errors", "cut.errors.jsonl")
    assert files(tmp_path / "whole") == files(tmp_path / "cut")
    assert (tmp_path / f"whole.{form}").read_bytes() == (tmp_path / f"cut.{form}").read_bytes()
    errors = (tmp_path / "whole" / "errors.jsonl").read_bytes()
    assert errors == (tmp_path / "cut.errors.jsonl").read_bytes()
    rejected = read_jsonl(tmp_path / "whole" / "errors.jsonl")
    assert len(rejected) == 2 * 12 * 2
    assert [e["line"] for e in rejected] == [e["record"] for e in rejected]
    assert [e["line"] for e in rejected[:3]] == [4, 21, 34]
    assert rejected[23]["data_id"] == "n350"


def test_two_processes_make_the_same_bytes_as_one(run, rules, tmp_path):
    for form in FORMS:
        write(tmp_path / f"posts.{form}", [posts(400, 400 * n) for n in range(10)])
    inputs = [f"posts.{form}" for form in FORMS]
    run("scan", *inputs, "-o", "one/", "--batch-size", "100")
    scan = ("scan", "--rules", str(rules), "--as-of", AS_OF, *inputs, "-o", "two/", "--jobs", "2")
    done = subprocess.run(
        [sys.executable, str(CHILD), "none", *scan],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_killed_scan_goes_on_within_its_units(run, rules, tmp_path):
    write(tmp_path / "posts.parquet", [posts(400, 400 * n) for n in range(10)])
    run("scan", "posts.parquet", "-o", "alone/")
    scan = ("scan", "--rules", str(rules), "--as-of", AS_OF, "posts.parquet", "-o", "out/")
    scan += ("--batch-size", "90", "--checkpoint-batches", "1", "--jobs", "2")
    fault = "fsync-torn:9:scan"
    command = [sys.executable, str(CHILD), fault, *scan]
    found = {"cwd": tmp_path, "stdin": subprocess.DEVNULL, "capture_output": True, "check": False}
    assert subprocess.run(command, **found).returncode == -signal.SIGKILL
    left = [read_checkpoint(p) for p in (tmp_path / "out" / "_work").glob("00000-*.json")]
    assert any(0 < point.records < 1200 and not point.done for point in left)
    again = [sys.executable, str(CHILD), "none", *scan, "--resume"]
    done = subprocess.run(again, **found)
    assert done.returncode == 0, done.stderr
    assert b"from its start" not in done.stderr
    assert files(tmp_path / "alone") == files(tmp_path / "out")


def test_a_row_that_kills_workers_is_rejected_and_no_other(rules, tmp_path):
    fatal = "这条会让进程死掉"
    groups = [posts(400, 400 * n).to_pydict() for n in range(6)]
    groups[4]["text"][250] = fatal
    path = tmp_path / "posts.parquet"
    write(path, [pa.record_batch({k: pa.array(v) for k, v in g.items()}) for g in groups])
    scan = ("scan", "--rules", str(rules), "--as-of", AS_OF, path.name, "-o", "out/")
    done = subprocess.run(
        [sys.executable, str(CHILD), f"die-on:{fatal}", *scan, "--batch-size", "90", "-j", "2"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    (error,) = read_jsonl(tmp_path / "out" / "errors.jsonl")
    assert (error["reason"], error["line"], error["record"]) == ("worker_died", 1851, 1851)
    verdicts = read_jsonl(tmp_path / "out" / "part-00000.jsonl")
    assert [v["data_id"] for v in verdicts] == [f"n{n}" for n in range(2400) if n != 1850]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("several", [False, True])
def test_a_unit_goes_on_from_any_of_its_batches(rules, tmp_path, form, several):
    path = tmp_path / f"posts.{form}"
    damaged(path, 3, groups=6, size=25)
    fields = TextFields(("text", "id") if several else ("text",))
    options = ScanOptions(fields, id_field="key", batch_size=7)
    moderator = Moderator(rules=rules, as_of=date.fromisoformat(AS_OF))
    work = Work(moderator, options, SinkSpec("jsonl", fields=fields), 1)
    (unit,) = planned(path, options).units

    def scanned(folder, stops):
        """Scan the unit, stopping after each batch or never; return what it leaves, and told."""
        (folder / "_work").mkdir(parents=True)
        told, files_of = [], Layout.of_folder(folder).unit(0, 0)
        while not read_checkpoint(files_of.checkpoint).done:
            try:
                task = UnitTask(unit, files_of)
                scan_unit(work, task, stopping=lambda: stops, report=told.append)
            except StoppedError:
                assert read_checkpoint(files_of.checkpoint).records < unit.source.groups.rows
        return files_of, told

    whole, at_once = scanned(tmp_path / "whole", stops=False)
    parts, piecewise = scanned(tmp_path / "parts", stops=True)
    assert whole.rows.read_bytes() == parts.rows.read_bytes()
    assert whole.errors.read_bytes() == parts.errors.read_bytes()
    assert read_checkpoint(whole.checkpoint) == read_checkpoint(parts.checkpoint)
    assert len(read_jsonl(parts.rows)) == 125
    for told in (at_once, piecewise):
        assert sum(tick.posts for tick in told) == 125
        assert sum(tick.bytes_read for tick in told) == path.stat().st_size
        assert all(tick.bytes_read >= 0 for tick in told)
        assert sum(tick.rejected for tick in told) == 0


@pytest.mark.parametrize("form", FORMS)
def test_damaged_groups_are_named_and_the_rest_has_its_verdicts(run, tmp_path, monkeypatch, form):
    path = tmp_path / f"posts.{form}"
    damaged(path, 2, 5)
    code, err = run("scan", path.name, "-o", "whole/")
    assert code == 3
    for line, number in ((81, 2), (201, 5)):
        named = f"{path.name}:{line}: unreadable_input: damaged {form}: {KIND[form]} {number}"
        assert err.count(named) == 1
    assert "2 records" not in err
    assert "1 input" in err
    monkeypatch.setattr(plan_module, "UNIT_BYTES", 1)
    run("scan", path.name, "-o", "cut/")
    assert files(tmp_path / "whole") == files(tmp_path / "cut")
    run("scan", path.name, "-o", "-", "--errors", "stream.errors.jsonl", "--format", "jsonl")
    errors = (tmp_path / "cut" / "errors.jsonl").read_bytes()
    assert (tmp_path / "stream.errors.jsonl").read_bytes() == errors
    assert [(e["line"], e["record"]) for e in read_jsonl(tmp_path / "cut" / "errors.jsonl")] == [
        (81, None),
        (201, None),
    ]
    verdicts = read_jsonl(tmp_path / "cut" / "part-00000.jsonl")
    kept = [n for n in range(320) if n // 40 not in (2, 5)]
    assert [v["data_id"] for v in verdicts] == [f"n{n}" for n in kept]
    marker = json.loads((tmp_path / "cut" / "_shards" / "00000.json").read_bytes())
    assert (marker["status"], marker["records"]) == ("failed", 320)
    assert not (tmp_path / "cut" / "_SUCCESS").exists()

    damaged(path)
    assert run("scan", path.name, "-o", "cut/", "--resume")[0] == 0
    run("scan", path.name, "-o", "fresh/")
    assert files(tmp_path / "cut") == files(tmp_path / "fresh")


@pytest.mark.parametrize("form", FORMS)
def test_posts_around_a_damaged_group_are_copied_with_their_verdicts(run, tmp_path, form):
    path = tmp_path / f"posts.{form}"
    damaged(path, 2)
    run("scan", path.name, "-o", "out/")
    code, err = run("redact", path.name, "--verdicts", "out", "-o", f"copy.{form}")
    assert code == 3, err
    copied = rows(tmp_path / f"copy.{form}")
    kept = [n for n in range(320) if n // 40 != 2]
    assert [row["id"] for _, row in copied] == [f"n{n}" for n in kept]
    assert VIOLATING[3:] not in str(copied)


@pytest.mark.parametrize(
    ("content", "message"),
    [("footer", "damaged parquet"), ("column", "expected a column 'text', found id, words")],
)
def test_what_is_wrong_with_a_whole_file_is_told_once(run, tmp_path, monkeypatch, content, message):
    monkeypatch.setattr(plan_module, "UNIT_BYTES", 1)
    path = tmp_path / "posts.parquet"
    batches = [posts(40, 40 * n) for n in range(5)]
    if content == "column":
        batches = [batch.rename_columns(["id", "words"]) for batch in batches]
    write(path, batches)
    if content == "footer":
        size = path.stat().st_size
        damage(path, size - 60, size - 20)
    code, err = run("scan", path.name, "-o", "out/")
    assert code == 3
    assert err.count("unreadable_input") == 1
    (error,) = read_jsonl(tmp_path / "out" / "errors.jsonl")
    assert error["detail"].startswith(message)


@pytest.mark.parametrize("output", ["out/", "out.jsonl"])
@pytest.mark.parametrize("says", [True, False])
def test_a_scan_begun_with_other_units_starts_its_input_again(
    run, tmp_path, monkeypatch, output, says
):
    make_inputs(tmp_path)
    (tmp_path / "alone").mkdir()
    run("scan", "posts", "-o", f"alone/{output}")
    scan = ("posts", "-o", output, "--batch-size", "11", "--checkpoint-batches", "1")
    with monkeypatch.context() as patched:
        patched.setattr(plan_module, "_is_cut_by_groups", lambda _: False)
        assert run("scan", *scan, "--max-errors", "30")[0] == 2
    state = tmp_path / ("out" if output == "out/" else ".out.jsonl.scan")
    note = state / "_work" / "run.json"
    if not says:  # as a scan did that cut lines alone
        found = json.loads(note.read_bytes())
        del found["cuts"]
        note.write_text(json.dumps(found))
    monkeypatch.setattr(plan_module, "UNIT_BYTES", 2000)
    code, err = run("scan", *scan, "--resume")
    assert code == 3
    left = [name for name in ("posts/a.arrow", "posts/a.parquet") if name in err]
    assert left
    for name in left:
        assert f"{name}: the scan was started with other units of it" in err
    for name, content in files(tmp_path / "alone").items():
        assert (tmp_path / name).read_bytes() == content


def test_lines_go_on_in_a_scan_that_does_not_say_how_it_was_cut(run, tmp_path):
    lines = [json.dumps(row) + "\n" for row in posts(300).to_pylist()]
    (tmp_path / "posts.jsonl").write_text("{\n" * 3 + "".join(lines) + "{\n" * 3)
    scan = ("posts.jsonl", "-o", "out/", "--batch-size", "11", "--checkpoint-batches", "1")
    assert run("scan", *scan, "--max-errors", "4")[0] == 2
    note = tmp_path / "out" / "_work" / "run.json"
    note.write_text(json.dumps(json.loads(note.read_bytes()) | {"cuts": None}))
    code, err = run("scan", *scan, "--resume")
    assert code == 3
    assert "from its start" not in err
    run("scan", "posts.jsonl", "-o", "alone/")
    assert files(tmp_path / "alone") == files(tmp_path / "out")
