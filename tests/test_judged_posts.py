"""Posts beside their verdicts: report and redact take the posts that the scan took."""

import json

import pytest
from scan_support import ORDINARY, VIOLATING, read_jsonl, small_rules, write_jsonl

from moderation.cli import main

POSTS = [
    {"id": 123456789012345678901234567890, "body": VIOLATING},
    {"id": 2, "body": ORDINARY * 9},
    {"id": 3, "body": ORDINARY, "more": [[[1]]]},
    {"id": 1.10, "body": VIOLATING},
]
READING = ("--text-field", "body", "--max-post-chars", "40", "--max-depth", "3")
"""Leaves out the second post, and the third."""


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    return small_rules(tmp_path_factory.mktemp("rules"))


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Run a command in a folder with posts and a key; return exit code and messages."""
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "posts.jsonl", *POSTS)
    (tmp_path / "key").write_text("0123456789abcdef")
    (tmp_path / "another").write_text("fedcba9876543210")

    def call(*arguments):
        code = main([str(each) for each in arguments])
        return code, capfd.readouterr().err

    return call


@pytest.fixture
def scan(run, rules):
    def call(*arguments):
        assert run("scan", "--rules", rules, "posts.jsonl", *READING, *arguments)[0] == 3

    return call


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_the_folder_of_a_scan_says_how_its_posts_are_read(run, scan, tmp_path, form):
    scan("-o", "out/", "--format", form)
    code, err = run("redact", "posts.jsonl", "--verdicts", "out/", "-o", "copy.jsonl")
    assert (code, "2 posts copied, 2 of them masked; 2 rejected" in err) == (3, True)
    texts = [row["body"] for row in read_jsonl(tmp_path / "copy.jsonl")]
    assert texts == [VIOLATING.replace("上下分", "███")] * 2
    code, err = run("report", "out/", "--posts", "posts.jsonl", "-o", "page.html")
    assert (code, "2 verdicts; 2 records of the posts are none to a scan" in err) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--max-depth", "100"), "expected max_depth as in the scan, 3, found 100"),
        (("--text-field", "text"), "expected text_fields as in the scan, ['body'], found ['text']"),
        (("--hash-ids", "key"), "expected id_key as in the scan, None, found 'hmac-sha256:"),
    ],
)
def test_another_way_to_read_them_is_refused(run, scan, tmp_path, arguments, message):
    scan("-o", "out/")
    code, err = run("redact", "posts.jsonl", "--verdicts", "out/", "-o", "copy.jsonl", *arguments)
    assert (code, message in err) == (2, True), err
    assert not (tmp_path / "copy.jsonl").exists()


@pytest.mark.parametrize("join", ["order", "id"])
def test_posts_join_verdicts_with_hashed_ids_by_the_key(run, scan, tmp_path, join):
    scan("-o", "out/", "--hash-ids", "key")
    redact = ("redact", "posts.jsonl", "--verdicts", "out/", "-o", "copy.jsonl", "--join", join)
    code, err = run(*redact)
    assert (code, "expected --hash-ids: the scan hashed its ids" in err) == (2, True)
    code, err = run(*redact, "--hash-ids", "another")
    assert (code, "expected id_key as in the scan, 'hmac-sha256:" in err) == (2, True)
    assert run(*redact, "--hash-ids", "key")[0] == 3
    assert len(read_jsonl(tmp_path / "copy.jsonl")) == 2


def test_beside_a_single_file_the_options_are_repeated_or_the_join_refused(run, scan, tmp_path):
    scan("-o", "out.jsonl")
    redact = ("redact", "posts.jsonl", "--verdicts", "out.jsonl", "-o", "copy.jsonl")
    code, err = run(*redact, "--text-field", "body")
    assert (code, "expected the verdict on the post '2'" in err) == (2, True)
    assert not (tmp_path / "copy.jsonl").exists()
    assert run(*redact, *READING)[0] == 3


def test_a_report_on_a_scan_that_is_not_finished_says_so(run, rules, tmp_path):
    (tmp_path / "more.jsonl").write_bytes(b"{\n" * 9)
    scan = (
        "scan",
        "--rules",
        rules,
        "posts.jsonl",
        "more.jsonl",
        *READING,
        "-o",
        "out/",
        "--resume",
    )
    assert run(*scan, "--max-errors", "5")[0] == 2
    assert len(list((tmp_path / "out").glob("part-*"))) == 1
    code, err = run("report", "out/", "-o", "page.html")
    assert (code, "moderate: out: the scan is not finished" in err) == (0, True)
    assert run(*scan)[0] == 3
    assert "not finished" not in run("report", "out/", "-o", "page.html")[1]


def test_verdicts_of_scans_with_different_options_are_taken_one_by_one(run, scan):
    scan("-o", "one/")
    scan("-o", "two/", "--id-field", "number")
    verdicts = ("--verdicts", "one/", "--verdicts", "two/")
    code, err = run("redact", "posts.jsonl", *verdicts, "-o", "copy.jsonl")
    assert code == 2
    assert "two/_manifest.json: expected the options of one/_manifest.json, found others" in err


def test_a_copy_keeps_numbers_as_they_were_written(run, scan, tmp_path):
    line = b'{"id":1e400,"body":"' + VIOLATING.encode() + b'","n":[1.10,99999999999999999999]}\n'
    (tmp_path / "posts.jsonl").write_bytes(line + b"{}\n")
    scan("-o", "out/")
    assert run("redact", "posts.jsonl", "--verdicts", "out/", "-o", "copy.jsonl")[0] == 3
    masked = line.replace("上下分".encode(), "███".encode())
    assert (tmp_path / "copy.jsonl").read_bytes() == masked
    verdict = json.loads((tmp_path / "out" / "part-00000.jsonl").read_bytes())
    assert verdict["data_id"] == "1e400"
