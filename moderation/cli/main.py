"""The typer application, its exit codes, and what happens to errors."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, Final

import typer

from moderation.cli import rules
from moderation.cli.exits import EXIT_INTERRUPTED, EXIT_USAGE
from moderation.errors import ModerationError

__all__ = ["app", "main"]

app = typer.Typer(
    name="moderate",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Score Chinese and English posts against three policies: pornography, drugs, gambling.",
)
app.add_typer(rules.app, name="rules")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 done; 1 violations were found and --fail-on asked; 2 usage, configuration or internal error;
    3 finished, but records were rejected; 130 interrupted. A broken pipe is 0.
    """
    try:
        result: Any = app(arguments, standalone_mode=False)
    except typer.Exit as stop:
        return int(stop.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("moderate: interrupted\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has gone; keep Python from complaining when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ModerationError as error:
        sys.stderr.write(f"moderate: {error}\n")
        return EXIT_USAGE
    except Exception as error:
        show = getattr(error, "show", None)  # a usage error knows how to print itself
        if show is None:
            import traceback

            traceback.print_exc()
            return EXIT_USAGE
        show()
        return int(getattr(error, "exit_code", EXIT_USAGE))
    return result if isinstance(result, int) else 0
