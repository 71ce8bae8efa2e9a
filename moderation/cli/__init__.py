"""The command line: moderate. Each command lives in a module of its own and loads what it needs."""

from __future__ import annotations

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; see `moderation.cli.application`.

    Worker processes import this package as well, and run no command.
    """
    from moderation.cli.application import run

    return run(arguments)
