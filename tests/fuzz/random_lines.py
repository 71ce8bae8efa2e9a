"""Scan lines of random bytes: `python tests/fuzz/random_lines.py COUNT FOLDER`.

Every line has to come out as one verdict or one error, in order, and the exit code has to be 3.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

MODERATE = (sys.executable, "-c", "import sys; from moderation.cli import main; sys.exit(main())")
GOOD_SHARE = 0.25
"""Of the lines, about so many are posts with random text; the others are bytes without any form."""
EDITED_SHARE = 0.25
"""And so many are posts of which some bytes were replaced."""


def random_character(draw: random.Random) -> str:
    bounds = draw.choice(((32, 127), (0x4E00, 0x9FFF), (0, 0x110000)))
    return chr(draw.randrange(*bounds))


def random_line(draw: random.Random) -> bytes:
    kind = draw.random()
    if kind < GOOD_SHARE + EDITED_SHARE:
        characters = [random_character(draw) for _ in range(draw.randrange(30))]
        line = bytearray(json.dumps({"id": draw.random(), "text": "".join(characters)}).encode())
        if kind >= GOOD_SHARE:
            for _ in range(draw.randrange(1, 4)):
                line[draw.randrange(len(line))] = draw.randrange(256)
    else:
        line = bytearray(draw.randbytes(draw.randrange(1, 60)))
    # A line break would make two lines of it, and a line of spaces is none.
    return bytes(line).replace(b"\n", b"\x0e") if line.strip() else b"{"


def main() -> int:
    count, folder = int(sys.argv[1]), Path(sys.argv[2])
    draw = random.Random(count)
    folder.mkdir(parents=True, exist_ok=True)
    posts, verdicts, errors = (folder / f"{n}.jsonl" for n in ("lines", "verdicts", "errors"))
    with posts.open("wb") as file:
        for _ in range(count):
            file.write(random_line(draw) + b"\n")
    started = time.monotonic()
    command = [*MODERATE, "scan", str(posts), "-o", str(verdicts), "-q", "--errors", str(errors)]
    code = subprocess.run(command, check=False).returncode
    seconds = time.monotonic() - started
    with errors.open("rb") as file:
        rejected = [json.loads(line)["line"] for line in file]
    with verdicts.open("rb") as file:
        judged = sum(1 for _ in file)
    found = f"{judged:,} verdicts, {len(rejected):,} errors"
    print(f"{count:,} lines: {found}, exit {code}, {seconds:.0f} s")
    numbered = rejected == sorted(set(rejected)) and all(1 <= line <= count for line in rejected)
    return 0 if (code, judged + len(rejected), numbered) == (3, count, True) else 1


if __name__ == "__main__":
    sys.exit(main())
