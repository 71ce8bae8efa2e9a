"""moderate scan: messages, exit codes, and every other row coming through."""

import ctypes
import gzip
import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from scan_support import (
    COMMAND,
    ORDINARY,
    VIOLATING,
    moderate,
    read_jsonl,
    small_rules,
    write_jsonl,
)

from moderation.cli import main

BEFORE = {"id": "before", "text": ORDINARY}
AFTER = {"id": "after", "text": VIOLATING}


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    return small_rules(tmp_path_factory.mktemp("rules"))


@pytest.fixture
def run(rules, tmp_path, monkeypatch, capfd):
    """Run `moderate scan` in a folder of its own; return exit code, output and messages."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments, **options):
        given = [] if "--rules" in arguments else ["--rules", str(rules)]
        code = main(["scan", *given, *map(str, arguments)])
        shown = capfd.readouterr()
        return code, shown.out, shown.err

    return call


def verdicts(folder, name="out.jsonl"):
    return {row["data_id"]: row["action"] for row in read_jsonl(folder / name)}


def test_a_clean_scan_is_0_even_when_it_finds_violations(run, tmp_path):
    posts = write_jsonl(tmp_path / "posts.jsonl", BEFORE, AFTER)
    code, out, err = run(posts, "-o", "out.jsonl")
    assert (code, out) == (0, "")
    assert verdicts(tmp_path) == {"before": "pass", "after": "block"}
    assert "2 posts in" in err
    assert "1 pass, 0 review, 1 block; 0 rejected" in err
    assert not (tmp_path / "errors.jsonl").exists()


@pytest.mark.parametrize(
    ("bad", "data_id", "reason", "detail"),
    [
        (b'{"id":"x","text":"cut', None, "malformed_json", "Unterminated string"),
        (b"[1,2]", None, "not_an_object", "expected a JSON object, found a list"),
        (b'{"id":"x"}', "x", "missing_text", "expected the field 'text'"),
        (b'{"id":"x","text":12}', "x", "text_not_string", "found a number"),
        (b'{"id":"x","text":null}', "x", "null_text", "found null"),
        (b'{"id":"x","text":"\xff"}', None, "invalid_utf8", "byte 0xff at byte 19 of the line"),
        (b'{"text":"' + b"x" * 300 + b'"}', None, "line_too_long", "longer than 200 bytes"),
    ],
)
def test_a_bad_row_is_rejected_and_every_other_row_comes_through(
    run, tmp_path, bad, data_id, reason, detail
):
    posts = write_jsonl(tmp_path / "posts.jsonl", BEFORE, bad, AFTER)
    code, _, err = run("posts.jsonl", "-o", "out.jsonl", "--max-line-bytes", "200")
    assert code == 3
    assert "moderate: 1 record rejected; the reasons are in errors.jsonl\n" in err
    assert verdicts(tmp_path) == {"before": "pass", "after": "block"}
    (error,) = read_jsonl(tmp_path / "errors.jsonl")
    assert detail in error.pop("detail")
    expected = {"source": "posts.jsonl", "line": 2, "data_id": data_id, "reason": reason}
    assert error == expected | {"record": 2, "offset": posts.read_bytes().index(b"\n") + 1}
    assert posts.exists()


@pytest.mark.parametrize(
    ("odd", "action"),
    [
        (rb'{"id":"odd","text":"\ud83d \udc00 ' + VIOLATING.encode() + b'"}', "block"),
        (rb'{"id":"odd","text":"\u0000 ' + VIOLATING.encode() + b'"}', "block"),
        (b'{"id":"odd","text":"\x00 ' + VIOLATING.encode() + b'"}', "block"),
        (b'{"id":"odd","text":""}', "pass"),
        (b'{"id":"odd","text":"' + b"good day " * 1_100_000 + VIOLATING.encode() + b'"}', "block"),
    ],
    ids=["lone-surrogates", "nul-escaped", "nul-raw", "empty", "ten-megabytes"],
)
def test_odd_posts_are_scored_like_any_other(run, tmp_path, odd, action):
    write_jsonl(tmp_path / "posts.jsonl", BEFORE, odd, AFTER)
    code, _, _ = run("posts.jsonl", "-o", "out.jsonl", "--with-text")
    assert code == 0
    assert verdicts(tmp_path) == {"before": "pass", "odd": action, "after": "block"}


def test_an_empty_file_is_a_finished_scan(run, tmp_path):
    (tmp_path / "posts.jsonl").touch()
    code, _, err = run("posts.jsonl", "-o", "out.jsonl")
    assert code == 0
    assert (tmp_path / "out.jsonl").read_bytes() == b""
    assert "0 posts in" in err


def test_a_missing_path_stops_before_anything_is_scanned(run, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", BEFORE)
    code, out, err = run("posts.jsonl", "gone.jsonl", "-o", "out.jsonl")
    assert (code, out) == (2, "")
    assert err == (
        "moderate: gone.jsonl: expected a readable file, found: No such file or directory\n"
    )
    assert not (tmp_path / "out.jsonl").exists()


def without_root_powers():
    """Let file permissions bind this process, also where the tests run as root."""
    prctl = ctypes.CDLL(None).prctl
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="drops Linux capabilities")
def test_an_unreadable_path_stops_before_anything_is_scanned(tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", BEFORE).chmod(0)
    done = moderate(
        "scan", "posts.jsonl", "-o", "out.jsonl", cwd=tmp_path, preexec_fn=without_root_powers
    )
    assert done.returncode == 2
    expected = "moderate: posts.jsonl: expected a readable file, found: Permission denied\n"
    assert done.stderr.decode() == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["posts.xml"], "posts.xml: expected .jsonl, .ndjson or .csv"),
        (["empty"], "empty: expected .jsonl, .ndjson or .csv"),
        (["posts.jsonl", "--region", "mars"], "unknown region 'mars'; known: cn, global, us"),
        (["posts.jsonl", "-o", "out.xml"], "out.xml: expected the name to end in .jsonl"),
        (["posts.jsonl", "-o", "no/out.jsonl"], "no/out.jsonl: --output: the folder no does not"),
        (["posts.jsonl", "-o", "posts.jsonl"], "--output would overwrite the input posts.jsonl"),
        (["posts.jsonl", "--errors", "posts.jsonl"], "--errors would overwrite the input"),
        (["posts.jsonl", "-o", "o.jsonl", "--errors", "o.jsonl"], "both for the verdicts and for"),
        (["posts.jsonl", "--text-field", "a", "--text-field", "a"], "'a' is named twice"),
        (["posts.jsonl", "--model", "no-model"], "no-model/manifest.json: cannot be read"),
        (["posts.jsonl", "--tier", "huge"], "has no tier 'huge'"),
    ],
)
def test_a_wrong_option_is_one_line_and_a_2(run, tmp_path, arguments, message):
    write_jsonl(tmp_path / "posts.jsonl", BEFORE)
    (tmp_path / "posts.xml").touch()
    (tmp_path / "empty").mkdir()
    before = sorted(path.name for path in tmp_path.iterdir())
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("moderate: ")
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "arguments",
    [["--format", "xml"], ["--batch-size", "0"], ["--fail-on", "pass"], ["--device", "tpu"]],
)
def test_a_value_that_no_option_has_is_a_2(run, tmp_path, arguments):
    write_jsonl(tmp_path / "posts.jsonl", BEFORE)
    code, out, err = run("posts.jsonl", *arguments)
    assert (code, out) == (2, "")
    assert arguments[0] in err


def test_broken_rules_are_named_with_file_and_line(run, tmp_path):
    broken = small_rules(tmp_path)
    (broken / "gambling" / "chips.yaml").write_text("schema: 1\nrulez: []\n")
    write_jsonl(tmp_path / "posts.jsonl", BEFORE)
    code, out, err = run("posts.jsonl", "-o", "out.jsonl", "--rules", broken)
    assert (code, out) == (2, "")
    assert "gambling/chips.yaml:2:1: R004 unknown field 'rulez'" in err
    assert not (tmp_path / "out.jsonl").exists()


def test_damage_within_a_file_is_a_3_and_the_other_files_are_scanned(run, tmp_path):
    lines = b"".join(json.dumps({"id": str(n), "text": "x"}).encode() + b"\n" for n in range(3000))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines)[:-1000])
    write_jsonl(tmp_path / "b.jsonl", AFTER)
    code, _, err = run("a.jsonl.gz", "b.jsonl", "-o", "out.jsonl")
    assert code == 3
    assert "unreadable_input: damaged gzip: the file ends in the middle" in err
    assert "moderate: 1 input rejected; the reasons are in errors.jsonl" in err
    found = verdicts(tmp_path)
    assert len(found) > 100
    assert found["after"] == "block"
    (error,) = read_jsonl(tmp_path / "errors.jsonl")
    assert (error["source"], error["line"]) == ("a.jsonl.gz", len(found))


def test_pyarrow_is_asked_for_by_name_when_it_is_missing(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    write_jsonl(tmp_path / "posts.jsonl", BEFORE)
    (tmp_path / "posts.parquet").touch()
    for arguments in (["posts.parquet"], ["posts.jsonl", "-o", "out.parquet"]):
        code, _, err = run(*arguments)
        assert code == 2
        expected = "pyarrow is not installed: pip install 'moderation-engine[arrow]'"
        assert err == f"moderate: {expected}\n"


@pytest.mark.parametrize(
    ("posts", "fail_on", "code"),
    [
        ([BEFORE], "block", 0),
        ([BEFORE, AFTER], "block", 1),
        ([BEFORE, AFTER], "review", 1),
        ([BEFORE, b"{"], "block", 3),
        ([AFTER, b"{"], "block", 1),
    ],
)
def test_fail_on_turns_a_violation_into_a_1(run, tmp_path, posts, fail_on, code):
    write_jsonl(tmp_path / "posts.jsonl", *posts)
    assert run("posts.jsonl", "-o", "out.jsonl", "--fail-on", fail_on)[0] == code


def test_errors_go_beside_the_output_or_where_they_are_sent(run, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", BEFORE, b"{")
    (tmp_path / "out").mkdir()
    run("posts.jsonl", "-o", "out/verdicts.csv")
    assert (tmp_path / "out" / "errors.jsonl").exists()
    run("posts.jsonl", "-o", "out/verdicts.csv", "--errors", "bad.jsonl", "--force")
    assert (tmp_path / "bad.jsonl").exists()
    _, out, _ = run("posts.jsonl")
    assert json.loads(out)["data_id"] == "before"
    assert (tmp_path / "errors.jsonl").exists()


def test_errors_of_an_earlier_scan_do_not_outlive_a_clean_one(run, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", BEFORE, b"{")
    assert run("posts.jsonl", "-o", "out.jsonl")[0] == 3
    assert (tmp_path / "errors.jsonl").exists()
    write_jsonl(tmp_path / "posts.jsonl", BEFORE)
    assert run("posts.jsonl", "-o", "out.jsonl", "--force")[0] == 0
    assert not (tmp_path / "errors.jsonl").exists()


def test_somebody_elses_errors_file_is_left_alone(run, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", BEFORE)
    (tmp_path / "errors.jsonl").write_text('{"level":"error"}\n')
    code, _, err = run("posts.jsonl")
    assert code == 2
    assert "name another one with --errors" in err
    assert (tmp_path / "errors.jsonl").read_text() == '{"level":"error"}\n'


def test_quiet_says_nothing_unless_something_is_wrong(run, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", BEFORE)
    assert run("posts.jsonl", "-o", "out.jsonl", "-q") == (0, "", "")
    write_jsonl(tmp_path / "posts.jsonl", BEFORE, b"{")
    _, _, err = run("posts.jsonl", "-o", "out.jsonl", "-q", "--force")
    assert err == "moderate: 1 record rejected; the reasons are in errors.jsonl\n"


def test_verbose_says_what_runs_and_why_a_row_was_rejected(run, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", BEFORE, b"{")
    _, _, err = run("posts.jsonl", "-o", "out.jsonl", "-v")
    assert "1 input; region cn, tier fast on cpu, model default@" in err
    assert "posts.jsonl:2: malformed_json: Expecting property name" in err


def test_a_text_field_that_no_record_has_is_pointed_out(run, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", AFTER)
    arguments = ("--text-field", "text", "--text-field", "titel")
    code, _, err = run("posts.jsonl", "-o", "out.jsonl", *arguments)
    assert code == 0
    assert "moderate: no record has the text field 'titel'\n" in err


def test_fields_ids_and_formats_by_option(run, tmp_path):
    (tmp_path / "dump").write_text(f"key,body\nk1,{VIOLATING}\n", encoding="utf-8")
    arguments = ["--input-format", "csv", "--text-field", "body", "--id-field", "key"]
    code, out, _ = run("dump", *arguments, "--format", "csv", "--with-text")
    assert code == 0
    assert out.splitlines()[1].startswith("k1,block,high,zh,")
    assert out.splitlines()[1].endswith(f",{VIOLATING}")


def test_a_dash_writes_to_standard_output(run, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", AFTER)
    code, out, _ = run("posts.jsonl", "-o", "-")
    assert code == 0
    assert json.loads(out)["action"] == "block"


# From here on, a process of its own: pipes, signals and terminals.


@pytest.mark.parametrize("paths", [[], ["-"]])
def test_a_pipe_is_json_lines_in_and_out(rules, tmp_path, paths):
    piped = b"".join(json.dumps(row).encode() + b"\n" for row in (BEFORE, AFTER, {"id": "bad"}))
    done = moderate("scan", *paths, "--rules", rules, cwd=tmp_path, input=piped)
    assert done.returncode == 3
    found = {row["data_id"]: row["action"] for row in map(json.loads, done.stdout.splitlines())}
    assert found == {"before": "pass", "after": "block"}
    (error,) = read_jsonl(tmp_path / "errors.jsonl")
    assert (error["source"], error["line"], error["data_id"]) == ("-", 3, "bad")


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_arrow_comes_through_a_pipe(rules, tmp_path, kind):
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"id": ["a"], "text": [VIOLATING]})
    buffer = pa.BufferOutputStream()
    new = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with new(buffer, table.schema) as writer:
        writer.write_table(table)
    done = moderate(
        *("scan", "-", "--input-format", "arrow", "--format", "arrow", "-q", "--rules", rules),
        cwd=tmp_path,
        input=buffer.getvalue().to_pybytes(),
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert pa.ipc.open_stream(done.stdout).read_all().column("action").to_pylist() == ["block"]


def test_a_reader_that_leaves_early_is_a_0(rules, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", *({"id": str(n), "text": ORDINARY} for n in range(3000)))
    with subprocess.Popen(
        [*COMMAND, "scan", "posts.jsonl", "--batch-size", "50", "--rules", str(rules)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        first = json.loads(process.stdout.readline())
        process.stdout.close()
        messages = process.stderr.read()
        assert process.wait(60) == 0
    assert first["data_id"] == "0"
    assert messages == b""


def test_an_interrupted_scan_is_a_130_and_leaves_no_file(rules, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "out.jsonl").write_text("earlier")
    arguments = ("-o", "out/out.jsonl", "--force", "--batch-size", "1", "--rules", str(rules))
    with subprocess.Popen(
        [*COMMAND, "scan", "-", *arguments],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdin.write(json.dumps(AFTER).encode() + b"\n")
        process.stdin.flush()
        while len(os.listdir(out)) == 1 and process.poll() is None:  # noqa: PTH208
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        messages = process.stderr.read().decode()
        assert process.wait(60) == 130
    assert messages == "moderate: interrupted; no output was written\n"
    assert [path.name for path in out.iterdir()] == ["out.jsonl"]
    assert (out / "out.jsonl").read_text() == "earlier"


def on_a_terminal(*arguments, cwd, **environment):
    """Run with a terminal for all three streams; return exit code and what it showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "90", **environment},
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # how Linux ends a terminal
                break
            if not part:
                break
            shown += part
        os.close(ours)
        return process.wait(60), shown.decode()


