"""moderate status: what a running, stopped, failed or finished scan says of itself."""

import gzip
import json

import pytest
from scan_support import ORDINARY, VIOLATING, small_rules, write_jsonl

from moderation.cli import main
from moderation.scan import Layout, plan
from moderation.scan.state import locked


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    return small_rules(tmp_path_factory.mktemp("rules"))


@pytest.fixture
def moderate(rules, tmp_path, monkeypatch, capfd):
    """Run a command in a folder of its own; return exit code, output and messages."""
    monkeypatch.chdir(tmp_path)

    def call(command, *arguments):
        given = ["--rules", str(rules)] if command == "scan" else []
        code = main([command, *given, *map(str, arguments)])
        shown = capfd.readouterr()
        return code, shown.out, shown.err

    return call


def status(moderate, output):
    code, out, _ = moderate("status", output, "--format", "json")
    assert code == 0
    return json.loads(out)


def make_posts(folder):
    texts = (ORDINARY, VIOLATING)
    posts = [{"id": f"n{n}", "text": f"{n} {texts[n % 2]}"} for n in range(300)]
    write_jsonl(folder / "a.jsonl", *posts[:100])
    write_jsonl(folder / "b.jsonl", *posts, *[b"{"] * 50)


@pytest.mark.parametrize("output", ["out/", "out.jsonl"])
def test_a_stopped_scan_says_how_far_it_came(moderate, tmp_path, monkeypatch, output):
    monkeypatch.setattr(plan, "UNIT_BYTES", 2000)
    make_posts(tmp_path)
    stop = ("--batch-size", "20", "--checkpoint-batches", "1", "--max-errors", "5")
    assert moderate("scan", "a.jsonl", "b.jsonl", "-o", output, *stop)[0] == 2
    found = status(moderate, output)
    assert (found["state"], found["inputs"], found["inputs_done"]) == ("stopped", 2, 1)
    assert found["statistics"]["posts"] == 400
    assert found["statistics"]["actions"]["block"] == 200
    assert found["posts_per_second"] is None
    assert 0.9 < found["bytes_done"] / found["bytes_total"] <= 1
    _, out, _ = moderate("status", output)
    assert out.startswith("state       stopped; moderate scan … --resume goes on with it\n")
    assert "inputs      1 of 2 done\n" in out
    assert "posts       400: 200 pass, 0 review, 200 block\n" in out


def test_a_scan_that_holds_its_lock_is_running(moderate, tmp_path):
    make_posts(tmp_path)
    stop = ("--batch-size", "20", "--checkpoint-batches", "1", "--max-errors", "5")
    moderate("scan", "b.jsonl", "-o", "out/", *stop)
    with locked(Layout.of_folder(tmp_path / "out")):
        found = status(moderate, "out")
        assert found["state"] == "running"
        assert found["posts_per_second"] > 0
        assert found["seconds_left"] is not None
    assert status(moderate, "out")["state"] == "stopped"


def test_a_finished_scan_says_so(moderate, tmp_path):
    make_posts(tmp_path)
    assert moderate("scan", "a.jsonl", "-o", "out/")[0] == 0
    _, out, _ = moderate("status", "out/")
    assert out == (
        "state       finished\n"
        "inputs      1 of 1 done\n"
        f"read        100 % of {(tmp_path / 'a.jsonl').stat().st_size:,} bytes\n"
        "posts       100: 50 pass, 0 review, 50 block\n"
        "rejected    0\n"
    )


def test_a_scan_with_an_input_that_failed_names_it(moderate, tmp_path):
    make_posts(tmp_path)
    packed = gzip.compress((tmp_path / "b.jsonl").read_bytes())
    (tmp_path / "c.jsonl.gz").write_bytes(packed[:-100])
    moderate("scan", "a.jsonl", "c.jsonl.gz", "-o", "out/")
    found = status(moderate, "out/")
    assert (found["state"], found["inputs_failed"]) == ("failed", ["c.jsonl.gz"])
    _, out, _ = moderate("status", "out/")
    assert "inputs      2 of 2 done, 1 of them failed\nfailed      c.jsonl.gz\n" in out


def test_what_no_scan_wrote_is_refused(moderate, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for name in ("folder", "gone"):
        code, _, err = moderate("status", name)
        assert (code, err) == (2, f"moderate: {name}: expected the output of a scan, found none\n")
    code, _, err = moderate("status", "file")
    assert code == 2
    assert "file: is complete, or no scan made it; there is no state left" in err
