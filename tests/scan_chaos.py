"""Kill scans at random moments, resume them, and compare every byte with an undisturbed scan.

    python tests/scan_chaos.py [--runs 60] [--seed 0] [--fork]

Half of the runs are killed by the clock, the others within os.replace and os.fsync: before the
call, after it, or before it with a part of what was not yet durable lost. Output is a folder or a
file, of JSON lines or Parquet, by one process or two. Some are killed again while they are resumed.

With --fork a scan is a fork of this process, with rules and model loaded, and its workers are forks
of it: each is a process of its own all the same, and is there in no time.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import NamedTuple, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq
from scan_child import Fault
from scan_support import ORDINARY, VIOLATING, small_rules

from moderation import Moderator
from moderation.cli import main as cli
from moderation.scan import workers

CHILD = Path(__file__).with_name("scan_child.py")
FAULTS = ("replace-before", "replace-after", "fsync-before", "fsync-after", "fsync-torn")
LIMIT_SECONDS = 600
AS_OF = "2026-01-01"


class Run(NamedTuple):
    """One way to scan."""

    form: str
    jobs: int
    folder: bool

    @property
    def output(self) -> str:
        return "out/" if self.folder else f"out.{self.form}"


RUNS = [Run(f, j, d) for f in ("jsonl", "parquet") for j in (1, 2) for d in (True, False)]


class Outcome(NamedTuple):
    """What became of one run."""

    run: Run
    fault: str
    kills: int
    within: bool
    """Killed within a rename or an fsync."""
    difference: str | None


def make_inputs(folder: Path, posts: int) -> None:
    """Write shards of several formats, with records among them that are rejected."""
    (folder / "posts").mkdir()

    def line(name: str, at: int) -> bytes:
        if at % 41 == 7:
            return (b"{broken", b'{"id":"no text"}', b"\xff", b"[]")[at % 4] + b"\n"
        text = (ORDINARY, VIOLATING, "the ferry leaves at nine", "晚饭吃什么？")[at % 4]
        return json.dumps({"id": f"{name}{at}", "text": f"{at} {text}"}).encode() + b"\n"

    (folder / "posts" / "a.jsonl").write_bytes(b"".join(line("a", n) for n in range(posts)))
    packed = gzip.compress(b"".join(line("b", n) for n in range(posts // 3)), mtime=0)
    (folder / "posts" / "b.jsonl.gz").write_bytes(packed)
    rows = [f'c{n},"{n} {VIOLATING}\nx"\n' for n in range(posts // 6)]
    (folder / "posts" / "c.csv").write_text("id,text\n" + "".join(rows), encoding="utf-8")
    (folder / "posts" / "d.jsonl").write_bytes(b"")
    texts = [None if n % 41 == 7 else f"{n} {VIOLATING} {'x' * 40}" for n in range(posts)]
    table = pa.table({"id": [f"e{n}" for n in range(posts)], "text": texts})
    pq.write_table(table, folder / "posts" / "e.parquet", row_group_size=70)
    with pa.ipc.new_file(folder / "posts" / "f.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=70)


def arguments_of(run: Run, rules: Path, *, resume: bool) -> list[str]:
    """Return the arguments of a scan."""
    options = ["--batch-size", "61", "--checkpoint-batches", "2", "--jobs", str(run.jobs)]
    options += ["--as-of", AS_OF, "--format", run.form, "--rules", str(rules), "-q"]
    options += ["--resume"] if resume else []
    return ["scan", "posts", "-o", run.output, *options]


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file that a scan has left, hidden ones too."""
    names = [p for p in folder.rglob("*") if p.is_file()]
    inputs = folder / "posts"
    return {str(p.relative_to(folder)): p.read_bytes() for p in names if inputs not in p.parents}


def difference(found: dict[str, bytes], expected: dict[str, bytes]) -> str | None:
    """Return the first thing in which two results differ."""
    for name in sorted(found.keys() | expected.keys()):
        if name not in expected:
            return f"{name}: not expected"
        if name not in found:
            return f"{name}: missing"
        if found[name] != expected[name]:
            return f"{name}: differs ({len(found[name])} bytes, expected {len(expected[name])})"
    return None


class Scan:
    """A process that scans; its messages go to a file."""

    def __init__(self, folder: Path, fault: str, arguments: list[str], *, fork: bool) -> None:
        self.told = folder.with_name("told")
        self._process: subprocess.Popen[bytes] | None = None
        if not fork:
            with self.told.open("wb") as told:
                self._process = subprocess.Popen(
                    [sys.executable, str(CHILD), fault, *arguments],
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=told,
                )
            return
        sys.stdout.flush()
        self._pid = os.fork()
        if not self._pid:
            _become(folder, fault, arguments, self.told)

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        if self._process is not None:
            self._process.kill()
        else:
            os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> int:
        """Wait for its end; return its exit code, a signal as a negative number."""
        if self._process is not None:
            return self._process.wait(LIMIT_SECONDS)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def messages(self) -> str:
        """Return what it has said."""
        return self.told.read_text()


def _fork_workers() -> None:
    """Make workers forks, which keep no one else's ends of pipes: they have to see a scan die."""
    context = multiprocessing.get_context("fork")
    multiprocessing.get_context = lambda _method=None: context
    serve = workers._serve

    def serve_alone(connection) -> None:
        for found in gc.get_objects():
            if isinstance(found, workers.Worker):
                found.connection.close()
        serve(connection)

    workers._serve = serve_alone


