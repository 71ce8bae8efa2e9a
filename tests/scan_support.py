"""What the tests of scan share: a small rules folder, posts with a known outcome, and readers."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from moderation.resources import data_root
from moderation.scan import ScanOptions, resolve_sources
from moderation.scan.runner import read_rows

VIOLATING = "老板要上下分找客服"
"""Blocked by the one rule of `small_rules`."""
ORDINARY = "今天下雨了，记得带伞"
RULE_ID = "gambling.zh.chips"
COMMAND = (sys.executable, "-c", "import sys; from moderation.cli import main; sys.exit(main())")

_RULES = f"""\
schema: 1
policy: gambling
rules:
  - id: {RULE_ID}
    title: Chips bought by hand
    sub_label: gambling.promotion
    stance: offer
    level: strong
    languages: [zh]
    all:
      - 上下分
    tests:
      hit: ["{VIOLATING}"]
      pass: ["{ORDINARY}"]
      evasion: ["老板要上.下.分找客服"]
"""


def small_rules(folder: Path) -> Path:
    """Make a rules folder with the shipped policy, cues and folds, and one rule."""
    shipped = data_root() / "rules"
    rules = folder / "rules"
    (rules / "gambling").mkdir(parents=True)
    for name in ("policy.yaml", "cues.yaml"):
        shutil.copy(shipped / name, rules / name)
    shutil.copytree(shipped / "fold", rules / "fold")
    (rules / "gambling" / "chips.yaml").write_text(_RULES, encoding="utf-8")
    return rules


def write_jsonl(path: Path, *records: object) -> Path:
    """Write records as JSON lines; bytes are lines as they are."""
    lines = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in records]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def read_jsonl(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def rows(path: Path, options: ScanOptions | None = None) -> list:
    """Return what the reader of a file yields."""
    (source,) = resolve_sources([str(path)])
    return list(read_rows(source, options or ScanOptions()))


def texts(read: list) -> list:
    """Return each row's text, or the reason why it has none."""
    return [(line, row["text"] if isinstance(row, dict) else row.reason) for line, row in read]


def moderate(*arguments: str | Path, cwd: Path, **options) -> subprocess.CompletedProcess:
    """Run the command line in a process of its own."""
    options.setdefault("stdin", subprocess.DEVNULL)
    if "input" in options:
        del options["stdin"]
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        check=False,
        timeout=120,
        **options,
    )
