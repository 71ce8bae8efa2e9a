"""docs/cli.md names every option of moderate report and moderate redact."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from moderation.cli.application import app

DOCS = (Path(__file__).parents[1] / "docs" / "cli.md").read_text("utf-8")
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["redact", "report"])
def test_the_command_and_every_option_is_documented(name: str):
    assert f"[`moderate {name}`](#moderate-{name})" in DOCS
    section = DOCS.split(f"\n## moderate {name}\n")[1].split("\n## ")[0]
    options = {o for p in COMMANDS[name].params for o in p.opts if p.param_type_name == "option"}
    assert {option for option in options - {"--help", "-h"} if f"`{option}" not in section} == set()
