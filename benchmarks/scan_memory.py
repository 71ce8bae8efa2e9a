"""Memory of a scan while its input grows: it has to stay flat.

    python benchmarks/scan_memory.py [--posts 20000 80000] [--jobs 1]

Each line is one scan of a file of generated posts into a folder, in a process of its own: posts,
size of the input, largest resident memory of the scan and of its largest worker.
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
people = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
used = [resource.getrusage(who).ru_maxrss for who in people]
print(*used)
sys.exit(code)
"""
TEXTS = (
    "今天下雨了，记得带伞",
    "老板要上下分找客服",
    "the ferry leaves at nine, bring the blue bag",
    "晚饭吃什么？",
)


def write_posts(path: Path, count: int) -> None:
    """Write generated posts, some of them rejected."""
    with path.open("w", encoding="utf-8") as file:
        for at in range(count):
            post = {"id": f"n{at}", "text": f"{at} {TEXTS[at % len(TEXTS)]}" * (1 + at % 7)}
            file.write("{broken\n" if at % 101 == 7 else json.dumps(post) + "\n")


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--posts", type=int, nargs="+", default=[20_000, 80_000, 320_000])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--format", default="jsonl")
    given = parser.parse_args()
    print("posts      input MB   scan MB   largest worker MB")
    for count in given.posts:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_posts(folder / "posts.jsonl", count)
            size = (folder / "posts.jsonl").stat().st_size
            options = ["--jobs", str(given.jobs), "--format", given.format, "-q"]
            command = [sys.executable, "-c", CHILD, "scan", "posts.jsonl", "-o", "out/", *options]
            done = subprocess.run(command, cwd=folder, capture_output=True, check=False, text=True)
            if done.returncode not in {0, 3}:
                raise SystemExit(done.stderr)
            own, worker = (int(used) / 1024 for used in done.stdout.split())
            print(f"{count:<9}{size / 1e6:>10.1f}{own:>10.0f}{worker:>20.0f}")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
