"""Run `moderate` with a fault on the way: scan_child.py FAULT ARGUMENTS…

FAULT is "none", or kind:call:victim, such as "replace-before:3:scan". At that call of os.replace or
os.fsync within one process, SIGKILL strikes: before the call, after it, or ("torn") before it and
with what had not been made durable partly lost, as when the power fails. The victim is the process
of the call ("self"), or the whole scan ("scan"). "record" prints every call to the file named
in its place: record:FILE. "die-on:TEXT" ends a process that scores a post with this text,
"slow:SECONDS" makes every batch take that long.

Processes started by this one import this file as well, so the fault is theirs, too.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

FAULT = sys.argv[1]
_replace, _fsync, _rename = os.replace, os.fsync, os.rename
_calls = {"replace": 0, "fsync": 0}
_durable = {}


def _kill(victim):
    if victim == "scan" and os.getppid() == _parent_scan():
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _parent_scan():
    """Return the process id of the scan where this process is one of its workers."""
    import multiprocessing

    parent = multiprocessing.parent_process()
    return None if parent is None else parent.pid


def _tear(handle):
    """Lose a part of what was written since the file was last made durable."""
    stat = os.fstat(handle)
    kept = min(_durable.get(stat.st_ino, 0), stat.st_size)
    if stat.st_size > kept:
        os.truncate(
            f"/proc/self/fd/{handle}", random.Random(stat.st_size).randint(kept, stat.st_size)
        )


def _patched(name, call, tear=None):
    kind, _, rest = FAULT.partition(":")

    def faulty(*arguments, **options):
        _calls[name] += 1
        if kind == "record":
            with Path(rest).open("a") as file:
                file.write(f"{name}\n")
        struck = kind.partition("-")[0] == name and _calls[name] == int(rest.partition(":")[0])
        victim = rest.partition(":")[2]
        if struck and kind.endswith("-torn"):
            tear(arguments[0])
        if struck and not kind.endswith("-after"):
            _kill(victim)
        result = call(*arguments, **options)
        if name == "fsync":
            stat = os.fstat(arguments[0])
            _durable[stat.st_ino] = stat.st_size
        if struck:
            _kill(victim)
        return result

    return faulty


os.replace = _patched("replace", _replace)
os.fsync = _patched("fsync", _fsync, _tear)

from moderation.scan import plan, unit  # noqa: E402

plan.UNIT_BYTES = 40_000  # so that a small file is cut into several units
if FAULT.startswith(("die-on:", "slow:")):
    _kind, _, _value = FAULT.partition(":")
    _from_strings = unit.TextBatch.from_strings

    def from_strings(texts):
        if _kind == "slow":
            time.sleep(float(_value))
        elif any(_value in text for text in texts):
            _kill("self")
        return _from_strings(texts)

    class _Batches:
        from_strings = staticmethod(from_strings)

    unit.TextBatch = _Batches

if __name__ == "__main__":
    from moderation.cli import main

    sys.exit(main(sys.argv[2:]))
