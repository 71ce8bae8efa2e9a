"""Run `moderate` with a fault on the way: scan_child.py FAULT ARGUMENTS…

FAULT is "none", or kind:call:victim, such as "replace-before:3:scan": at that call of os.replace or
os.fsync within a process SIGKILL strikes, before the call, after it, or ("fsync-torn") before it,
with a part of what was not yet durable lost, as when the power fails. The victim is the process of
the call ("self", and "worker" where that is one), or the scan with it ("scan"). With a fourth part,
a file that the first stroke makes, there is but one in all. "record:FILE" notes every call in a
file, "die-on:TEXT" ends a process that scores a post with this text, "slow:SECONDS" makes every
batch take that long.

Workers import this file as well, with the same arguments, so the fault is theirs, too.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from pathlib import Path

UNIT_BYTES = 40_000
"""So that a small file is cut into several units."""


class Fault:
    """One fault, and the calls that were made so far in this process."""

    def __init__(self, text: str) -> None:
        self.kind, _, self.rest = text.partition(":")
        self.calls = {"replace": 0, "fsync": 0}
        self.durable: dict[int, int] = {}

    def install(self) -> None:
        """Put the fault between the package and the system."""
        from moderation.scan import plan, unit

        plan.UNIT_BYTES = UNIT_BYTES
        if self.kind in {"die-on", "slow"}:
            self._before_batches(unit)
        else:
            os.replace = self._patched("replace", os.replace)
            os.fsync = self._patched("fsync", os.fsync)

    def _before_batches(self, unit) -> None:
        from_strings = unit.TextBatch.from_strings

        class Batches:
            @staticmethod
            def from_strings(texts):
                if self.kind == "slow":
                    time.sleep(float(self.rest))
                elif any(self.rest in text for text in texts):
                    self._kill("self")
                return from_strings(texts)

        unit.TextBatch = Batches

    def _patched(self, name, call):
        def faulty(*arguments, **options):
            self.calls[name] += 1
            if self.kind == "record":
                with Path(self.rest).open("a") as file:
                    file.write(f"{name}\n")
            at, victim, once = (*self.rest.split(":", 2), "", "")[:3]
            struck = self.kind.startswith(f"{name}-") and self.calls[name] == int(at)
            if victim == "worker" and multiprocessing.parent_process() is None:
                struck = False
            struck = struck and _is_first(once)
            if struck and self.kind == "fsync-torn":
                self._tear(arguments[0])
            if struck and not self.kind.endswith("-after"):
                self._kill(victim)
            result = call(*arguments, **options)
            if name == "fsync":
                stat = os.fstat(arguments[0])
                self.durable[stat.st_ino] = stat.st_size
            if struck:
                self._kill(victim)
            return result

        return faulty

    def _tear(self, handle) -> None:
        """Lose a part of what was written since the file was last made durable."""
        stat = os.fstat(handle)
        kept = min(self.durable.get(stat.st_ino, 0), stat.st_size)
        if stat.st_size > kept:
            left = random.Random(stat.st_size).randint(kept, stat.st_size)
            os.truncate(f"/proc/self/fd/{handle}", left)

    def _kill(self, victim) -> None:
        scan = multiprocessing.parent_process()
        if victim == "scan" and scan is not None:
            os.kill(scan.pid, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


def _is_first(flag: str) -> bool:
    if not flag:
        return True
    try:
        Path(flag).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


if __name__ in {"__main__", "__mp_main__"} and Path(sys.argv[0]).name == Path(__file__).name:
    Fault(sys.argv[1]).install()

if __name__ == "__main__":
    from moderation.cli import main

    sys.exit(main(sys.argv[2:]))