def _become(folder: Path, fault: str, arguments: list[str], told: Path) -> NoReturn:
    """Turn a fork of this process into a scan."""
    code = 70
    try:
        os.chdir(folder)
        handle = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 2)
        _fork_workers()
        Fault(fault).install()
        code = cli(arguments)
    finally:
        sys.stderr.flush()
        os._exit(code)


class Chaos:
    """A source of kills, and what scans must come to."""

    def __init__(self, folder: Path, posts: int, seed: int, *, fork: bool) -> None:
        self._folder = folder
        self._fork = fork
        self._random = random.Random(seed)
        self._rules = small_rules(folder)
        self._inputs = folder / "inputs"
        self._inputs.mkdir()
        make_inputs(self._inputs, posts)
        if fork:
            moderator = Moderator(rules=self._rules, as_of=date.fromisoformat(AS_OF))
            moderator.check("loads rules and model")
        self._expected: dict[Run, dict[str, bytes]] = {}
        self._seconds: dict[Run, float] = {}
        self._calls: dict[Run, int] = {}

    def _fresh(self) -> Path:
        folder = self._folder / "run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "posts").symlink_to(self._inputs / "posts", target_is_directory=True)
        return folder

    def _start(self, folder: Path, run: Run, fault: str, *, resume: bool) -> Scan:
        arguments = arguments_of(run, self._rules, resume=resume)
        return Scan(folder, fault, arguments, fork=self._fork)

    def _finish(self, folder: Path, run: Run, fault: str, *, resume: bool) -> None:
        """Run a scan to its end."""
        scan = self._start(folder, run, fault, resume=resume)
        code = scan.wait()
        # Forks of a scan that was killed have its lock, until they notice and end.
        while self._fork and code == 2 and "another scan is writing" in scan.messages():
            time.sleep(0.05)
            scan = self._start(folder, run, fault, resume=resume)
            code = scan.wait()
        # Complete, and its state already removed: killed between that and its exit.
        if code != 3 and "it is complete" not in scan.messages():
            raise SystemExit(f"{run} {fault}: exit code {code}\n{scan.messages()}")

    def reference(self, run: Run) -> dict[str, bytes]:
        """Return what an undisturbed scan leaves: by one process, whatever the run's jobs."""
        alone = run._replace(jobs=1)
        if alone not in self._expected:
            folder = self._fresh()
            calls = self._folder / "calls"
            calls.unlink(missing_ok=True)
            begun = time.perf_counter()
            self._finish(folder, alone, f"record:{calls}", resume=False)
            self._seconds[alone] = time.perf_counter() - begun
            self._calls[alone] = len(calls.read_text().splitlines()) // 2
            self._expected[alone] = tree(folder)
        return self._expected[alone]

    def strike(self, run: Run, *, within: bool) -> Outcome:
        """Kill one scan, resume it, and compare."""
        expected = self.reference(run)
        alone = run._replace(jobs=1)
        calls, seconds = self._calls[alone], self._seconds[alone]
        folder = self._fresh()
        kills, fault = 0, "clock"
        wanted = 1 + (self._random.random() < 0.3)
        while kills < wanted:
            resume = kills > 0
            if within:
                # One that comes too late is brought forward.
                calls = self._random.randint(1, max(calls, 1))
                victim = self._random.choice(("scan", "scan", "self"))
                fault = f"{self._random.choice(FAULTS)}:{calls}:{victim}"
                scan = self._start(folder, run, fault, resume=resume)
            else:
                seconds = self._random.uniform(0, seconds)
                scan = self._start(folder, run, "none", resume=resume)
                self._wait_for_work(scan, folder, seconds)
                scan.kill()
            code = scan.wait()
            # The death of a worker is survived.
            struck = code == -signal.SIGKILL or "a worker process died" in scan.messages()
            if struck and code == 3:
                return Outcome(run, fault, kills + 1, within, difference(tree(folder), expected))
            if not struck:
                if kills:
                    break
                folder = self._fresh()
            kills += struck
        self._finish(folder, run, "none", resume=True)
        return Outcome(run, fault, kills, within, difference(tree(folder), expected))

    def _wait_for_work(self, scan: Scan, folder: Path, seconds: float) -> None:
        """Wait until a scan has begun to write, and so long after that."""
        latest = time.perf_counter() + LIMIT_SECONDS
        while not any(folder.rglob("_manifest.json")) and time.perf_counter() < latest:
            time.sleep(0.002)
        time.sleep(seconds)


def main() -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--posts", type=int, default=1500)
    parser.add_argument("--fork", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        chaos = Chaos(Path(folder), given.posts, given.seed, fork=given.fork)
        for number in range(given.runs):
            outcome = chaos.strike(RUNS[number // 2 % len(RUNS)], within=number % 2 == 1)
            outcomes.append(outcome)
            run = outcome.run
            kind = "folder" if run.folder else "file"
            what = outcome.difference or "identical"
            print(f"{number + 1:3} {run.form} {kind} jobs {run.jobs} {outcome.fault}: {what}")
            sys.stdout.flush()
    within = sum(outcome.within for outcome in outcomes)
    different = sum(outcome.difference is not None for outcome in outcomes)
    kills = sum(outcome.kills for outcome in outcomes)
    print(f"{len(outcomes)} scans, {kills} kills, {within} scans killed within a rename or fsync; "
          f"{different} results differ")  # fmt: skip
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
