"""What a scan says on standard error while it runs and when it is done."""

from __future__ import annotations

import json
import os
import shutil
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from pathlib import Path

    from moderation.scan import ScanSummary

__all__ = ["Progress", "describe", "duration", "rejected_line", "summary_line"]

_TERMINAL_SECONDS: Final = 0.2
_LOG_SECONDS: Final = 30.0
_CLEAR: Final = "\r\x1b[K"


def describe(summary: ScanSummary) -> str:
    """Return the counts so far: posts, speed, actions, and how much is left."""
    actions = ", ".join(f"{count:,} {action}" for action, count in summary.actions.items())
    line = f"{_posts(summary)}, {summary.posts_per_second:,.0f} posts/s: {actions}"
    if summary.rejected:
        line += f", {summary.rejected:,} rejected"
    if summary.bytes_total:
        line += f"; {100 * summary.bytes_done / summary.bytes_total:.0f} %"
    left = summary.seconds_left
    return line if left is None else f"{line}, {duration(left)} left"


def duration(seconds: float) -> str:
    """Return a time in the unit that fits it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def summary_line(summary: ScanSummary) -> str:
    """Return the line that ends a scan."""
    actions = ", ".join(f"{count:,} {action}" for action, count in summary.actions.items())
    errors = f"; {summary.with_error:,} with an error" if summary.with_error else ""
    if summary.earlier:
        errors += f"; {summary.earlier:,} were scored before this run"
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

    def __init__(self, stream: TextIO, *, quiet: bool = False, as_json: bool = False) -> None:
        """Name where the lines go.

        Args:
            stream: standard error.
            quiet: no progress, only what is said.
            as_json: one JSON object a line, never an updating one.
        """
        self._stream = stream
        self._quiet = quiet
        self._json = as_json
        dumb = os.environ.get("TERM") == "dumb"
        self._terminal = stream.isatty() and not dumb and not as_json
        self._next = _TERMINAL_SECONDS if self._terminal else _LOG_SECONDS
        self._started = time.perf_counter()
        self._drawn = False

    def update(self, summary: ScanSummary) -> None:
        """Show the counts, if it is time."""
        if self._is_time(summary.seconds):
            self._show("progress", describe(summary), _counts(summary))

    def planning(self, done: int, total: int) -> None:
        """Show how far the inputs were read for their digests, if it is time."""
        if self._is_time(time.perf_counter() - self._started):
            share = 100 * done / max(total, 1)
            self._show("planning", f"reading the inputs for their digests: {share:.0f} %", {})

    def finish(self, summary: ScanSummary) -> None:
        """Print the line that ends a scan."""
        self.say(summary_line(summary), "done", _counts(summary))

    def say(self, message: str, event: str = "message", more: dict[str, Any] | None = None) -> None:
        """Print a line of its own."""
        self.clear()
        if self._json:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            row = {"time": now, "event": event, "message": message, **(more or {})}
            self._stream.write(json.dumps(row) + "\n")
        else:
            self._stream.write(f"moderate: {message}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Remove the updating line."""
        if self._drawn:
            self._stream.write(_CLEAR)
            self._stream.flush()
            self._drawn = False

    def _is_time(self, seconds: float) -> bool:
        if self._quiet or seconds < self._next:
            return False
        self._next = seconds + (_TERMINAL_SECONDS if self._terminal else _LOG_SECONDS)
        return True

    def _show(self, event: str, line: str, more: dict[str, Any]) -> None:
        if not self._terminal:
            self.say(line, event, more)
            return
        columns = shutil.get_terminal_size().columns - 1
        self._stream.write(_CLEAR + line[:columns])
        self._stream.flush()
        self._drawn = True


def _counts(summary: ScanSummary) -> dict[str, Any]:
    left = summary.seconds_left
    return {
        "posts": summary.posts,
        "actions": summary.actions,
        "with_error": summary.with_error,
        "rejected": summary.rejected,
        "failed_inputs": summary.failed_inputs,
        "seconds": round(summary.seconds, 3),
        "posts_per_second": round(summary.posts_per_second, 1),
        "bytes_done": summary.bytes_done,
        "bytes_total": summary.bytes_total,
        "seconds_left": None if left is None else round(left, 1),
    }
