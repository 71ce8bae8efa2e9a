"""moderate eval: tables, JSON, what is refused, and what the classifier does alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from eval_support import constant_model, made_up_decisions, records
from scan_support import RULE_ID, moderate, small_rules, write_jsonl

from moderation.cli import main
from moderation.cli.eval_table import table_lines
from moderation.evaluation.decisions import without_rules
from moderation.evaluation.evaluation import evaluate_decisions

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden" / "eval"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, shipped_model: Path) -> list[str]:
    """Return the options for one rule and a model that says the same of every post."""
    folder = tmp_path_factory.mktemp("engine")
    model = constant_model(folder, shipped_model)
    return ["--rules", str(small_rules(folder)), "--model", str(model)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "posts.jsonl", *records())
    return tmp_path


def evaluated(capsys, *arguments: object) -> dict[str, Any]:
    """Return the JSON of a run that succeeds."""
    assert main(["eval", "posts.jsonl", "--format", "json", *map(str, arguments)]) == 0
    return json.loads(capsys.readouterr().out)


def figure(found: dict[str, Any], policy: str, language: str) -> dict[str, Any]:
    (row,) = (r for r in found["figures"] if (r["policy"], r["language"]) == (policy, language))
    return row


@pytest.mark.parametrize("bootstrap", [0, 100])
def test_the_tables_are_as_agreed(capsys, here: Path, engine: list[str], bootstrap: int):
    options = ["--bootstrap", str(bootstrap), "--with-text"]
    assert main(["eval", "posts.jsonl", *options, *engine]) == 0
    shown = capsys.readouterr().out
    assert shown == (GOLDEN / f"bootstrap-{bootstrap}.txt").read_text("utf-8")


def test_no_line_is_wider_than_100_columns():
    decisions = made_up_decisions(3000)
    decisions.languages[:3] = 3
    decisions.found[0] = ()
    lines = list(table_lines(evaluate_decisions(decisions, {}, resamples=50)))
    assert len(lines) > 40
    assert max(map(len, lines)) <= 100


def test_figures_of_the_small_set(capsys, here: Path, engine: list[str]):
    found = evaluated(capsys, *engine)
    row = figure(found, "gambling", "all")
    assert (row["posts"], row["positives"]) == (8, 4)
    assert row["precision"]["value"] == pytest.approx(2 / 3, abs=1e-6)
    assert row["recall"]["value"] == 0.5
    assert row["blocked_innocent"]["value"] == 0.25
    assert row["recall"]["low"] < 0.5 < row["recall"]["high"]
    assert figure(found, "gambling", "zh")["posts"] == 5
    drugs = figure(found, "drugs", "all")
    assert (drugs["posts"], drugs["positives"], drugs["recall"]["value"]) == (2, 0, None)
    assert not [r for r in found["figures"] if r["policy"] == "porn"]


def test_confusion_and_worst_errors_of_the_small_set(capsys, here: Path, engine: list[str]):
    found = evaluated(capsys, *engine)
    by_given = {(r["given"], r["found"], r["action"]): r["posts"] for r in found["stances"]}
    assert by_given["offer", "offer", "block"] == 2
    assert by_given["seek", "no label", "pass"] == 2
    assert sum(by_given.values()) == 8
    assert found["sub_labels"] == [
        {"given": "gambling.promotion", "found": "gambling.promotion", "action": "block",
         "posts": 2},
        {"given": "gambling.seeking", "found": "no label", "action": "pass", "posts": 1},
    ]  # fmt: skip
    errors = {(e["id"], e["kind"]): e for e in found["worst_errors"]}
    assert set(errors) == {("a4", "false_alarm"), ("a3", "missed"), ("a7", "missed")}
    assert errors["a4", "false_alarm"]["rule_ids"] == [RULE_ID]
    assert errors["a4", "false_alarm"]["line"] == 4
    assert not [e for e in found["worst_errors"] if "text" in e]


def test_texts_are_shown_only_where_asked_for(capsys, here: Path, engine: list[str]):
    for options, shown in (([], False), (["--with-text"], True)):
        assert main(["eval", "posts.jsonl", *engine, *options, "--json", "out.json"]) == 0
        streams = capsys.readouterr()
        texts = [row["text"] for row in records()]
        for written in (streams.out, (here / "out.json").read_text("utf-8")):
            assert any(text in written for text in texts) is shown
        assert not any(text in streams.err for text in texts)


def test_a_post_about_minors_is_never_shown(capsys, here: Path, engine: list[str]):
    row = {"id": "m", "text": "老板要上下分找客服", "labels": {"gambling": 0}}
    write_jsonl(here / "posts.jsonl", row | {"sub_label": "porn.minors"})
    found = evaluated(capsys, *engine, "--with-text")
    assert [error["text"] for error in found["worst_errors"]] == ["(not shown)"]


@pytest.mark.parametrize("offset", [-2.0, 1.0, 4.0])
def test_the_classifier_alone_decides_at_its_own_points(
    capsys, here: Path, tmp_path: Path, shipped_model: Path, engine: list[str], offset: float
):
    model = constant_model(tmp_path, shipped_model, offset)
    found = evaluated(capsys, *engine[:2], "--model", model, "--classifier-only")
    score = 1 / (1 + np.exp(-offset))
    row = figure(found, "gambling", "all")
    assert row["recall"]["value"] == (score >= 0.5)
    assert row["block_recall"]["value"] == (score >= 0.9)
    assert row["average_precision"]["value"] == 0.5
    assert found["provenance"]["classifier_only"] is True
    assert not any(error["rule_ids"] for error in found["worst_errors"])


def test_the_engine_without_rules_gives_the_classifier_s_own_scores(moderator):
    posts = [row["text"] for row in records()] + ["best casino bonus, free spins, DM me"]
    with without_rules(moderator) as alone:
        verdicts = alone.check_batch(posts)
    assert not any(e.rule_id for v in verdicts for label in v.labels for e in label.evidence)
    known = moderator.check_batch(posts)
    plain = [at for at, verdict in enumerate(known) if not verdict.labels]
    assert plain
    assert np.array_equal(verdicts.scores[plain], known.scores[plain])


def test_rejected_records_end_with_3_and_are_listed(capsys, here: Path, engine: list[str]):
    write_jsonl(here / "posts.jsonl", *records(), {"id": "x", "text": "secret", "labels": 1})
    assert main(["eval", "posts.jsonl", *engine]) == 3
    streams = capsys.readouterr()
    assert "posts.jsonl:10: labels_not_an_object" in streams.err
    assert "9 posts, 1 rejected; the reasons are in errors.jsonl" in streams.err
    (row,) = map(json.loads, (here / "errors.jsonl").read_text("utf-8").splitlines())
    assert (row["line"], row["data_id"], row["reason"]) == (10, "x", "labels_not_an_object")
    assert "secret" not in streams.out + streams.err + json.dumps(row)
    write_jsonl(here / "posts.jsonl", *records())
    assert main(["eval", "posts.jsonl", *engine]) == 0
    assert not (here / "errors.jsonl").exists()


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_file_has_no_figures(capsys, here: Path, engine: list[str], content: bytes):
    (here / "posts.jsonl").write_bytes(content)
    found = evaluated(capsys, *engine)
    assert (found["figures"], found["worst_errors"]) == ([], [])
    assert found["provenance"]["posts"] == 0
    assert main(["eval", "posts.jsonl", *engine]) == 0
    assert "reviewed or blocked" in capsys.readouterr().out


def test_only_rejected_records_have_no_figures(capsys, here: Path, engine: list[str]):
    write_jsonl(here / "posts.jsonl", {"text": "a"})
    assert main(["eval", "posts.jsonl", *engine]) == 3


def test_standard_input_and_several_inputs_are_pooled(here: Path, engine: list[str]):
    write_jsonl(here / "more.jsonl", {"id": "b", "text": "上下分", "labels": {"gambling": 1}})
    lines = (here / "posts.jsonl").read_bytes()
    run = moderate("eval", "-", "more.jsonl", "--format", "json", *engine, cwd=here, input=lines)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert figure(found, "gambling", "all")["posts"] == 9
    assert found["provenance"]["inputs"] == ["-", "more.jsonl"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--region", "mars"], "unknown region 'mars'"),
        (["--tier", "slow"], "slow"),
        (["--json", "missing/out.json"], "the folder missing does not exist"),
        (["--json", "posts.jsonl"], "would overwrite the input"),
        (["--seed", "-1"], "Invalid value for '--seed'"),
        (["--bootstrap", "many"], "Invalid value for '--bootstrap'"),
        (["--report", "posts.jsonl"], "expected a folder for --report, found a file"),
        (["--lang", "fr"], "Invalid value for '--lang'"),
    ],
)
def test_bad_options_are_refused(
    capsys, here: Path, engine: list[str], options: list[str], message: str
):
    before = (here / "posts.jsonl").read_bytes()
    assert main(["eval", "posts.jsonl", *engine, *options]) == 2
    assert message in capsys.readouterr().err
    assert (here / "posts.jsonl").read_bytes() == before


def test_the_same_run_gives_the_same_bytes(capsys, here: Path, engine: list[str]):
    runs = []
    for name in ("a.json", "b.json"):
        assert main(["eval", "posts.jsonl", *engine, "--json", name]) == 0
        runs.append((capsys.readouterr().out, (here / name).read_bytes()))
    assert runs[0] == runs[1]


def test_the_digest_tells_other_labels_from_these(capsys, here: Path, engine: list[str]):
    first = evaluated(capsys, *engine)["provenance"]["data"]
    changed = records()
    changed[5]["labels"] = {"gambling": 0}
    write_jsonl(here / "posts.jsonl", *changed)
    assert evaluated(capsys, *engine)["provenance"]["data"] != first


def keys(value: Any) -> set[str]:
    """Return every key of a JSON value, however deep."""
    if isinstance(value, dict):
        return set(value).union(*map(keys, value.values()))
    return set().union(*map(keys, value)) if isinstance(value, list) else set()


def test_every_field_of_the_json_is_described(capsys, here: Path, engine: list[str]):
    page = (ROOT / "docs" / "evaluation.md").read_text("utf-8")
    named = keys(evaluated(capsys, *engine, "--with-text"))
    assert {"schema", "figures", "average_precision", "low", "rule_ids", "resamples"} <= named
    assert sorted(name for name in named if f"`{name}`" not in page) == []


def test_every_option_is_described(capsys):
    assert main(["eval", "--help"]) == 0
    shown = capsys.readouterr().out
    options = set(re.findall(r"--[a-z-]+", shown))
    page = (ROOT / "docs" / "cli.md").read_text("utf-8").partition("## moderate eval")[2]
    assert {"--bootstrap", "--report", "--classifier-only"} <= options
    assert sorted(name for name in options - {"--help"} if f"`{name}" not in page) == []


def test_without_a_report_nothing_is_drawn(here: Path, engine: list[str]):
    code = (
        "import sys\nfrom moderation.cli import main\n"
        f"main({['eval', 'posts.jsonl', *engine]!r})\n"
        "assert not {'matplotlib', 'sklearn', 'pyarrow'} & set(sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, timeout=120)
    assert run.returncode == 0, run.stderr.decode()
