"""What a scan says on standard error while it runs and when it is done."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.scan import ScanSummary

__all__ = ["Progress", "describe", "rejected_line", "summary_line"]

_TERMINAL_SECONDS: Final = 0.2
_LOG_SECONDS: Final = 30.0
_CLEAR: Final = "\r\x1b[K"


def describe(summary: ScanSummary) -> str:
    """Return the counts so far: posts, speed and actions."""
    actions = ", ".join(f"{count:,} {action}" for action, count in summary.actions.items())
    return f"{_posts(summary)}, {summary.posts_per_second:,.0f} posts/s: {actions}"


def summary_line(summary: ScanSummary) -> str:
    """Return the line that ends a scan."""
    actions = ", ".join(f"{count:,} {action}" for action, count in summary.actions.items())
    errors = f"; {summary.with_error:,} with an error" if summary.with_error else ""
    return (
        f"{_posts(summary)} in {summary.seconds:.1f} s "
        f"({summary.posts_per_second:,.0f} posts/s): {actions}; "
        f"{summary.rejected:,} rejected{errors}"
    )


def rejected_line(summary: ScanSummary, path: Path) -> str | None:
    """Return how much was rejected and where the reasons are; None when nothing was."""
    counted = ((summary.rejected, "record"), (summary.failed_inputs, "input"))
    parts = [f"{count:,} {name}{'s' * (count != 1)}" for count, name in counted if count]
    return f"{' and '.join(parts)} rejected; the reasons are in {path}" if parts else None


def _posts(summary: ScanSummary) -> str:
    return f"{summary.posts:,} post{'s' * (summary.posts != 1)}"


class Progress:
    """One updating line on a terminal; elsewhere a line every 30 seconds of the scan."""

    def __init__(self, stream: TextIO, *, quiet: bool = False) -> None:
        self._stream = stream
        self._quiet = quiet
        self._terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._next = _TERMINAL_SECONDS if self._terminal else _LOG_SECONDS
        self._drawn = False

    def update(self, summary: ScanSummary) -> None:
        """Show the counts, if it is time."""
        if self._quiet or summary.seconds < self._next:
            return
        line = describe(summary)
        if self._terminal:
            self._next = summary.seconds + _TERMINAL_SECONDS
            columns = shutil.get_terminal_size().columns - 1
            self._stream.write(_CLEAR + line[:columns])
            self._stream.flush()
            self._drawn = True
        else:
            self._next = summary.seconds + _LOG_SECONDS
            self.say(line)

    def say(self, message: str) -> None:
        """Print a line of its own."""
        self.clear()
        self._stream.write(f"moderate: {message}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Remove the updating line."""
        if self._drawn:
            self._stream.write(_CLEAR)
            self._stream.flush()
            self._drawn = False
