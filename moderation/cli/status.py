"""moderate status: how far a scan has come."""

from __future__ import annotations

import sys
from enum import StrEnum, auto
from pathlib import Path  # noqa: TC003  (typer reads it)
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from moderation.scan.status import ScanStatus

__all__ = ["status"]

_STATES = {
    "running": "running",
    "stopped": "stopped; moderate scan … --resume goes on with it",
    "finished": "finished",
    "failed": "finished, but for inputs that could not be read; --resume tries them again",
}


class _Format(StrEnum):
    TEXT = auto()
    JSON = auto()


def status(
    output: Annotated[Path, typer.Argument(help="Output file or folder of moderate scan.")],
    form: Annotated[
        _Format, typer.Option("--format", help="Text, or JSON with every count.")
    ] = _Format.TEXT,
) -> int:
    """Say how far a running or stopped scan has come, by its last checkpoints."""
    import orjson

    from moderation.scan.status import read_status

    found = read_status(output)
    if form == _Format.JSON:
        sys.stdout.write(orjson.dumps(found.to_dict()).decode() + "\n")
    else:
        sys.stdout.write("".join(f"{name:<12}{value}\n" for name, value in _lines(found)))
    return 0


def _lines(found: ScanStatus) -> list[tuple[str, str]]:
    from moderation.cli.progress import duration

    counts = found.statistics
    inputs = f"{found.inputs_done:,} of {found.inputs:,} done"
    if found.inputs_failed:
        inputs += f", {len(found.inputs_failed):,} of them failed"
    lines = [("state", _STATES[found.state]), ("inputs", inputs)]
    lines += [("failed", name.encode("utf-8", "replace").decode()) for name in found.inputs_failed]
    if found.bytes_total:
        share = 100 * found.bytes_done / found.bytes_total
        lines.append(("read", f"{share:.0f} % of {found.bytes_total:,} bytes"))
    actions = ", ".join(f"{count:,} {name}" for name, count in counts["actions"].items())
    lines.append(("posts", f"{counts['posts']:,}: {actions}"))
    lines.append(("rejected", f"{found.rejected:,}"))
    if found.posts_per_second is not None:
        speed = f"{found.posts_per_second:,.0f} posts/s"
        if found.seconds_left is not None:
            speed += f", {duration(found.seconds_left)} left"
        lines.append(("speed", speed))
    if found.seconds_since_checkpoint is not None:
        ago = duration(max(found.seconds_since_checkpoint, 0))
        lines.append(("checkpoint", f"{ago} ago"))
    return lines
