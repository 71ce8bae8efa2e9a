"""Resumable scans: shards to files, exactly once, whatever stops them on the way."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from moderation.errors import ConfigError, ModerationError
from moderation.scan.assemble import Assembly, Growing, assemble_errors, join_files
from moderation.scan.durable import explaining, json_bytes, read_json, sync_folder, write_whole
from moderation.scan.manifest import Manifest
from moderation.scan.plan import plan_shards
from moderation.scan.rows import INPUT_CHANGED
from moderation.scan.spool import Checkpoint, read_checkpoint
from moderation.scan.state import forget, forget_other_units, locked
from moderation.scan.statistics import Statistics, merged
from moderation.scan.totals import Totals
from moderation.scan.unit import StoppedError, Tick, UnitTask, Work, scan_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from moderation.scan.interrupt import Interrupt
    from moderation.scan.layout import Layout
    from moderation.scan.plan import Shard, Unit
    from moderation.scan.rejections import Rejection
    from moderation.scan.runner import ScanSummary
    from moderation.scan.source import Source
    from moderation.scan.workers import Worker

__all__ = ["Listener", "ResumableScan"]


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told how a scan goes."""

    progress: Callable[[ScanSummary], None]
    rejection: Callable[[Rejection], None]
    say: Callable[[str], None]
    planning: Callable[[int, int], None]
    """Bytes read for the digests of the inputs, and their number."""


