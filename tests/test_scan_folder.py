"""A folder of part files: what is in it, that it does not depend on how it was made, and whose."""

import csv
import gzip
import hashlib
import hmac
import io
import json
import shutil

import pytest
import zstandard
from scan_support import ORDINARY, RULE_ID, VIOLATING, read_jsonl, small_rules, write_jsonl

from moderation.cli import main
from moderation.scan import plan
from moderation.scan.statistics import SCORE_BINS, merged

FOLDER_NAMES = {"_SUCCESS", "_manifest.json", "_shards", "_statistics.json"}
KEY = b"a key of more than sixteen bytes"


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    return small_rules(tmp_path_factory.mktemp("rules"))


@pytest.fixture
def run(rules, tmp_path, monkeypatch, capfd):
    """Run `moderate scan` in a folder of its own; return exit code and messages."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        given = [] if "--rules" in arguments else ["--rules", str(rules)]
        code = main(["scan", *given, "--as-of", "2026-01-01", *map(str, arguments)])
        return code, capfd.readouterr().err

    return call


def post(at):
    text = (ORDINARY, VIOLATING, "the ferry leaves at nine", "晚饭吃什么？")[at % 4]
    return {"id": f"n{at}", "text": f"{at} {text}"}


def make_inputs(folder):
    """Make shards of several formats, with records among them that are rejected."""
    (folder / "posts").mkdir()
    rows = [b"{broken" if n % 17 == 3 else post(n) for n in range(400)]
    rows[50] = b""
    rows[60] = {"id": "\ud800", "text": 7}
    write_jsonl(folder / "posts" / "a.jsonl", *rows)
    write_jsonl(folder / "plain", *(post(n) for n in range(70)), b"[]", post(70))
    packed = gzip.compress((folder / "plain").read_bytes(), mtime=0)
    (folder / "posts" / "b.jsonl.gz").write_bytes(packed)
    (folder / "plain").unlink()
    lines = [f'c{n},"{n} {VIOLATING}\nsecond line"\n' for n in range(40)]
    lines[20] = "c20,un,quoted\n"
    (folder / "posts" / "c.csv").write_text("id,text\n" + "".join(lines), encoding="utf-8")


def files(folder):
    found = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    return {name: path.read_bytes() for name, path in sorted(found.items())}


def test_a_folder_has_a_part_and_a_marker_for_each_input(run, tmp_path):
    make_inputs(tmp_path)
    assert run("posts", "-o", "out/")[0] == 3
    out = tmp_path / "out"
    parts = {f"part-0000{n}.jsonl" for n in range(3)}
    assert {path.name for path in out.iterdir()} == FOLDER_NAMES | parts | {"errors.jsonl"}
    for number, name in enumerate(("a.jsonl", "b.jsonl.gz", "c.csv")):
        marker = json.loads((out / "_shards" / f"0000{number}.json").read_bytes())
        part = (out / f"part-0000{number}.jsonl").read_bytes()
        assert (marker["source"], marker["status"]) == (f"posts/{name}", "done")
        content = (tmp_path / "posts" / name).read_bytes()
        assert marker["sha256"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        digest = f"sha256:{hashlib.sha256(part).hexdigest()}"
        assert marker["part"] == {"name": f"part-0000{number}.jsonl", "bytes": len(part)} | {
            "sha256": digest
        }


def test_every_record_has_one_verdict_or_one_error_and_they_line_up(run, tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "UNIT_BYTES", 4000)
    make_inputs(tmp_path)
    run("posts", "-o", "out/", "--batch-size", "13")
    errors = read_jsonl(tmp_path / "out" / "errors.jsonl")
    lines = (tmp_path / "posts" / "a.jsonl").read_bytes().split(b"\n")[:-1]
    records = [line for line in lines if line]
    mine = {e["record"]: e for e in errors if e["source"] == "posts/a.jsonl"}
    verdicts = iter(read_jsonl(tmp_path / "out" / "part-00000.jsonl"))
    for number, record in enumerate(records, 1):
        if number not in mine:
            assert next(verdicts)["data_id"] == json.loads(record)["id"]
            continue
        error = mine[number]
        assert lines[error["line"] - 1] == record
        content = (tmp_path / "posts" / "a.jsonl").read_bytes()
        assert content[error["offset"] :].startswith(record + b"\n")
    assert next(verdicts, None) is None
    assert len(mine) == 25
    (csv_error,) = (e for e in errors if e["source"] == "posts/c.csv")
    assert (csv_error["line"], csv_error["record"]) == (42, 21)
    content = (tmp_path / "posts" / "c.csv").read_bytes()
    assert content[csv_error["offset"] :].startswith(b"c20,")
    (gz_error,) = (e for e in errors if e["source"] == "posts/b.jsonl.gz")
    content = gzip.decompress((tmp_path / "posts" / "b.jsonl.gz").read_bytes())
    assert content[gz_error["offset"] :].startswith(b"[]\n")


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "arrow"])
def test_no_byte_depends_on_batches_units_or_checkpoints(run, tmp_path, monkeypatch, form):
    if form in {"parquet", "arrow"}:
        pytest.importorskip("pyarrow")
        monkeypatch.setattr("moderation.scan.arrow_sinks._GROUP_POSTS", 100)
    make_inputs(tmp_path)
    options = ("--format", form, "--with-text")
    run("posts", "-o", "whole/", *options)
    run("posts", "-o", f"whole.{form}", *options, "--errors", "whole.errors.jsonl")
    monkeypatch.setattr(plan, "UNIT_BYTES", 3000)
    small = ("--batch-size", "11", "--checkpoint-batches", "5")
    run("posts", "-o", "cut/", *options, *small)
    run("posts", "-o", f"cut.{form}", *options, *small, "--errors", "cut.errors.jsonl")
    assert files(tmp_path / "whole") == files(tmp_path / "cut")
    assert (tmp_path / f"whole.{form}").read_bytes() == (tmp_path / f"cut.{form}").read_bytes()
    errors = (tmp_path / "whole" / "errors.jsonl").read_bytes()
    assert errors == (tmp_path / "whole.errors.jsonl").read_bytes()
    assert errors == (tmp_path / "cut.errors.jsonl").read_bytes()
    assert not list(tmp_path.glob(".*.scan*"))


@pytest.mark.parametrize(("form", "compression"), [("jsonl", "zstd"), ("csv", "gzip")])
def test_compressed_parts_hold_what_plain_ones_do_and_resume_to_the_same_bytes(
    run, tmp_path, monkeypatch, form, compression
):
    monkeypatch.setattr(plan, "UNIT_BYTES", 3000)
    make_inputs(tmp_path)
    packed = ("--format", form, "--compression", compression)
    run("posts", "-o", "plain/", "--format", form)
    run("posts", "-o", "whole/", *packed)
    stopping = ("--batch-size", "11", "--checkpoint-batches", "1", "--resume")
    assert run("posts", "-o", "cut/", *packed, *stopping, "--max-errors", "9")[0] == 2
    assert run("posts", "-o", "cut/", *packed, *stopping)[0] == 3
    assert files(tmp_path / "whole") == files(tmp_path / "cut")
    for part in (tmp_path / "plain").glob("part-*"):
        extension = {"gzip": ".gz", "zstd": ".zst"}[compression]
        content = (tmp_path / "whole" / f"{part.name}{extension}").read_bytes()
        unpack = gzip.decompress if compression == "gzip" else unpacked
        assert unpack(content) == part.read_bytes()


def unpacked(content):
    return zstandard.ZstdDecompressor().decompressobj().decompress(content)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "out/", "--format", "parquet"), "expected the format jsonl or csv, found parquet"),
        (("-o", "out.jsonl"), "--compression is for the part files of a folder"),
    ],
)
def test_what_is_not_compressed_that_way_is_refused(run, tmp_path, arguments, message):
    make_inputs(tmp_path)
    code, err = run("posts", *arguments, "--compression", "gzip")
    assert (code, message in err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_two_processes_make_the_same_bytes_as_one(run, tmp_path, monkeypatch):
    make_inputs(tmp_path)
    run("posts", "-o", "one/")
    code, _ = run("posts", "-o", "two/", "--jobs", "2", "--batch-size", "50")
    assert code == 3
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_statistics_count_and_add_up(run, tmp_path):
    make_inputs(tmp_path)
    run("posts", "-o", "out/")
    out = tmp_path / "out"
    found = json.loads((out / "_statistics.json").read_bytes())
    markers = [json.loads((out / "_shards" / f"0000{n}.json").read_bytes()) for n in range(3)]
    total = {}
    for marker in reversed(markers):
        total = merged(total, marker["statistics"])
    assert json.dumps(total) == json.dumps(found)
    rows = [row for n in range(3) for row in read_jsonl(out / f"part-0000{n}.jsonl")]
    assert found["posts"] == len(rows)
    assert found["actions"]["block"] == sum(row["action"] == "block" for row in rows)
    assert sum(found["rejected"].values()) == len(read_jsonl(out / "errors.jsonl"))
    assert found["rules"] == {RULE_ID: sum(row["action"] == "block" for row in rows)}
    assert found["stances"]["offer"]["block"] == found["sub_labels"]["gambling.promotion"]["block"]
    assert found["policies"]["gambling"]["block"] == found["rules"][RULE_ID]
    assert sum(sum(row.values()) for row in found["languages"].values()) == len(rows)
    for policy, bins in found["scores"].items():
        scores = [row["category_scores"][policy] for row in rows]
        assert len(bins) == SCORE_BINS
        for at, count in enumerate(bins):
            upper = 1.1 if at == SCORE_BINS - 1 else (at + 1) / SCORE_BINS
            assert count == sum(at / SCORE_BINS <= score < upper for score in scores)


@pytest.mark.parametrize("output", ["out/", "out.jsonl"])
def test_what_is_there_is_not_overwritten_without_force(run, tmp_path, output):
    write_jsonl(tmp_path / "posts.jsonl", post(1))
    assert run("posts.jsonl", "-o", output)[0] == 0
    before = files(tmp_path)
    code, err = run("posts.jsonl", "-o", output)
    assert code == 2
    assert "--force" in err
    assert files(tmp_path) == before
    write_jsonl(tmp_path / "posts.jsonl", post(1), post(2))
    assert run("posts.jsonl", "-o", output, "--force")[0] == 0
    (verdicts,) = [
        p for p in tmp_path.rglob("*.jsonl") if p.name in {"out.jsonl", "part-00000.jsonl"}
    ]
    assert len(read_jsonl(verdicts)) == 2


def test_force_does_not_touch_what_no_scan_wrote(run, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", post(1))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    code, err = run("posts.jsonl", "-o", "out", "--force")
    assert code == 2
    assert "out: expected an empty folder or that of a scan, found other files" in err
    assert files(tmp_path / "out") == {"notes.txt": b"mine"}


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("posts/out/", "--output lies within the input folder posts"),
        ("link/", "--output holds the input posts/a.jsonl"),
        ("no/out/", "the folder no does not exist"),
    ],
)
def test_an_output_folder_that_would_be_read_is_refused(run, tmp_path, output, message):
    (tmp_path / "posts").mkdir()
    write_jsonl(tmp_path / "posts" / "a.jsonl", post(1))
    (tmp_path / "link").symlink_to(tmp_path / "posts", target_is_directory=True)
    given = ["posts/a.jsonl"] if output == "link/" else ["posts"]
    code, err = run(*given, "-o", output)
    assert code == 2
    assert message in err
    assert [p.name for p in (tmp_path / "posts").iterdir()] == ["a.jsonl"]


def test_state_that_leads_elsewhere_is_refused(run, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", post(1))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "_work").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    code, err = run("posts.jsonl", "-o", "out/")
    assert code == 2
    assert "out/_work: expected a folder, found a link" in err
    assert not list((tmp_path / "elsewhere").iterdir())


def test_hashed_ids_join_and_give_nothing_away(run, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", {"id": "user-17", "text": ORDINARY}, {"id": "user-18"})
    (tmp_path / "key").write_bytes(KEY + b"\n")
    code, err = run("posts.jsonl", "-o", "out/", "--hash-ids", "key", "-v")
    assert code == 3
    expected = [hmac.new(KEY, i, hashlib.sha256).hexdigest() for i in (b"user-17", b"user-18")]
    (row,) = read_jsonl(tmp_path / "out" / "part-00000.jsonl")
    (error,) = read_jsonl(tmp_path / "out" / "errors.jsonl")
    assert [row["data_id"], error["data_id"]] == expected
    written = b"".join(files(tmp_path / "out").values())
    for secret in (b"user-1", KEY):
        assert secret not in written
    assert "user-1" not in err
    (tmp_path / "key").write_bytes(b"short")
    code, err = run("posts.jsonl", "-o", "other/", "--hash-ids", "key")
    assert code == 2
    assert "key: expected a key of at least 16 bytes, found 5" in err


@pytest.mark.parametrize(
    ("option", "record", "reason"),
    [
        (("--max-post-chars", "30"), {"id": "x", "text": "长" * 31}, "post_too_long"),
        (("--max-depth", "5"), b'{"id":"x","text":"y","a":[[[[[1]]]]]}', "too_deep"),
        (("--max-line-bytes", "90"), {"id": "x", "text": "y" * 90}, "line_too_long"),
    ],
)
def test_a_record_over_a_limit_is_rejected(run, tmp_path, option, record, reason):
    near = {"id": "[[[{{{", "text": "y" * 20, "a": [[[]]]}
    write_jsonl(tmp_path / "posts.jsonl", near, record, post(2))
    assert run("posts.jsonl", "-o", "out/", *option)[0] == 3
    (error,) = read_jsonl(tmp_path / "out" / "errors.jsonl")
    assert (error["line"], error["reason"]) == (2, reason)
    assert len(read_jsonl(tmp_path / "out" / "part-00000.jsonl")) == 2


def test_content_that_expands_too_far_is_rejected_where_it_does(run, tmp_path, monkeypatch):
    monkeypatch.setattr("moderation.scan.streams._ANY_RATIO", 100_000)
    content = json.dumps(post(1)).encode() + b"\n" + b" " * 3_000_000 + b"\n"
    (tmp_path / "posts.jsonl.gz").write_bytes(gzip.compress(content))
    code, err = run("posts.jsonl.gz", "-o", "out/", "--max-ratio", "50")
    assert code == 3
    assert "expected at most 50 bytes of content for each compressed byte (--max-ratio)" in err
    assert not (tmp_path / "out" / "_SUCCESS").exists()


def test_too_many_errors_stop_a_scan_that_can_go_on(run, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", *(b"{" if n % 2 else post(n) for n in range(40)))
    run("posts.jsonl", "-o", "whole/")
    limited = ("posts.jsonl", "-o", "out/", "--batch-size", "4", "--resume", "--max-errors")
    code, err = run(*limited, "10")
    assert code == 2
    assert "stopped: expected at most 10 rejected records (--max-errors), found" in err
    assert run(*limited, "20")[0] == 3
    assert files(tmp_path / "whole") == files(tmp_path / "out")
    assert run("posts.jsonl", "--max-errors", "10")[0] == 2


def test_a_pattern_names_inputs(run, tmp_path):
    for name in ("a.jsonl", "b.jsonl", "c.txt"):
        write_jsonl(tmp_path / name, post(1))
    assert run("*.jsonl", "-o", "out/")[0] == 0
    manifest = json.loads((tmp_path / "out" / "_manifest.json").read_bytes())
    assert [entry["source"] for entry in manifest["inputs"]] == ["a.jsonl", "b.jsonl"]
    code, err = run("*.csv")
    assert (code, err) == (2, "moderate: *.csv: expected files of this pattern, found none\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "out/", "--format", "table"], "--format table: a folder holds jsonl, csv"),
        (["-o", "out/", "--errors", "e.jsonl"], "--errors: the output folder has its own"),
        (["--resume"], "--resume needs an --output file or folder"),
        (["--jobs", "2"], "--jobs needs an --output file or folder"),
        (["-o", "out.txt", "--resume"], "--resume needs an --output file or folder"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_read(run, tmp_path, arguments, message):
    write_jsonl(tmp_path / "posts.jsonl", post(1))
    code, err = run("posts.jsonl", *arguments)
    assert code == 2
    assert message in err
    assert [path.name for path in tmp_path.iterdir()] == ["posts.jsonl"]


def test_messages_can_be_json(run, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", post(1), b"{")
    code, err = run("posts.jsonl", "-o", "out/", "--log-format", "json")
    assert code == 3
    rows = [json.loads(line) for line in err.splitlines()]
    assert [row["event"] for row in rows] == ["message", "done"]
    assert (rows[1]["posts"], rows[1]["rejected"]) == (1, 1)
    code, err = run("posts.jsonl", "-o", "out/", "--log-format", "json")
    (row,) = map(json.loads, err.splitlines())
    assert (code, row["event"]) == (2, "error")
    assert "holds a finished scan" in row["message"]


def test_csv_parts_have_a_header_each(run, tmp_path):
    make_inputs(tmp_path)
    run("posts", "-o", "out/", "--format", "csv")
    for number in range(3):
        text = (tmp_path / "out" / f"part-0000{number}.csv").read_text(encoding="utf-8")
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert rows[0][0] == "data_id"
        assert all(row[0] != "data_id" for row in rows[1:])


# Going on with a scan: only with what it was started with.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--region", "us"), "region: expected 'cn', found 'us'"),
        (("--as-of", "2026-01-02"), "(--as-of): expected '2026-01-01', found '2026-01-02'"),
        (("--with-text",), "with_text: expected False, found True"),
        (("--id-field", "name"), "id_field: expected 'id', found 'name'"),
        (("--format", "csv"), "format: expected 'jsonl', found 'csv'"),
    ],
)
def test_resuming_with_something_else_is_refused_by_name(run, tmp_path, change, message):
    write_jsonl(tmp_path / "posts.jsonl", post(1))
    run("posts.jsonl", "-o", "out/")
    before = files(tmp_path)
    code, err = run("posts.jsonl", "-o", "out/", "--resume", *change)
    assert code == 2
    assert "--resume: not what the scan was started with" in err
    assert message in err
    assert files(tmp_path) == before


def test_resuming_with_other_rules_or_inputs_is_refused_by_name(run, tmp_path, rules):
    write_jsonl(tmp_path / "posts.jsonl", post(1))
    run("posts.jsonl", "-o", "out/")
    other = tmp_path / "other"
    shutil.copytree(rules, other)
    pack = other / "gambling" / "chips.yaml"
    pack.write_text(pack.read_text(encoding="utf-8") + "# a comment\n", encoding="utf-8")
    code, err = run("posts.jsonl", "-o", "out/", "--resume", "--rules", other)
    assert code == 2
    assert "  rules: expected 'sha256:" in err
    write_jsonl(tmp_path / "posts.jsonl", post(2))
    code, err = run("posts.jsonl", "-o", "out/", "--resume")
    assert code == 2
    assert "  posts.jsonl: sha256: expected sha256:" in err
    write_jsonl(tmp_path / "more.jsonl", post(2))
    code, err = run("posts.jsonl", "more.jsonl", "-o", "out/", "--resume")
    assert code == 2
    assert "number of inputs: expected 1, found 2" in err


def test_resuming_a_finished_scan_changes_nothing_and_ends_alike(run, tmp_path):
    make_inputs(tmp_path)
    code, _ = run("posts", "-o", "out/")
    before = files(tmp_path / "out")
    assert run("posts", "-o", "out/", "--resume")[0] == code
    assert files(tmp_path / "out") == before
    (tmp_path / "out" / "part-00001.jsonl").unlink()
    run("posts", "-o", "out/", "--resume")
    assert files(tmp_path / "out") == before
