"""Output: a file takes its place complete or not at all, and never an input's place."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from moderation.errors import ConfigError, ModerationError
from moderation.scan import ErrorLog, Rejection, Source
from moderation.scan.output import Output, check_output

REJECTION = Rejection("posts.jsonl", 3, "n3", "null_text", "expected a string", 3, 120)


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_nothing_stands_at_the_path_until_the_end(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_text("earlier")
    output = Output(path)
    output.open()
    output.write(b"new")
    assert path.read_text() == "earlier"
    output.close(keep=True)
    assert path.read_text() == "new"
    assert names(tmp_path) == ["out.jsonl"]


def test_an_abandoned_output_leaves_what_was_there(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_text("earlier")
    output = Output(path)
    output.open()
    output.write(b"half")
    output.close(keep=False)
    assert path.read_text() == "earlier"
    assert names(tmp_path) == ["out.jsonl"]


def test_a_link_stays_a_link_and_a_mode_stays_a_mode(tmp_path):
    target = tmp_path / "target.jsonl"
    target.touch(mode=0o640)
    target.chmod(0o640)
    link = tmp_path / "out.jsonl"
    link.symlink_to(target)
    output = Output(link)
    output.open()
    output.write(b"new")
    output.close(keep=True)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_compressed_bytes_do_not_depend_on_how_they_were_written(tmp_path, compression):
    data = b"".join(b"line %d of many\n" % n for n in range(60_000))
    made = []
    for size in (777, 100_000, len(data)):
        path = tmp_path / f"out.{size}"
        output = Output(path, compression)
        output.open()
        for start in range(0, len(data), size):
            output.write(data[start : start + size])
        output.close(keep=True)
        made.append(path.read_bytes())
    assert made[0] == made[1] == made[2]
    if compression == "gzip":
        assert gzip.decompress(made[0]) == data
    else:
        assert zstandard.ZstdDecompressor().decompressobj().decompress(made[0]) == data


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device /dev/full")
def test_a_full_disk_is_one_clear_line():
    output = Output(Path("/dev/full"))
    output.open()
    with pytest.raises(ModerationError, match="/dev/full: cannot be written: No space left"):
        output.write(b"x" * 100_000)
    output.close(keep=False)


def test_an_output_that_would_overwrite_an_input_is_refused(tmp_path):
    posts = tmp_path / "posts.jsonl"
    posts.write_text("{}")
    link = tmp_path / "link.jsonl"
    link.symlink_to(posts)
    for path in (posts, link):
        with pytest.raises(ConfigError, match="--output would overwrite the input"):
            check_output(path, [Source(str(posts), "jsonl")], "--output")


def test_standard_streams_that_lead_to_the_same_file_are_refused(tmp_path):
    posts = tmp_path / "posts.jsonl"
    posts.write_text('{"text":"x"}\n')
    program = (
        "import sys; from pathlib import Path; from moderation.scan import Source\n"
        "from moderation.scan.output import check_output\n"
        "given = sys.argv[1]\n"
        "path = Path(given) if given != '-' else None\n"
        "check_output(path, [Source(sys.argv[2], 'jsonl')], '--output')"
    )
    for output, source in (("-", "posts.jsonl"), ("posts.jsonl", "-"), ("-", "-")):
        with posts.open("r") as stdin, posts.open("a") as stdout:
            done = subprocess.run(
                [sys.executable, "-c", program, output, source],
                cwd=tmp_path,
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
                check=False,
            )
        assert b"would overwrite the input" in done.stderr


def test_an_output_that_cannot_be_made_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="expected a file name for --output, found a folder"):
        check_output(tmp_path, [], "--output")
    with pytest.raises(ConfigError, match="does not exist"):
        check_output(tmp_path / "no" / "out.jsonl", [], "--output")


def test_without_rejections_there_is_no_error_file(tmp_path):
    with ErrorLog(tmp_path / "errors.jsonl"):
        pass
    assert names(tmp_path) == []


def test_rejections_are_rows_and_a_clean_run_removes_them(tmp_path):
    path = tmp_path / "errors.jsonl"
    with ErrorLog(path) as log:
        log.add(REJECTION)
        log.add(Rejection("bad\udcff.jsonl", None, "\ud800", "unreadable_input", "gone"))
    first, second = map(json.loads, path.read_bytes().splitlines())
    assert first == {
        "source": "posts.jsonl",
        "line": 3,
        "record": 3,
        "offset": 120,
        "data_id": "n3",
        "reason": "null_text",
        "detail": "expected a string",
    }
    assert (second["source"], second["data_id"]) == ("bad\udcff.jsonl", "\ud800")
    with ErrorLog(path):
        pass
    assert not path.exists()


def test_an_interrupted_run_leaves_the_earlier_errors(tmp_path):
    path = tmp_path / "errors.jsonl"
    with ErrorLog(path) as log:
        log.add(REJECTION)
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), ErrorLog(path):
        raise KeyboardInterrupt
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ['{"level":"error"}\n', "not json\n", "[1]\n", "7\n", "\xff"])
def test_a_file_of_that_name_that_no_scan_wrote_is_left_alone(tmp_path, content):
    path = tmp_path / "errors.jsonl"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(ConfigError, match="name another one with --errors"):
        ErrorLog(path)
