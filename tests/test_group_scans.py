"""Scans of files that are cut by groups: the same bytes, resumed too, and damage that is named."""

import json
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from group_support import FORMS, KIND, damage, damaged, posts, write
from scan_support import VIOLATING, read_jsonl, rows, small_rules

from moderation import Moderator
from moderation.cli import main
from moderation.scan import ScanOptions, SinkSpec, StoppedError, TextFields, Work, resolve_sources
from moderation.scan import plan as plan_module
from moderation.scan.layout import Layout
from moderation.scan.plan import plan_shards
from moderation.scan.spool import read_checkpoint
from moderation.scan.unit import UnitTask, scan_unit

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

CHILD = Path(__file__).with_name("scan_child.py")
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


def files(folder):
    found = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    return {name: path.read_bytes() for name, path in sorted(found.items())}


def outcome(folder):
    """Return a folder's files but its manifest, which holds the digest of the input."""
    return {name: content for name, content in files(folder).items() if name != "_manifest.json"}


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
    (shard,) = plan_shards(resolve_sources([str(path)]), options=options)
    (unit,) = shard.units

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
