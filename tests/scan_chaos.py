"""Kill scans at random moments, resume them, and compare every byte with an undisturbed scan.

    python tests/scan_chaos.py [--runs 60] [--seed 0]

Half of the runs are killed by the clock, the others within os.replace and os.fsync: before the
call, after it, or before it with a part of what was not yet durable lost. Output is a folder or a
file, of JSON lines or Parquet, by one process or two. Some are killed again while they are resumed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from scan_support import ORDINARY, VIOLATING, small_rules

CHILD = Path(__file__).with_name("scan_child.py")
FAULTS = ("replace-before", "replace-after", "fsync-before", "fsync-after", "fsync-torn")
LIMIT_SECONDS = 300


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


def command(run: Run, rules: Path, *, fault: str, resume: bool) -> list[str]:
    """Return the command of a scan."""
    options = ["--batch-size", "61", "--checkpoint-batches", "2", "--jobs", str(run.jobs)]
    options += ["--as-of", "2026-01-01", "--format", run.form, "--rules", str(rules), "-q"]
    options += ["--resume"] if resume else []
    return [sys.executable, str(CHILD), fault, "scan", "posts", "-o", run.output, *options]


def tree(folder: Path, run: Run) -> dict[str, bytes]:
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


def start(folder: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    """Start a scan in a folder."""
    return subprocess.Popen(
        arguments, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip


def kill_by_the_clock(folder: Path, arguments: list[str], seconds: float) -> bool:
    """Start a scan and kill it so long after its work has begun; say whether it still ran."""
    with start(folder, arguments) as process:
        while process.poll() is None and not any(folder.rglob("run.json")):
            time.sleep(0.005)
        time.sleep(seconds)
        process.kill()
        return process.wait(LIMIT_SECONDS) == -signal.SIGKILL


def kill_within(folder: Path, arguments: list[str]) -> bool:
    """Run a scan that strikes itself; say whether it did. (A worker's death is survived.)"""
    with start(folder, arguments) as process:
        _, told = process.communicate(timeout=LIMIT_SECONDS)
        return process.returncode == -signal.SIGKILL or b"a worker process died" in told


def finish(folder: Path, arguments: list[str]) -> None:
    """Run a scan to its end."""
    with start(folder, arguments) as process:
        _, told = process.communicate(timeout=LIMIT_SECONDS)
    if process.returncode != 3:
        # Complete, and its state already removed: killed between that and its exit.
        if b"it is complete" in told:
            return
        raise SystemExit(f"{' '.join(arguments)}\n{told.decode()}exit code {process.returncode}")


class Chaos:
    """A source of kills, and what scans must come to."""

    def __init__(self, folder: Path, posts: int, seed: int) -> None:
        self._folder = folder
        self._random = random.Random(seed)
        self._rules = small_rules(folder)
        self._inputs = folder / "inputs"
        self._inputs.mkdir()
        make_inputs(self._inputs, posts)
        self._expected: dict[Run, dict[str, bytes]] = {}
        self._seconds: dict[Run, float] = {}
        self._calls: dict[Run, int] = {}

    def _fresh(self) -> Path:
        folder = self._folder / "run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "posts").symlink_to(self._inputs / "posts", target_is_directory=True)
        return folder

    def reference(self, run: Run) -> dict[str, bytes]:
        """Return what an undisturbed scan leaves: by one process, whatever the run's jobs."""
        alone = run._replace(jobs=1)
        if alone not in self._expected:
            folder = self._fresh()
            begun = time.perf_counter()
            calls = self._folder / "calls"
            calls.unlink(missing_ok=True)
            fault = f"record:{calls}"
            finish(folder, command(alone, self._rules, fault=fault, resume=False))
            self._seconds[alone] = time.perf_counter() - begun
            self._calls[alone] = len(calls.read_text().splitlines())
            self._expected[alone] = tree(folder, run)
        return self._expected[alone]

    def strike(self, run: Run, *, within: bool) -> Outcome:
        """Kill one scan until it is dead, resume it, and compare."""
        expected = self.reference(run)
        alone = run._replace(jobs=1)
        folder = self._fresh()
        kills, resume = 0, False
        most_calls, most_seconds = self._calls[alone] // 2, self._seconds[alone]
        fault = "clock"
        wanted = 1 + (self._random.random() < 0.3)
        while kills < wanted:
            if within:
                at = self._random.randint(1, max(most_calls, 1))
                victim = self._random.choice(("scan", "scan", "self"))
                fault = f"{self._random.choice(FAULTS)}:{at}:{victim}"
                most_calls = at  # one that comes too late is brought forward
                arguments = command(run, self._rules, fault=fault, resume=resume)
                struck = kill_within(folder, arguments)
            else:
                most_seconds = self._random.uniform(0, most_seconds)
                arguments = command(run, self._rules, fault="none", resume=resume)
                struck = kill_by_the_clock(folder, arguments, most_seconds)
            if not struck and not kills:
                folder = self._fresh()
                continue
            kills += struck
            resume = True
            if not struck:
                break
        finish(folder, command(run, self._rules, fault="none", resume=True))
        return Outcome(run, fault, kills, within, difference(tree(folder, run), expected))


def main() -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--posts", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        chaos = Chaos(Path(folder), given.posts, given.seed)
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
