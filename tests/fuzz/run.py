"""Fuzz one target with atheris: `python tests/fuzz/run.py TARGET SECONDS`.

The corpus grows in work/fuzz/TARGET; what breaks a promise is kept in work/fuzz/crashes.
"""

from __future__ import annotations

import sys
from hashlib import sha1
from pathlib import Path

import atheris

TESTS = Path(__file__).resolve().parents[1]
WORK = TESTS.parent / "work" / "fuzz"
sys.path.insert(0, str(TESTS))

# Only the rooms that a target is about are watched: the others would take minutes to prepare.
ROOMS = {
    "folds": ["moderation.text"],
    "rules": ["moderation.rules"],
    "verdicts": ["moderation.scan", "moderation.decide"],
}
with atheris.instrument_imports(include=ROOMS.get(sys.argv[1], ["moderation.scan"])):
    from fuzz.seeds import seeds
    from fuzz.targets import TARGETS


def main() -> None:
    name, seconds = sys.argv[1], int(sys.argv[2])
    corpus, crashes = WORK / name, WORK / "crashes"
    corpus.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(exist_ok=True)
    for seed in seeds(name):
        (corpus / sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    flags = [
        f"-max_total_time={seconds}",
        "-max_len=4096",
        "-timeout=30",
        "-rss_limit_mb=4096",
        f"-artifact_prefix={crashes}/{name}-",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
