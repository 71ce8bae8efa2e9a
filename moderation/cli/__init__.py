"""The command line: moderate. Each command lives in a module of its own and loads what it needs."""

from __future__ import annotations

import gc
from typing import Final

__all__ = ["main"]

_NEW_OBJECTS: Final = 50_000
"""After so many garbage is looked for; rules are hundreds of thousands, and none is garbage."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; see `moderation.cli.application`.

    Worker processes import this package as well, and run no command.
    """
    from moderation.cli.application import run

    if arguments is None:  # the process is ours: what it loads, it keeps to its end
        gc.set_threshold(_NEW_OBJECTS)
    return run(arguments)