def test_a_terminal_gets_a_coloured_table_unless_no_color(rules, tmp_path):
    write_jsonl(tmp_path / "posts.jsonl", BEFORE, AFTER)
    arguments = ("scan", "posts.jsonl", "--rules", rules)
    code, shown = on_a_terminal(*arguments, cwd=tmp_path)
    assert code == 0
    assert "\x1b[31mblock" in shown
    assert "“上下分”" in shown
    _, plain = on_a_terminal(*arguments, cwd=tmp_path, NO_COLOR="1")
    assert "\x1b[3" not in plain
    assert "“上下分”" in plain


def test_nothing_to_read_on_a_terminal_shows_help(tmp_path):
    code, shown = on_a_terminal("scan", cwd=tmp_path)
    assert code == 2
    assert "Usage:" in shown
    assert "--text-field" in shown


def test_help_loads_nothing_heavy(tmp_path):
    program = (
        "import sys; from moderation.cli import main; code = main(['scan', '--help'])\n"
        "heavy = {'pyarrow', 'onnxruntime', 'moderation.scan', 'zstandard', 'sentencepiece'}\n"
        "sys.exit(f'loaded {heavy & set(sys.modules)}' if heavy & set(sys.modules) else code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    for option in ("--output", "--region", "--fail-on", "--max-line-bytes"):
        assert option in done.stdout.decode()
