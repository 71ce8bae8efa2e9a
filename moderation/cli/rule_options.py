"""What the commands about rules share: the folder they read, and how they name packs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Folder", "Level", "Rules", "check_choice", "check_pack", "rules_folder"]

Folder = Annotated[
    Path | None,
    typer.Argument(help="Rules folder; default: the shipped rules.", show_default=False),
]
Rules = Annotated[
    Path | None,
    typer.Option("--rules", help="Rules folder; default: the shipped rules.", show_default=False),
]
Level = Annotated[
    str,
    typer.Option("--level", help="Matches from this level on count: weak, medium or strong."),
]


def rules_folder(folder: Path | None) -> Path:
    """Return a rules folder that was named, or the shipped one."""
    from moderation.resources import data_root

    return data_root() / "rules" if folder is None else folder


def check_pack(policy: str | None) -> None:
    """Raise ConfigError unless a pack is one of the policies or context."""
    from moderation.types import POLICIES

    check_choice("policy", policy, (*POLICIES, "context"))


def check_choice(what: str, value: str | None, known: tuple[str, ...]) -> None:
    """Raise ConfigError unless a value is None or one of those known."""
    from moderation.errors import ConfigError

    if value is not None and value not in known:
        raise ConfigError(f"unknown {what} {value!r}; known: {', '.join(known)}")
