"""What goes wrong on the way: what is said, how it ends, and that nothing is lost or twice."""

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scan_support import COMMAND, ORDINARY, VIOLATING, read_jsonl, small_rules, write_jsonl

from moderation.cli import main
from moderation.scan import plan, unit

CHILD = Path(__file__).with_name("scan_child.py")
CHAOS = Path(__file__).with_name("scan_chaos.py")
FATAL = "这条会让进程死掉"


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    return small_rules(tmp_path_factory.mktemp("rules"))


@pytest.fixture
def run(rules, tmp_path, monkeypatch, capfd):
    """Run `moderate scan` in a folder of its own; return exit code and messages."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = main(["scan", "--rules", str(rules), "--as-of", "2026-01-01", *map(str, arguments)])
        return code, capfd.readouterr().err

    return call


def start(rules, folder, fault, *arguments):
    """Start a scan in a process of its own, with a fault on its way."""
    given = ["scan", "--rules", str(rules), "--as-of", "2026-01-01", *map(str, arguments)]
    return subprocess.Popen(
        [sys.executable, str(CHILD), fault, *given],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def posts(count, name="n"):
    return [
        {"id": f"{name}{n}", "text": f"{n} {(ORDINARY, VIOLATING)[n % 2]}"} for n in range(count)
    ]


def files(folder):
    found = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    return {name: path.read_bytes() for name, path in sorted(found.items())}


def ids(path):
    return [row["data_id"] for row in read_jsonl(path)]


def test_killed_scans_come_to_the_same_bytes_once_they_are_resumed(tmp_path):
    done = subprocess.run(
        [sys.executable, str(CHAOS), "--runs", "6", "--posts", "200", "--seed", "3", "--fork"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"6 scans, \d+ kills, 3 scans killed within .*; 0 results differ", done.stdout)


@pytest.mark.parametrize(
    ("output", "moment"),
    [
        ("out/", "fsync-torn"),
        ("out/", "replace-before"),
        ("out/", "replace-after"),
        ("out.jsonl", "replace-before"),
    ],
)
def test_a_scan_killed_over_its_first_file_can_be_resumed(rules, run, tmp_path, output, moment):
    write_jsonl(tmp_path / "posts.jsonl", *posts(10))
    with start(rules, tmp_path, f"{moment}:1:scan", "posts.jsonl", "-o", output) as process:
        process.stderr.read()
    assert process.returncode == -signal.SIGKILL
    assert run("posts.jsonl", "-o", output, "--resume")[0] == 0
    run("posts.jsonl", "-o", f"alone-{output}")
    alone = {n: c for n, c in files(tmp_path).items() if n.startswith("alone-")}
    found = {n: c for n, c in files(tmp_path).items() if n.startswith((".out", "out"))}
    assert {f"alone-{name}": content for name, content in found.items()} == alone


@pytest.fixture
def small_disk(tmp_path):
    """Yield a file system of 300 KB, and how to make it larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if (
        mount is None
        or subprocess.run([mount, *options], check=False, capture_output=True).returncode
    ):
        pytest.skip("needs the right to mount a small tmpfs")

    def grow():
        subprocess.run([mount, "-o", "remount,size=20m", str(folder)], check=True)

    yield folder, grow
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("output", ["out/", "out.jsonl"])
def test_a_full_disk_is_named_and_the_scan_goes_on_once_there_is_room(
    run, tmp_path, small_disk, output
):
    disk, grow = small_disk
    write_jsonl(tmp_path / "posts.jsonl", *posts(2000))
    scan = ("posts.jsonl", "--batch-size", "100", "--checkpoint-batches", "2", "-o")
    assert run(*scan, output)[0] == 0
    code, err = run(*scan, f"{disk}/{output}")
    assert code == 2
    assert re.search(r"moderate: \S*/disk/\S+: cannot be written: No space left on device", err)
    assert "the scan is saved: --resume goes on with it" in err
    assert run(*scan, f"{disk}/{output}", "--resume")[0] == 2
    grow()
    assert run(*scan, f"{disk}/{output}", "--resume")[0] == 0
    expected = {n: c for n, c in files(tmp_path).items() if n.startswith("out")}
    assert {
        n.removeprefix("disk/"): c for n, c in files(tmp_path).items() if "disk" in n
    } == expected


