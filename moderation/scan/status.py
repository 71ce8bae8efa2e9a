"""Status: how far a scan has come, read from what it has written."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moderation.errors import ConfigError
from moderation.scan.durable import read_json
from moderation.scan.layout import Layout
from moderation.scan.manifest import Manifest
from moderation.scan.spool import read_checkpoint
from moderation.scan.state import is_running
from moderation.scan.statistics import Statistics, merged
from moderation.scan.totals import input_failures

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ScanStatus", "read_status"]


@dataclass(frozen=True, slots=True)
class ScanStatus:
    """What a running, stopped or finished scan has done by its last checkpoints."""

    state: str
    """running, stopped, finished, or failed: finished, but for inputs that could not be read."""
    inputs: int
    inputs_done: int
    inputs_failed: tuple[str, ...]
    """Names of the inputs that could not be read to their end, or not be trusted."""
    bytes_done: int
    bytes_total: int
    statistics: dict[str, Any]
    """See `moderation.scan.statistics`."""
    posts_per_second: float | None
    """Of the present run; None where none is running."""
    seconds_left: float | None
    seconds_since_checkpoint: float | None

    @property
    def rejected(self) -> int:
        """Records without a verdict."""
        reasons: dict[str, int] = self.statistics["rejected"]
        return sum(reasons.values()) - input_failures(self.statistics)

    def to_dict(self) -> dict[str, Any]:
        """Return plain objects."""
        return {
            "state": self.state,
            "inputs": self.inputs,
            "inputs_done": self.inputs_done,
            "inputs_failed": list(self.inputs_failed),
            "bytes_done": self.bytes_done,
            "bytes_total": self.bytes_total,
            "posts_per_second": self.posts_per_second,
            "seconds_left": self.seconds_left,
            "seconds_since_checkpoint": self.seconds_since_checkpoint,
            "statistics": self.statistics,
        }


def read_status(output: Path) -> ScanStatus:
    """Return how far the scan into a file or folder has come.

    Raises:
        ConfigError: no resumable scan is or was writing there, or it left no state.
    """
    layout = Layout.of_folder(output) if output.is_dir() else Layout.of_file(output, output)
    found = read_json(layout.manifest)
    if found is None:
        if output.is_file():
            raise ConfigError(f"{output}: is complete, or no scan made it; there is no state left")
        raise ConfigError(f"{output}: expected the output of a scan, found none")
    manifest = Manifest.from_dict(found, layout.manifest)
    running = is_running(layout)  # before the counts, which may be complete a moment later
    statistics = Statistics().to_dict()
    done, bytes_done = 0, 0
    failed: list[str] = []
    latest = 0.0
    for entry in manifest.inputs:
        marker = layout.marker(entry["shard"])
        content = read_json(marker)
        if content is not None:
            statistics = merged(statistics, content["statistics"])
            done += 1
            bytes_done += entry["bytes"] or 0
            latest = max(latest, _modified(marker))
            if content["status"] != "done":
                failed.append(entry["source"])
            continue
        for path in sorted(layout.work.glob(f"{entry['shard']:05d}-*.json")):
            point = read_checkpoint(path)
            bytes_done += point.bytes_read
            latest = max(latest, _modified(path))
            if point.statistics is not None:
                statistics = merged(statistics, point.statistics)
    state = "running" if running else "stopped"
    if not running and done == len(manifest.inputs) and not layout.work.exists():
        state = "failed" if failed else "finished"
    sizes = [entry["bytes"] for entry in manifest.inputs]
    total = 0 if None in sizes else sum(sizes)
    speed, left = (
        _speed(layout, statistics["posts"], bytes_done, total) if running else (None, None)
    )
    return ScanStatus(
        state,
        len(manifest.inputs),
        done,
        tuple(failed),
        bytes_done,
        total,
        statistics,
        speed,
        left,
        round(time.time() - latest, 1) if latest and state in {"running", "stopped"} else None,
    )


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # replaced by its shard's marker just now
        return 0.0


def _speed(layout: Layout, posts: int, done: int, total: int) -> tuple[float | None, float | None]:
    """Return posts a second of the present run, and the seconds that the rest will take."""
    note = read_json(layout.run)
    if note is None:
        return None, None
    seconds = time.time() - note["started"]
    speed = (posts - note["posts"]) / seconds if seconds > 0 else 0.0
    read = done - note["bytes"]
    left = (total - done) * seconds / read if read > 0 and total else None
    return round(speed, 1), None if left is None else round(left, 1)
