"""The typer application, its exit codes, and what happens to errors."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from moderation.cli.exits import EXIT_INTERRUPTED, EXIT_USAGE
from moderation.errors import ModerationError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["app", "run"]

app: typer.Typer
"""The application with every command; made when it is asked for."""

_COMMANDS: Final = {
    "explain": ("explain", "explain"),
    "eval": ("evaluate", "evaluate"),
    "redact": ("redact", "redact"),
    "report": ("report", "report"),
    "sample": ("sample", "sample"),
    "adapt": ("adapt", "adapt"),
    "calibrate": ("adapt", "calibrate"),
    "scan": ("scan", "scan"),
    "status": ("status", "status"),
    "rules": ("rules", "app"),
    "models": ("models", "app"),
}
"""For each command its module and what it is called there, in the order of the help."""


def _application(names: Iterable[str]) -> typer.Typer:
    """Return the application with some commands: one is loaded in half the time of all."""
    made = typer.Typer(
        name="moderate",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help=_options.__doc__,
    )
    made.callback()(_options)
    for name in names:
        module, called = _COMMANDS[name]
        found = getattr(importlib.import_module(f"moderation.cli.{module}"), called)
        if isinstance(found, typer.Typer):
            made.add_typer(found, name=name)
        else:
            made.command(name)(found)
    return made


def __getattr__(name: str) -> Any:
    if name == "app":
        return _application(_COMMANDS)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    import onnxruntime

    from moderation import __version__
    from moderation.classifier import cuda_problem, model_reference, read_manifest
    from moderation.resources import data_root
    from moderation.rules import rules_digest
    from moderation.text.native import kernel

    root = data_root()
    typer.echo(f"moderation-engine {__version__}")
    typer.echo(f"rules {rules_digest(root / 'rules')}")
    typer.echo(f"model {model_reference(*read_manifest(root / 'models' / 'default'))}")
    provider = "CPUExecutionProvider" if cuda_problem() else "CUDAExecutionProvider"
    typer.echo(f"onnxruntime {onnxruntime.__version__} {provider}")
    typer.echo(f"kernel {'reference' if kernel is None else 'native'}")
    raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Show package, rules and model digests, onnxruntime, provider and kernel.",
        ),
    ] = False,
) -> None:
    """Score Chinese and English posts against three policies: pornography, drugs, gambling."""


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 done; 1 violations were found and --fail-on asked; 2 usage, configuration or internal error;
    3 finished, but records were rejected; 130 interrupted. A broken pipe is 0.
    """
    given = sys.argv[1:] if arguments is None else arguments
    asked = given[:1] if given and given[0] in _COMMANDS else _COMMANDS
    command = typer.main.get_command(_application(asked))
    try:
        # Not app(): that turns an interrupt and a broken pipe into exits of its own.
        with command.make_context("moderate", given) as context:
            result: Any = command.invoke(context)
        sys.stdout.flush()
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
    except Exception as error:  # noqa: BLE001  (the last line of defence: a bug is exit code 2)
        show = getattr(error, "show", None)  # a usage error knows how to print itself
        if show is None:
            import traceback

            traceback.print_exc()
            return EXIT_USAGE
        show()
        return int(getattr(error, "exit_code", EXIT_USAGE))
    return result if isinstance(result, int) else 0