def test_a_truncated_input_is_named_and_scanned_again_once_it_is_whole(run, tmp_path):
    whole = gzip.compress("".join(json.dumps(p) + "\n" for p in posts(3000)).encode(), mtime=0)
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    write_jsonl(tmp_path / "b.jsonl", *posts(10, "b"))
    scan = ("a.jsonl.gz", "b.jsonl", "-o", "out/", "--resume")
    code, err = run(*scan)
    assert code == 3
    assert "unreadable_input: damaged gzip: the file ends in the middle of compressed data" in err
    out = tmp_path / "out"
    found = ids(out / "part-00000.jsonl")
    assert 100 < len(found) < 3000
    assert found == [f"n{n}" for n in range(len(found))]
    assert ids(out / "part-00001.jsonl") == [f"b{n}" for n in range(10)]
    (error,) = read_jsonl(out / "errors.jsonl")
    assert (error["source"], error["reason"]) == ("a.jsonl.gz", "unreadable_input")
    assert error["line"] == len(found) + 1
    assert not (out / "_SUCCESS").exists()
    assert json.loads((out / "_shards" / "00000.json").read_bytes())["status"] == "failed"
    (tmp_path / "a.jsonl.gz").write_bytes(whole)
    assert run(*scan)[0] == 0
    assert ids(out / "part-00000.jsonl") == [f"n{n}" for n in range(3000)]
    assert (out / "_SUCCESS").exists()
    assert not (out / "errors.jsonl").exists()
    run("a.jsonl.gz", "b.jsonl", "-o", "fresh/")
    assert files(out) == files(tmp_path / "fresh")


@pytest.mark.skipif(
    not Path("/proc/self/mem").exists(), reason="reads a file that fails to be read"
)
def test_a_failing_read_is_named_and_the_other_inputs_are_scanned(run, tmp_path):
    (tmp_path / "a.jsonl").symlink_to("/proc/self/mem")  # its first page is never mapped
    write_jsonl(tmp_path / "b.jsonl", *posts(4))
    code, err = run("a.jsonl", "b.jsonl", "-o", "out/")
    assert code == 3
    assert "a.jsonl: unreadable_input: cannot be read: Input/output error" in err
    assert len(ids(tmp_path / "out" / "part-00001.jsonl")) == 4
    assert not (tmp_path / "out" / "_SUCCESS").exists()


@pytest.mark.parametrize("change", ["append", "rewrite", "replace", "remove"])
@pytest.mark.parametrize("output", ["out/", "out.jsonl"])
def test_an_input_that_changes_has_an_error_and_no_verdicts(
    run, tmp_path, monkeypatch, change, output
):
    monkeypatch.setattr(plan, "UNIT_BYTES", 5000)
    path = write_jsonl(tmp_path / "a.jsonl", *posts(200))
    write_jsonl(tmp_path / "b.jsonl", *posts(10, "b"))
    from_strings = unit.TextBatch.from_strings

    class Meddling:
        @staticmethod
        def from_strings(texts):
            content = path.read_bytes() if path.exists() else b""
            if change == "append":
                with path.open("ab") as file:
                    file.write(b'{"id":"late","text":"x"}\n')
            elif change == "rewrite":
                path.write_bytes(content)
            elif change == "replace":
                write_jsonl(tmp_path / "new", *posts(200)).replace(path)
            else:
                path.unlink(missing_ok=True)
            return from_strings(texts)

    monkeypatch.setattr(unit, "TextBatch", Meddling)
    code, err = run("a.jsonl", "b.jsonl", "-o", output, "--batch-size", "50")
    assert code == 3
    assert "a.jsonl" in err
    assert "input_changed: " in err
    errors = read_jsonl(next(tmp_path.rglob("errors.jsonl")))
    assert [(e["source"], e["reason"]) for e in errors] == [("a.jsonl", "input_changed")]
    if output == "out/":
        assert not (tmp_path / "out" / "part-00000.jsonl").exists()
        assert not (tmp_path / "out" / "_SUCCESS").exists()
        found = ids(tmp_path / "out" / "part-00001.jsonl")
    else:
        found = ids(tmp_path / "out.jsonl")
    assert found == [f"b{n}" for n in range(10)]


