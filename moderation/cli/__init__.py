"""The command line: moderate. Each command lives in a module of its own and loads what it needs."""

from moderation.cli.main import main

__all__ = ["main"]
