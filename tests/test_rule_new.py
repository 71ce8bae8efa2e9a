"""moderate rules new: the scaffold, its place, and what the strict check says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from rule_support import context, rule, write_rules

from moderation.cli import main
from moderation.errors import RuleError
from moderation.rules import compile_rules
from moderation.rules.placeholders import placeholders

if TYPE_CHECKING:
    from pathlib import Path

NEW = "gambling.en.slang"
PACK = "gambling/pack.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_rules(tmp_path, rule("chips", any=["chips"]), context("c", "warn", any=["beware"]))


def new(*arguments: str | Path) -> int:
    return main(["rules", "new", *map(str, arguments)])


def written(path: Path, rule_id: str) -> dict:
    (found,) = [r for r in yaml.safe_load(path.read_text("utf-8"))["rules"] if r["id"] == rule_id]
    return found


def test_a_rule_is_added_where_its_likes_are(folder: Path, capsys: pytest.CaptureFixture[str]):
    before = (folder / PACK).read_bytes()
    options = ("--sub-label", "gambling.tips", "--stance", "seek", "--level", "weak")
    assert new(NEW, folder, *options) == 0
    after = (folder / PACK).read_bytes()
    assert after.startswith(before)
    line = after.decode().splitlines().index(f"- id: {NEW}") + 1
    assert capsys.readouterr().out == f"{folder / PACK}:{line}: {NEW}\n"
    found = written(folder / PACK, NEW)
    assert (found["sub_label"], found["stance"], found["level"], found["languages"]) == (
        "gambling.tips", "seek", "weak", ["en"],
    )  # fmt: skip


def test_a_rule_without_likes_gets_a_file_of_its_language(folder: Path):
    assert new("drugs.zh.slang", folder) == 0
    content = yaml.safe_load((folder / "drugs" / "zh.yaml").read_text("utf-8"))
    assert content["policy"] == "drugs"
    assert [each["id"] for each in content["rules"]] == ["drugs.zh.slang"]


@pytest.mark.parametrize("file", ["other.yaml", "gambling/other.yaml"])
def test_the_file_can_be_named(folder: Path, file: str):
    assert new(NEW, folder, "--file", file) == 0
    assert written(folder / "gambling" / "other.yaml", NEW)


@pytest.mark.parametrize("file", ["drugs/other.yaml", "../other.yaml", "other.txt"])
def test_a_file_elsewhere_is_refused(folder: Path, file: str, capsys: pytest.CaptureFixture[str]):
    assert new(NEW, folder, "--file", file) == 2
    assert "--file: expected a .yaml file in" in capsys.readouterr().err


def test_the_strict_check_says_what_is_to_be_filled_in(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    new(NEW, folder)
    capsys.readouterr()
    assert main(["rules", "check", "--strict", str(folder)]) == 2
    shown = capsys.readouterr().out
    for field in ("title", "sub_label", "notes", "hit", "pass", "evasion", "explain"):
        assert f"R021 '{field}' is still to be filled in: TODO" in shown
    assert "R006 expected at least one item" in shown


def test_nothing_is_scanned_with_a_rule_that_has_no_words_yet(folder: Path):
    new(NEW, folder, "--sub-label", "gambling.tips")
    with pytest.raises(RuleError, match="R006"):
        compile_rules(folder)


def test_a_rule_that_is_filled_in_has_no_placeholder(folder: Path):
    assert new(NEW, folder, "--sub-label", "gambling.tips") == 0
    path = folder / PACK
    text = path.read_text("utf-8").replace("any: []", "any: [slang]").replace("TODO ", "")
    path.write_text(text, encoding="utf-8")
    assert placeholders(folder) == []
    assert NEW in {each.id for each in compile_rules(folder, strict=False).rules}


def test_a_context_rule_is_scaffolded_in_its_own_form(folder: Path):
    assert new("context.en.news", folder, "--stance", "warn", "--policy", "drugs") == 0
    found = written(folder / "context" / "pack.yaml", "context.en.news")
    assert (found["policy"], found["stance"]) == ("drugs", "warn")
    assert not {"level", "sub_label"} & set(found)
    assert set(found["tests"]) == {"hit", "pass"}


def test_an_id_in_use_is_refused_with_its_place(folder: Path, capsys: pytest.CaptureFixture[str]):
    before = (folder / PACK).read_bytes()
    assert new("gambling.en.chips", folder) == 2
    assert f"is already used at {folder / PACK}:4" in capsys.readouterr().err
    assert (folder / PACK).read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gambling.slang"], "expected an id like gambling.zh.top-up"),
        (["fraud.en.slang"], "must start with one of porn, drugs, gambling, context"),
        ([NEW, "--stance", "warn"], "--stance: expected one of offer"),
        ([NEW, "--level", "high"], "--level: expected one of strong"),
        ([NEW, "--sub-label", "drugs.sale"], "--sub-label: expected one of gambling.promotion"),
        ([NEW, "--policy", "drugs"], "--policy: expected one of gambling"),
        (["context.en.slang", "--level", "weak"], "--level: a context rule has none"),
    ],
)
def test_what_cannot_be_right_is_refused(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    assert new(arguments[0], folder, *arguments[1:]) == 2
    assert message in capsys.readouterr().err


RULE = "  - id: gambling.en.a\n    title: t\n    any: [b]\n"
FILES = {
    "two spaces": f"schema: 1\npolicy: gambling\nrules:\n{RULE}",
    "no line break at the end": f"schema: 1\npolicy: gambling\nrules:\n{RULE}".rstrip(),
    "windows": f"schema: 1\npolicy: gambling\nrules:\n{RULE}".replace("\n", "\r\n"),
    "comments after": f"schema: 1\npolicy: gambling\nrules:\n{RULE}\n# the end\n",
    "no margin": f"schema: 1\npolicy: gambling\nrules:\n{RULE}".replace("\n  ", "\n"),
    "another key after": f"rules:\n{RULE}# of the file\nschema: 1\npolicy: gambling\n",
    "block text": f"rules:\n{RULE}    notes: |\n      two\n      lines\n"
    "schema: 1\npolicy: gambling",
    "comments between": f"# top\nschema: 1\npolicy: gambling\nrules:\n  # first\n{RULE}\n\n",
    "line separators": f"schema: 1 # a\u2028policy: gambling\nrules:\n{RULE}",
}


@pytest.mark.parametrize("name", FILES)
def test_every_other_byte_stays(folder: Path, name: str):
    path = folder / PACK
    before = FILES[name].encode()
    path.write_bytes(before)
    assert new(NEW, folder) == 0
    after = path.read_bytes()
    start = next(n for n in range(len(after)) if after[: n + 1] != before[: n + 1])
    added = len(after) - len(before)
    assert before == after[:start] + after[start + added :]
    content = yaml.safe_load(after.decode())
    assert [each["id"] for each in content["rules"]] == ["gambling.en.a", NEW]


@pytest.mark.parametrize(
    "text",
    [
        "schema: 1\npolicy: gambling\nrules: []\n",
        "schema: 1\npolicy: gambling\nrules: [{id: gambling.en.a}]\n",
        "schema: 1\npolicy: gambling\n",
        f"schema: 1\npolicy: gambling\nrules:\n{RULE}...\n",
    ],
)
def test_a_file_without_a_place_stays_as_it_is(
    folder: Path, text: str, capsys: pytest.CaptureFixture[str]
):
    path = folder / PACK
    path.write_text(text, encoding="utf-8")
    assert new(NEW, folder, "--file", PACK) == 2
    assert "name another --file" in capsys.readouterr().err
    assert path.read_text("utf-8") == text


def test_a_file_that_is_not_yaml_is_told_with_its_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / PACK).write_text("rules: [\n", encoding="utf-8")
    assert new(NEW, folder) == 2
    told = capsys.readouterr().err
    assert "gambling/pack.yaml:2:" in told
    assert "R002 not valid YAML" in told


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path):
    assert new(NEW, tmp_path / "none") == 2
