"""Posts for the commands about rules: what scan reads, with rejections told on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from moderation.scan import Rejection

__all__ = ["Fields", "IdField", "InputFormat", "Rejections"]

_TOLD: Final = 20

Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--text-field", help="Field with the text; repeat it to join several. Default: text."
    ),
]
IdField = Annotated[str, typer.Option("--id-field", help="Field with the post's id.")]
InputFormat = Annotated[
    str | None,
    typer.Option(
        "--input-format",
        help="jsonl, csv, parquet or arrow: of standard input (default: jsonl) and of unknown "
        "extensions.",
    ),
]


class Rejections:
    """Counts the records and inputs that were left out; names the first of them."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, rejection: Rejection) -> None:
        """Count one, and say why while they are few."""
        self.count += 1
        if self.count > _TOLD:
            return
        at = f":{rejection.line}" if rejection.line is not None else ""
        where = f"{rejection.source}{at}: {rejection.reason}: {rejection.detail}"
        sys.stderr.write(f"moderate: {where}\n")

    def exit_code(self) -> int:
        """Return what the command ends with, after saying how many were left out."""
        from moderation.cli.exits import EXIT_REJECTED

        if not self.count:
            return 0
        sys.stderr.write(f"moderate: {self.count:,} rejected\n")
        return EXIT_REJECTED
