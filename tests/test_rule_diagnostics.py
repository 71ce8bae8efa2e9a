"""Golden diagnostics: a folder of broken rules for every code, and what is said of it.

`UPDATE_GOLDEN=1 pytest tests/test_rule_diagnostics.py` writes the expectations anew.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from rule_support import write_rules

import moderation
from moderation.decide import load_profiles
from moderation.errors import RuleError
from moderation.rules.lint import lint_rules
from moderation.rules.placeholders import placeholders

GOLDEN = Path(__file__).parent / "golden" / "rules"
CASES = sorted(path.name for path in GOLDEN.iterdir())
PACKAGE = Path(moderation.__file__).parent
DOCS = Path(__file__).parent.parent / "docs" / "rules.md"


def said_of(case: str, folder: Path) -> list[str]:
    """Return every diagnostic of a case laid over a sound rules folder."""
    rules = write_rules(folder)
    shutil.copytree(GOLDEN / case, rules, dirs_exist_ok=True)
    counts: dict[str, int] = {}
    if (rules / "ordinary.txt").is_file():
        rows = (rules / "ordinary.txt").read_text("utf-8").split("\n")
        counts = {term: int(count) for term, _, count in (r.partition(" ") for r in rows) if term}
    found = []
    for read in (
        lambda: placeholders(rules),
        lambda: lint_rules(rules, counts.get if counts else None).diagnostics,
        lambda: load_profiles(rules) and (),
    ):
        try:
            found += read()
        except RuleError as error:
            found += error.diagnostics
    return [re.sub(r"takes \d+ ms", "takes N ms", str(d)) for d in found]


@pytest.mark.parametrize("case", CASES)
def test_broken_rules_are_told_with_file_line_column_and_code(case: str, tmp_path: Path):
    found = "".join(f"{line}\n" for line in said_of(case, tmp_path))
    expected = GOLDEN / case / "expected.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(found, encoding="utf-8")
    assert found == expected.read_text("utf-8")
    assert case.partition("-")[0] in found


def raised_codes() -> set[str]:
    """Return every code that the package's source names."""
    sources = [*PACKAGE.joinpath("rules").glob("*.py"), *PACKAGE.joinpath("decide").glob("*.py")]
    text = "".join(path.read_text("utf-8") for path in sources)
    return set(re.findall(r'"([RL]\d\d\d)"', text))


def test_every_code_has_a_golden_case():
    assert raised_codes() == {case.partition("-")[0] for case in CASES}


def test_every_code_is_in_the_documentation():
    documented = set(re.findall(r"^\| ([RL]\d\d\d) \|", DOCS.read_text("utf-8"), re.M))
    assert documented == raised_codes()