class ResumableScan:
    """One scan of some inputs into a folder of part files, or into one file."""

    def __init__(
        self,
        layout: Layout,
        work: Work,
        listener: Listener,
        interrupt: Interrupt,
        *,
        jobs: int = 1,
        max_errors: int | None = None,
        ahead: Sequence[Worker] = (),
    ) -> None:
        """Describe a scan.

        Args:
            layout: where the results go.
            work: engine and options.
            listener: who is told how it goes.
            interrupt: says when to stop.
            jobs: processes; 1 scores in this one.
            max_errors: rejected records that are one too few to stop; None: any number.
            ahead: workers that were started before, up to `jobs`.
        """
        self._ahead = ahead
        self._layout = layout
        self._work = work
        self._listener = listener
        self._interrupt = interrupt
        self._jobs = jobs
        self._max_errors = max_errors
        self._shards: list[Shard] = []
        self._points: dict[tuple[int, int], Checkpoint] = {}
        self._markers: set[int] = set()
        """Shards that are finished."""
        self._growing: dict[int | None, Growing] = {}
        """Parts by shard, or the single output (None): they grow while units are at work."""

    def run(self, sources: Sequence[Source], earlier: Manifest | None) -> ScanSummary:
        """Score what is left to score, and finish.

        Args:
            sources: the inputs, checked.
            earlier: what the scan to be resumed was started with; None starts anew.

        Raises:
            ConfigError: another scan is writing there, or `earlier` was started with something
                else.
            StoppedError: interrupted; the state is saved.
            ModerationError: a result cannot be written, or too many records were rejected.
        """
        with locked(self._layout):
            self._prepare(sources, earlier)
            self._note_start()
            try:
                self._score()
                return self._finish()
            finally:
                for growing in self._growing.values():
                    growing.drop()

    @property
    def can_resume(self) -> bool:
        """Say whether every input can be read again."""
        return all(shard.state is not None for shard in self._shards)

    def discard(self) -> None:
        """Remove what was written, where it is of no use."""
        with locked(self._layout):
            forget(self._layout)
        shutil.rmtree(self._layout.work, ignore_errors=True)
        if self._layout.file is not None:
            shutil.rmtree(self._layout.home, ignore_errors=True)

    def _prepare(self, sources: Sequence[Source], earlier: Manifest | None) -> None:
        """Take the digests, compare them with the earlier scan's, and save the manifest."""
        layout, work = self._layout, self._work
        self._shards = plan_shards(sources, self._listener.planning, work.options)
        manifest = Manifest.of(work.moderator, work.options, work.spec, self._shards)
        if earlier is None:
            forget(layout)
        else:
            self._check_same(manifest, earlier)
            for name in forget_other_units(layout, self._shards, earlier):
                self._listener.say(
                    f"{name}: the scan was started with other units of it; it is scanned from its "
                    "start"
                )
        with explaining(layout.markers):
            layout.markers.mkdir(exist_ok=True)
        if earlier is None or manifest != earlier:
            write_whole(layout.manifest, json_bytes(manifest.to_dict()))
        counted: list[dict[str, Any]] = []
        for shard in self._shards:
            marker = read_json(layout.marker(shard.number))
            if marker is not None and self._is_finished(shard, marker):
                self._markers.add(shard.number)
                counted.append(marker["statistics"])
                continue
            if marker is not None:
                self._forget_shard(shard)
            for unit in shard.units:
                key = (shard.number, unit.number)
                self._points[key] = read_checkpoint(layout.unit(*key).checkpoint)
        self._totals = Totals(self._shards, self._points, self._markers, counted)

    def _check_same(self, manifest: Manifest, earlier: Manifest) -> None:
        if not self.can_resume:
            raise ConfigError("--resume: an input is a pipe, which cannot be read a second time")
        retried = frozenset(s.number for s in self._shards if self._has_failed(s))
        differences = manifest.differences(earlier, retried)
        if differences:
            name = self._layout.shown
            told = "".join(f"\n  {difference}" for difference in differences)
            raise ConfigError(
                f"{name}: --resume: not what the scan was started with; --force starts again{told}"
            )

    def _has_failed(self, shard: Shard) -> bool:
        marker = read_json(self._layout.marker(shard.number))
        if marker is not None:
            return bool(marker["status"] != "done")
        files = (self._layout.unit(shard.number, unit.number) for unit in shard.units)
        return any(read_checkpoint(f.checkpoint).failed is not None for f in files)

    def _is_finished(self, shard: Shard, marker: dict[str, Any]) -> bool:
        """Say whether a marked shard needs no further look: it was read to its end, and is there.

        One that failed is scanned again: what kept it from being read may be gone.
        """
        if marker["status"] != "done" or marker["sha256"] != shard.sha256:
            return False
        part = marker["part"]
        if part is None:
            files = (self._layout.unit(shard.number, unit.number) for unit in shard.units)
            return all(f.rows.is_file() for f in files)
        path = self._layout.home / str(part["name"])
        return path.is_file() and bool(path.stat().st_size == part["bytes"])

    def _forget_shard(self, shard: Shard) -> None:
        with explaining(self._layout.home):
            self._layout.success.unlink(missing_ok=True)
            self._remove_units(shard)
            # The marker goes last: until then the shard counts as one to be scanned again.
            self._layout.marker(shard.number).unlink(missing_ok=True)

    def _remove_units(self, shard: Shard) -> None:
        for unit in shard.units:
            files = self._layout.unit(shard.number, unit.number)
            for path in (files.checkpoint, files.rows, files.errors):
                path.unlink(missing_ok=True)

    def _note_start(self) -> None:
        """Save what `moderate status` needs to tell the speed of this run, and its units."""
        summary = self._totals.summary()
        note = {
            "pid": os.getpid(),
            "started": time.time(),
            "posts": summary.posts,
            "bytes": summary.bytes_done,
            "cuts": [shard.cut for shard in self._shards],
        }
        write_whole(self._layout.run, json_bytes(note))

    def _score(self) -> None:
        left = [
            UnitTask(unit, self._layout.unit(shard.number, unit.number))
            for shard in self._shards
            if shard.number not in self._markers
            for unit in shard.units
            if not self._points[shard.number, unit.number].done
        ]
        if self._layout.file is not None:
            self._begin(None, self._layout.file, self._shards)
        for shard in self._shards:
            self._close_if_done(shard)
        if self._jobs == 1 or not self.can_resume:
            self._score_here(left)
            return
        from moderation.scan.workers import run_in_workers

        run_in_workers(
            self._work,
            left,
            self._jobs,
            stopping=self._interrupt.stopping,
            report=self._hear,
            finished=lambda task, point: self._done(task.unit, point),
            say=self._listener.say,
            ahead=self._ahead,
        )

    def _score_here(self, tasks: Sequence[UnitTask]) -> None:
        for task in tasks:
            if self._interrupt.stopping():
                raise StoppedError("stopped")
            waiting = self._interrupt.waiting if task.unit.state is None else None
            stopping = self._interrupt.stopping
            point = scan_unit(
                self._work, task, stopping=stopping, report=self._hear, waiting=waiting
            )
            self._done(task.unit, point)

    def _hear(self, tick: Tick) -> None:
        self._totals.add(tick)
        for rejection in tick.told:
            self._listener.rejection(rejection)
        summary = self._totals.summary()
        if self._max_errors is not None and summary.rejected > self._max_errors:
            raise ModerationError(
                f"stopped: expected at most {self._max_errors:,} rejected records (--max-errors), "
                f"found {summary.rejected:,}; with a higher limit --resume goes on"
            )
        self._listener.progress(summary)

    def _done(self, unit: Unit, point: Checkpoint) -> None:
        self._points[unit.shard, unit.number] = point
        shard = self._shards[unit.shard]
        if self._layout.file is None and shard.number not in self._growing:
            self._begin(shard.number, self._part(shard), [shard])
        growing = self._growing[None if self._layout.file is not None else shard.number]
        growing.add([self._rows(unit)])
        self._close_if_done(shard)

    def _begin(self, key: int | None, target: Path, shards: Sequence[Shard]) -> None:
        """Begin an output of some shards, with the rows of theirs that are whole."""
        temporary = self._layout.temporary("output" if key is None else target.name)
        assembly = Assembly(target, temporary, self._work.spec)
        units = [unit for shard in shards for unit in shard.units]
        self._growing[key] = Growing(assembly, map(self._rows, units))
        self._growing[key].add(self._rows(unit) for unit in units if self._is_whole(unit))

    def _rows(self, unit: Unit) -> Path:
        return self._layout.unit(unit.shard, unit.number).rows

    def _is_whole(self, unit: Unit) -> bool:
        return unit.shard in self._markers or self._points[unit.shard, unit.number].done

    def _part(self, shard: Shard) -> Path:
        spec = self._work.spec
        return self._layout.part(shard.number, spec.format, spec.compression)

    def _close_if_done(self, shard: Shard) -> None:
        """Turn the units of a shard into its part, errors and marker, once they are all done."""
        if shard.number in self._markers:
            return
        keys = [(shard.number, unit.number) for unit in shard.units]
        points = [self._points[key] for key in keys]
        if not all(point.done for point in points):
            return
        layout, number = self._layout, shard.number
        files = [layout.unit(number, unit.number) for unit in shard.units]
        changed = [at for at, point in enumerate(points) if point.failed == INPUT_CHANGED]
        if changed:  # what was read is of two files, or of one that nobody knows
            files, points = files[changed[0] : changed[0] + 1], points[changed[0] : changed[0] + 1]
        spools = list(zip((f.errors for f in files), _records_before(shard, points), strict=False))
        errors = layout.shard_errors(number)
        only = INPUT_CHANGED if changed else None
        assemble_errors(spools, errors, layout.temporary(f"{number:05d}.errors"), only)
        statistics = Statistics().to_dict()
        for point in points:
            assert point.statistics is not None
            statistics = merged(statistics, point.statistics)
        if changed:
            statistics = merged(Statistics().to_dict(), {"rejected": {INPUT_CHANGED: 1}})
        failed = [point.failed for point in points if point.failed is not None]
        marker = {
            "shard": number,
            "source": shard.source.name,
            "sha256": shard.sha256,
            "status": "failed" if failed else "done",
            "reason": failed[0] if failed else None,
            "part": None if changed else self._write_part(shard),
            "records": 0 if changed else sum(point.records for point in points),
            "fields_seen": sorted({name for point in points for name in point.fields_seen}),
            "statistics": statistics,
        }
        write_whole(layout.marker(number), json_bytes(marker))
        self._markers.add(number)
        for key in keys:
            del self._points[key]
        if layout.file is None:
            self._remove_units(shard)

    def _write_part(self, shard: Shard) -> dict[str, Any] | None:
        if self._layout.file is not None:
            return None
        target = self._part(shard)
        if shard.number not in self._growing:  # an earlier run has scored all of it
            self._begin(shard.number, target, [shard])
        size, digest = self._growing.pop(shard.number).finish(list(map(self._rows, shard.units)))
        return {"name": target.name, "bytes": size, "sha256": digest}

    def _finish(self) -> ScanSummary:
        """Write what stands for the whole scan; `_SUCCESS` comes last."""
        layout = self._layout
        statistics = Statistics().to_dict()
        failed = 0
        seen: set[str] = set()
        kept: list[Shard] = []
        for shard in self._shards:
            marker = read_json(layout.marker(shard.number)) or {}
            statistics = merged(statistics, marker["statistics"])
            failed += marker["status"] != "done"
            seen.update(marker["fields_seen"])
            if marker["reason"] != INPUT_CHANGED:
                kept.append(shard)
        names = self._work.options.fields.names
        unseen = tuple(name for name in names if name not in seen)
        summary = self._totals.final(statistics, failed, unseen)
        if layout.file is not None:
            self._growing.pop(None).finish([self._rows(unit) for s in kept for unit in s.units])
        every = (layout.shard_errors(shard.number) for shard in self._shards)
        with explaining(layout.errors):
            join_files([e for e in every if e.is_file()], layout.errors, layout.errors_temporary)
        if layout.file is not None:
            with explaining(layout.home):
                layout.home.rename(layout.discarded)  # at once: half a state is no state
                shutil.rmtree(layout.discarded)
            return summary
        write_whole(layout.statistics, json_bytes(statistics))
        with explaining(layout.home):
            shutil.rmtree(layout.work)
            sync_folder(layout.home)
        if not failed:
            counts = {"posts": summary.posts, "rejected": summary.rejected}
            write_whole(layout.success, json_bytes(counts))
        return summary


def _records_before(shard: Shard, points: Sequence[Checkpoint]) -> list[int]:
    """Return the records that stand before each unit; those of groups are known, read or not."""
    groups = [unit.source.groups for unit in shard.units]
    counted = np.cumsum([0, *(point.records for point in points)]).tolist()
    return [n if part is None else part.before for n, part in zip(counted, groups, strict=False)]
