"""Sources: what is scanned is decided, and checked, before anything is read."""

import os
import subprocess

import pytest

from moderation.errors import ConfigError
from moderation.scan import Source, resolve_sources


def names(*paths, **options):
    return [source.name for source in resolve_sources([str(p) for p in paths], **options)]


@pytest.mark.parametrize(
    ("name", "form", "compression"),
    [
        ("a.jsonl", "jsonl", None),
        ("a.NDJSON", "jsonl", None),
        ("a.b.csv", "csv", None),
        ("a.jsonl.gz", "jsonl", "gzip"),
        ("a.csv.zst", "csv", "zstd"),
        ("a.parquet", "parquet", None),
        ("a.arrow", "arrow", None),
        ("a.arrows", "arrow", None),
    ],
)
def test_the_name_says_the_format(tmp_path, name, form, compression):
    path = tmp_path / name
    path.touch()
    assert resolve_sources([str(path)]) == [Source(str(path), form, compression)]


def test_a_folder_is_searched_for_known_names_in_sorted_order(tmp_path):
    for name in ("b.jsonl", "a/z.csv", "a/c.parquet", "c.txt", ".hidden.jsonl", ".git/x.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "d.parquet.gz").touch()
    expected = ["a/c.parquet", "a/z.csv", "b.jsonl"]
    assert names(tmp_path) == [f"{tmp_path}/{name}" for name in expected]


def test_a_link_that_loops_is_entered_once(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").touch()
    (tmp_path / "in" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "in" / "self").symlink_to(".", target_is_directory=True)
    assert names(tmp_path) == [f"{tmp_path}/in/a.jsonl"]


def test_a_linked_folder_is_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.jsonl").touch()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert names(tmp_path / "in") == [f"{tmp_path}/in/link/a.jsonl"]


def test_paths_keep_their_order_and_may_be_named_twice(tmp_path):
    for name in ("a.jsonl", "b.csv"):
        (tmp_path / name).touch()
    given = [tmp_path / "b.csv", tmp_path / "a.jsonl", tmp_path / "b.csv"]
    assert names(*given) == [str(p) for p in given]


def test_standard_input_is_jsonl_unless_said_otherwise():
    assert resolve_sources(["-"]) == [Source("-", "jsonl")]
    assert resolve_sources(["-"], "csv") == [Source("-", "csv")]


@pytest.mark.parametrize(
    ("paths", "form", "message"),
    [
        (["-", "-"], None, "standard input can be read once"),
        (["-"], "parquet", "Parquet cannot be read from a pipe"),
        (["-"], "xml", "unknown input format 'xml'; known: jsonl, csv, parquet, arrow"),
        ([], None, "expected at least one path, found none"),
        (["a\0b.jsonl"], None, "not a path"),
    ],
)
def test_what_cannot_be_an_input_is_refused(paths, form, message):
    with pytest.raises(ConfigError, match=message):
        resolve_sources(paths, form)


def test_every_bad_path_gets_a_line_of_its_own(tmp_path):
    (tmp_path / "posts.xml").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "posts.parquet.gz").touch()
    bad = ["gone.jsonl", "posts.xml", "empty", "posts.parquet.gz"]
    with pytest.raises(ConfigError) as caught:
        resolve_sources([str(tmp_path / name) for name in bad])
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [str(tmp_path / name) for name in bad]
    assert "found: No such file" in lines[0]
    assert "found .xml; or name the --input-format" in lines[1]
    assert "files in the folder, found none" in lines[2]
    assert "parquet cannot be read compressed" in lines[3]


def test_a_missing_file_of_unknown_format_is_called_missing(tmp_path):
    with pytest.raises(ConfigError, match="found: No such file"):
        resolve_sources([str(tmp_path / "gone")])


def test_the_input_format_is_for_names_that_say_nothing(tmp_path):
    for name in ("dump", "dump.gz", "posts.csv"):
        (tmp_path / name).touch()
    found = resolve_sources([str(tmp_path / n) for n in ("dump", "dump.gz", "posts.csv")], "jsonl")
    assert [(s.format, s.compression) for s in found] == [
        ("jsonl", None),
        ("jsonl", "gzip"),
        ("csv", None),
    ]


def test_a_named_pipe_is_not_opened_by_the_check(tmp_path):
    pipe = tmp_path / "posts.jsonl"
    os.mkfifo(pipe)
    with subprocess.Popen(["sh", "-c", f"echo '{{}}' > '{pipe}'"]) as writer:
        assert names(pipe) == [str(pipe)]
        assert writer.poll() is None  # still waiting for its reader
        pipe.read_bytes()
