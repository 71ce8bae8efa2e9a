"""Totals: what a resumable scan has done, over all its shards, units and runs."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moderation.scan.rows import INPUT_CHANGED, UNREADABLE_INPUT
from moderation.scan.runner import ScanSummary
from moderation.scan.statistics import Statistics, merged
from moderation.types import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from moderation.scan.plan import Shard
    from moderation.scan.spool import Checkpoint
    from moderation.scan.unit import Tick

__all__ = ["Totals", "input_failures"]


def input_failures(statistics: dict[str, Any]) -> int:
    """Return how many of the rejections are about inputs, not records."""
    rejected = statistics["rejected"]
    return sum(rejected.get(reason, 0) for reason in (INPUT_CHANGED, UNREADABLE_INPUT))


class Totals:
    """What a scan has done, over all its shards, units and runs."""

    def __init__(
        self,
        shards: Sequence[Shard],
        points: Mapping[tuple[int, int], Checkpoint],
        finished: Collection[int],
        counted: Sequence[dict[str, Any]],
    ) -> None:
        """Start from what earlier runs have done.

        Args:
            shards: all of them.
            points: checkpoints of the units of those that are not finished.
            finished: numbers of those that are.
            counted: statistics of those.
        """
        self._started = time.perf_counter()
        known = [*counted]
        known += [p.statistics for p in points.values() if p.statistics is not None]
        total = Statistics().to_dict()
        for statistics in known:
            total = merged(total, statistics)
        self._actions = [total["actions"][name] for name in ACTIONS]
        self._with_error = total["with_error"]
        failures = input_failures(total)
        self._rejected = sum(total["rejected"].values()) - failures
        self._earlier = total["posts"]
        sizes = {shard.number: shard.bytes for shard in shards}
        self._bytes = sum(sizes[number] for number in finished)
        self._bytes += sum(point.bytes_read for point in points.values())
        self._bytes_earlier = self._bytes
        whole = all(shard.state is not None for shard in shards)
        self._bytes_total = sum(sizes.values()) if whole else 0

    def add(self, tick: Tick) -> None:
        """Count what a unit has done."""
        for at, count in enumerate(tick.actions):
            self._actions[at] += count
        self._with_error += tick.with_error
        self._rejected += tick.rejected
        self._bytes += tick.bytes_read

    def summary(self) -> ScanSummary:
        """Return the counts so far."""
        return ScanSummary(
            posts=sum(self._actions),
            actions=dict(zip(ACTIONS, self._actions, strict=True)),
            with_error=self._with_error,
            rejected=self._rejected,
            seconds=time.perf_counter() - self._started,
            earlier=self._earlier,
            bytes_done=self._bytes,
            bytes_total=self._bytes_total,
            bytes_earlier=self._bytes_earlier,
        )

    def final(
        self, statistics: dict[str, Any], failed: int, unseen: tuple[str, ...]
    ) -> ScanSummary:
        """Return the counts of the finished scan.

        Args:
            statistics: of all its shards.
            failed: shards that could not be read to their end, or not be trusted.
            unseen: text fields that no record had.
        """
        posts = statistics["posts"]
        failures = input_failures(statistics)
        return replace(
            self.summary(),
            posts=posts,
            actions=dict(statistics["actions"]),
            with_error=statistics["with_error"],
            rejected=sum(statistics["rejected"].values()) - failures,
            failed_inputs=failed,
            absent_fields=unseen if posts else (),
        )
