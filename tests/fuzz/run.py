"""Fuzz one target with atheris: `python tests/fuzz/run.py TARGET SECONDS`.

The corpus grows in work/fuzz/TARGET; what breaks a promise is kept in work/fuzz/crashes.
"""

from __future__ import annotations

import importlib.util
import sys
from hashlib import sha1
from pathlib import Path

import atheris

TESTS = Path(__file__).resolve().parents[1]
WORK = TESTS.parent / "work" / "fuzz"
sys.path.insert(0, str(TESTS))

ROOMS = {"folds": "text", "rules": "rules"}
"""The room that a target is about; "scan" of those that are not named."""


def unwatched(room: str) -> list[str]:
    """Return the modules outside of a room: to watch them as well would take minutes to prepare."""
    spec = importlib.util.find_spec("moderation")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    paths = [path.relative_to(package).with_suffix("") for path in package.rglob("*.py")]
    names = [".".join(("moderation", *path.parts)).removesuffix(".__init__") for path in paths]
    return [name for name in names if not f"{name}.".startswith(f"moderation.{room}.")]


with atheris.instrument_imports(["moderation"], unwatched(ROOMS.get(sys.argv[1], "scan"))):
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
