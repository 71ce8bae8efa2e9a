"""Memory of a scan while its input grows: it has to stay flat.

    python benchmarks/scan_memory.py [--posts 20000 80000] [--files 1] [--short] [--jobs 1]
    python benchmarks/scan_memory.py --megabytes 5 50

Each line is one scan into a folder, in a process of its own: posts, input files and their size,
largest resident memory of the scan and of its largest worker, seconds of processor time of all of
them, and what came out: verdicts and errors.

Inputs are generated into a temporary folder, which is gone afterwards: posts shared out over
--files files, some of them rejected; with --megabytes instead one single post of that size.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

CHILD = """\
import resource, sys
from moderation.cli import main
code = main(sys.argv[1:])
people = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(*(used.ru_maxrss for used in people), sum(used.ru_utime + used.ru_stime for used in people))
sys.exit(code)
"""
TEXTS = (
    "今天下雨了，记得带伞",
    "老板要上下分找客服",
    "the ferry leaves at nine, bring the blue bag",
    "晚饭吃什么？",
)


def post(at: int, *, short: bool) -> str:
    """Return the line of one post."""
    if at % 101 == 7:
        return "{broken\n"
    if short:
        return f'{{"id":{at},"text":"{TEXTS[at % 4]}"}}\n'
    return json.dumps({"id": f"n{at}", "text": f"{at} {TEXTS[at % 4]}" * (1 + at % 7)}) + "\n"


def write_posts(folder: Path, count: int, files: int, *, short: bool) -> None:
    """Write generated posts, some of them rejected."""
    for number in range(files):
        numbers = range(count * number // files, count * (number + 1) // files)
        with (folder / f"{number:05d}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(post(at, short=short) for at in numbers)


def write_long_post(folder: Path, size: int) -> None:
    """Write one post of so many bytes."""
    with (folder / "long.jsonl").open("w", encoding="utf-8") as file:
        file.write('{"id":"long","text":"')
        written = at = 0
        while written < size:
            piece = f"{at} {TEXTS[at % 4]} "
            file.write(piece)
            written += len(piece.encode())
            at += 1
        file.write('"}\n')


def measure(folder: Path, posts: int, options: list[str]) -> None:
    """Scan a folder of inputs and print one line about it."""
    inputs = sorted((folder / "posts").iterdir())
    size = sum(path.stat().st_size for path in inputs)
    command = [sys.executable, "-c", CHILD, "scan", "posts", "-o", "out/", "-q", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, text=True)
    if done.returncode not in {0, 3}:
        raise SystemExit(done.stderr)
    own, worker, seconds = map(float, done.stdout.split())
    found = json.loads((folder / "out" / "_statistics.json").read_bytes())
    verdicts, errors = found["posts"], sum(found["rejected"].values())
    print(
        f"{posts:<11}{len(inputs):>6}{size / 1e6:>10.1f}{own / 1024:>10.0f}"
        f"{worker / 1024:>19.0f}{seconds:>8.0f}{verdicts:>11}{errors:>9}"
    )
    sys.stdout.flush()


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--posts", type=int, nargs="+", default=[20_000, 80_000, 320_000])
    parser.add_argument("--files", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="lines of about 50 bytes")
    parser.add_argument("--megabytes", type=int, nargs="+", help="one post of this size instead")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--format", default="jsonl", help="of the verdicts")
    parser.add_argument("--rules", type=Path, help="rules folder; few rules make long runs short")
    given = parser.parse_args()
    options = ["--jobs", str(given.jobs), "--format", given.format]
    options += ["--rules", str(given.rules.resolve())] if given.rules else []
    print("posts       files  input MB   scan MB  largest worker MB   CPU s   verdicts   errors")
    for count in given.megabytes or given.posts:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "posts").mkdir()
            if given.megabytes:
                limit = str(2 * count * 1_000_000)
                limits = ["--max-line-bytes", limit, "--max-post-chars", limit]
                write_long_post(folder / "posts", count * 1_000_000)
                measure(folder, 1, options + limits)
            else:
                write_posts(folder / "posts", count, given.files, short=given.short)
                measure(folder, count, options)


if __name__ == "__main__":
    main()
