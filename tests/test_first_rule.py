"""docs/first-rule.md: its rule, its commands and what they print, run as they stand."""

from __future__ import annotations

import contextlib
import doctest
import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moderation.cli import main
from moderation.rules import Ruleset, compile_rules
from moderation.rules.selftest import run_rule_tests

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE = Path(__file__).parents[1] / "docs" / "first-rule.md"
RULE_FILE = "my-rules/gambling/phone.yaml"
CONTEXTS = ("anti-scam.yaml", "report.yaml")
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    return BLOCK.findall(GUIDE.read_text("utf-8"))


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with what it prints."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shipped_rules: Path) -> Path:
    """The folder that the guide is read in: with rules/, as in a checkout.

    Two packs that the guide has nothing to do with are left out, which makes it much quicker, and
    so are the contexts but for those of its posts.
    """
    monkeypatch.chdir(tmp_path)
    left_out = shutil.ignore_patterns("porn", "drugs", "context")
    shutil.copytree(shipped_rules, tmp_path / "rules", ignore=left_out)
    (tmp_path / "rules" / "context").mkdir()
    for name in CONTEXTS:
        shutil.copy(shipped_rules / "context" / name, tmp_path / "rules" / "context")
    return tmp_path


def test_the_guide_says_what_happens(folder: Path, capfd: pytest.CaptureFixture[str]):
    """Where a change of the cues or of a command alters an output, mend the guide."""
    checker = doctest.OutputChecker()
    ran = []
    for kind, block in blocks():
        if kind == "yaml":
            (folder / RULE_FILE).write_text(block, encoding="utf-8")
        elif kind == "json":
            (folder / "labelled.jsonl").write_text(block, encoding="utf-8")
        elif kind == "text":
            for line in block.splitlines():
                start = line[: line.index("[") + 4]
                old = (folder / RULE_FILE).read_text("utf-8").splitlines()
                new = [line if known.startswith(start) else known for known in old]
                assert new != old, line
                (folder / RULE_FILE).write_text("\n".join(new) + "\n", encoding="utf-8")
        for command, expected in commands(block) if kind == "console" else ():
            ran.append(command)
            if command == "cp -r rules my-rules":
                shutil.copytree("rules", "my-rules")
                continue
            with contextlib.redirect_stderr(sys.stdout):  # a terminal shows both, in order
                main(command.removeprefix("moderate ").split())
            wanted = expected.rstrip("\n") + "\n"
            found = capfd.readouterr().out.rstrip("\n") + "\n"
            same = checker.check_output(wanted.replace("…", "..."), found, doctest.ELLIPSIS)
            assert same, f"$ {command}\n{found}"
    for name in ("new", "check", "test", "coverage", "profile"):
        assert any(command.startswith(f"moderate rules {name}") for command in ran)


def test_the_finished_rule_passes_its_tests(folder: Path):
    shutil.copytree("rules", "my-rules")
    finished = [block for kind, block in blocks() if kind == "yaml"][-1]
    (folder / RULE_FILE).write_text(finished, encoding="utf-8")
    compiled = compile_rules(folder / "my-rules", strict=True)
    report = run_rule_tests(Ruleset(compiled), rule_id="gambling.zh.phone-bet")
    assert (report.passed, report.failures) == (7, ())


def test_the_guide_s_posts_are_labelled():
    (posts,) = [block for kind, block in blocks() if kind == "json"]
    rows = [json.loads(line) for line in posts.splitlines()]
    assert {row["labels"]["gambling"] for row in rows} == {0, 1}
