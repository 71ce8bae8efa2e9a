"""docs/cli.md names every command about rules, and every option it has."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from moderation.cli.application import app

DOCS = (Path(__file__).parents[1] / "docs" / "cli.md").read_text("utf-8")
COMMANDS = typer.main.get_command(app).commands["rules"].commands  # type: ignore[attr-defined]


def section(name: str) -> str:
    """Return the part of the page about one command."""
    title = f"### moderate rules {name}\n"
    start = DOCS.index(title) if title in DOCS else DOCS.index("## moderate rules\n")
    end = DOCS.find("\n##", start + 3)
    return DOCS[start:end]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_is_documented(name: str):
    assert f"[`moderate rules {name}`]" in DOCS
    assert f"moderate rules {name}" in section(name)
    options = {o for p in COMMANDS[name].params for o in p.opts if p.param_type_name == "option"}
    missing = {option for option in options - {"--help", "-h"} if option not in section(name)}
    assert missing == set()
