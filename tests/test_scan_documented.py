"""docs/cli.md names every option of scan and status, and every reason for a rejection."""

from pathlib import Path

import pytest
import typer

from moderation.cli.application import app
from moderation.scan.rows import REASONS

DOCS = Path(__file__).parents[1] / "docs"
CLI = (DOCS / "cli.md").read_text("utf-8")
COMMANDS = typer.main.get_command(app).commands


def section(name):
    start = CLI.index(f"## moderate {name}\n")
    return CLI[start : CLI.index("\n## ", start)]


@pytest.mark.parametrize("name", ["scan", "status"])
def test_every_option_is_documented(name):
    options = {o for p in COMMANDS[name].params for o in p.opts if p.param_type_name == "option"}
    missing = {o for o in options - {"--help", "-h"} if f"`{o}" not in section(name)}
    assert missing == set()


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_documented(reason):
    assert f"| `{reason}` |" in section("scan")