def test_a_worker_that_dies_once_costs_nothing(rules, run, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", *posts(1500))
    scan = ("posts.jsonl", "--batch-size", "50", "--checkpoint-batches", "2", "-o")
    run(*scan, "alone/")
    # The seventh call of a worker: the first process has made four when workers start.
    fault = "fsync-torn:7:self:struck"
    with start(rules, tmp_path, fault, *scan, "out/", "--jobs", "2") as process:
        err = process.stderr.read().decode()
    assert process.returncode == 0, err
    assert "posts.jsonl: a worker process died (SIGKILL)" in err
    assert files(tmp_path / "alone") == files(tmp_path / "out")


def test_workers_that_die_whatever_they_score_stop_a_scan_that_can_go_on(rules, run, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", *posts(100))
    run("posts.jsonl", "-o", "alone/")
    arguments = ("posts.jsonl", "-o", "out/", "--jobs", "2")
    with start(rules, tmp_path, "replace-before:1:worker", *arguments) as process:
        err = process.stderr.read().decode()
    assert process.returncode == 2, err
    assert "whatever the record: expected a worker to live" in err
    assert "(the scan is saved: --resume goes on with it)" in err
    assert run("posts.jsonl", "-o", "out/", "--resume")[0] == 0
    assert files(tmp_path / "alone") == files(tmp_path / "out")


def test_a_record_that_kills_workers_is_rejected_and_no_other(rules, tmp_path):
    records = posts(300)
    records[120]["text"] = FATAL
    write_jsonl(tmp_path / "posts.jsonl", *records)
    arguments = ("posts.jsonl", "-o", "out/", "--batch-size", "40", "--jobs", "2")
    with start(rules, tmp_path, f"die-on:{FATAL}", *arguments) as process:
        err = process.stderr.read().decode()
    assert process.returncode == 3, err
    assert "a worker process died (SIGKILL)" in err
    assert "going on record by record" in err
    assert FATAL not in err
    (error,) = read_jsonl(tmp_path / "out" / "errors.jsonl")
    assert (error["line"], error["data_id"], error["reason"]) == (121, "n120", "worker_died")
    expected = [f"n{n}" for n in range(300) if n != 120]
    assert ids(tmp_path / "out" / "part-00000.jsonl") == expected


@pytest.mark.parametrize(
    ("number", "code", "jobs"),
    [(signal.SIGINT, 130, 1), (signal.SIGTERM, 143, 1), (signal.SIGTERM, 143, 2)],
)
def test_an_interrupted_scan_finishes_its_batch_and_can_be_resumed(
    rules, run, tmp_path, number, code, jobs
):
    write_jsonl(tmp_path / "posts.jsonl", *posts(1500))
    scan = ("posts.jsonl", "--batch-size", "50", "--checkpoint-batches", "1", "-o")
    run(*scan, "alone/")
    arguments = (*scan, "out/", "--jobs", jobs, "-q")
    with start(rules, tmp_path, "slow:0.3", *arguments) as process:
        work = tmp_path / "out" / "_work"
        while process.poll() is None and not list(work.glob("*-*.json")):
            time.sleep(0.02)
        process.send_signal(number)
        err = process.stderr.read().decode()
    assert (process.returncode, err) == (code, "moderate: interrupted; --resume goes on with it\n")
    assert list(work.glob("*.rows"))
    points = [json.loads(path.read_bytes()) for path in work.glob("*-*.json")]
    assert all(point["records"] % 50 == 0 or point["done"] for point in points)
    refused, err = run(*scan, "out/")
    assert refused == 2
    assert "out: holds an unfinished scan; --resume goes on with it, --force starts again" in err
    assert run(*scan, "out/", "--resume")[0] == 0
    assert files(tmp_path / "alone") == files(tmp_path / "out")


def test_two_scans_do_not_write_to_one_output(rules, run, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", *posts(1500))
    arguments = ("posts.jsonl", "-o", "out/", "--batch-size", "50", "-q")
    with start(rules, tmp_path, "slow:0.5", *arguments) as process:
        while process.poll() is None and not (tmp_path / "out" / "_work" / "run.json").exists():
            time.sleep(0.02)
        code, err = run("posts.jsonl", "-o", "out/", "--resume")
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
    assert (code, err) == (2, "moderate: out: another scan is writing there\n")


def test_a_damaged_state_is_refused(rules, run, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", *posts(100), *[b"{"] * 20)
    stop = ("posts.jsonl", "-o", "out/", "--batch-size", "10", "--max-errors", "5", "--resume")
    assert run(*stop, "--checkpoint-batches", "1")[0] == 2
    (rows,) = (tmp_path / "out" / "_work").glob("*.rows")
    content = rows.read_bytes()
    rows.write_bytes(content[:-30] + b"x" * 30)
    code, err = run("posts.jsonl", "-o", "out/", "--resume")
    assert code == 2
    assert "the state of the scan is damaged; --force starts it again" in err
    rows.write_bytes(content + b"half a row that was not yet part of a checkpoint")
    assert run("posts.jsonl", "-o", "out/", "--resume")[0] == 3
    assert ids(tmp_path / "out" / "part-00000.jsonl") == [f"n{n}" for n in range(100)]


def test_standard_input_cannot_be_resumed(rules, tmp_path):
    given = ["scan", "-", "-o", "out/", "--rules", str(rules)]
    piped = json.dumps(posts(1)[0]).encode() + b"\n"
    command = [sys.executable, str(CHILD), "none", *given]
    done = subprocess.run(command, cwd=tmp_path, input=piped, capture_output=True, check=False)
    assert done.returncode == 0
    command.append("--resume")
    done = subprocess.run(command, cwd=tmp_path, input=piped, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"--resume: an input is a pipe, which cannot be read a second time" in done.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_read_once(rules, tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    with start(rules, tmp_path, "none", "pipe.jsonl", "-o", "out.jsonl", "--jobs", "2") as process:
        with (tmp_path / "pipe.jsonl").open("wb") as pipe:
            pipe.write(json.dumps(posts(1)[0]).encode() + b"\n")
        err = process.stderr.read().decode()
    assert process.returncode == 0, err
    assert ids(tmp_path / "out.jsonl") == ["n0"]


def test_workers_of_a_scan_that_does_not_begin_go_without_a_word(tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", *posts(10))
    arguments = ("scan", "posts.jsonl", "-o", "out.jsonl", "--jobs", "2", "--region", "nowhere")
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("moderate: unknown region 'nowhere'")
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["posts.jsonl"]
