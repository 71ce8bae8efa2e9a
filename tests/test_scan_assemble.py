"""An output that grows while units are at work is the one that is written at their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scan_support import ORDINARY, VIOLATING

from moderation.errors import ModerationError
from moderation.scan import Scored, sink_spec
from moderation.scan.assemble import Assembly
from moderation.scan.unit import encode

if TYPE_CHECKING:
    from pathlib import Path

    from moderation import Moderator

pytest.importorskip("pyarrow")

NAMES = ["out.jsonl", "out.jsonl.gz", "out.csv", "out.parquet", "out.arrow"]


def spools(folder: Path, moderator: Moderator, name: str) -> list[Path]:
    """Write what three units leave, the second of them nothing."""
    made = []
    for number, texts in enumerate(([ORDINARY, VIOLATING], [], [VIOLATING])):
        path = folder / f"{number}.rows"
        rows = b""
        if texts:
            scored = Scored(moderator.check_batch(texts), texts)
            rows = encode(scored, sink_spec(folder / name, None))
        path.write_bytes(rows)
        made.append(path)
    return made


@pytest.mark.parametrize("name", NAMES)
def test_growing_or_at_once(tmp_path: Path, moderator: Moderator, name: str):
    target, spec = tmp_path / name, sink_spec(tmp_path / name, None)
    rows = spools(tmp_path, moderator, name)
    expected = Assembly(target, tmp_path / "first.tmp", spec).finish(rows)
    content = target.read_bytes()
    for early in ([], rows[:2], rows, rows[::-1], [rows[2]]):
        target.unlink()
        assembly = Assembly(target, tmp_path / "second.tmp", spec)
        for spool in early:
            assembly.add(spool)
        assert not target.exists()
        assert assembly.finish(rows) == expected
        assert target.read_bytes() == content
        assert not (tmp_path / "second.tmp").exists()


@pytest.mark.parametrize("name", NAMES)
def test_without_posts_there_is_a_file_all_the_same(tmp_path: Path, name: str):
    spec = sink_spec(tmp_path / name, None)
    Assembly(tmp_path / name, tmp_path / "out.tmp", spec).finish([])
    assert (tmp_path / name).is_file()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_of_one_that_is_dropped(tmp_path: Path, moderator: Moderator, name: str):
    rows = spools(tmp_path, moderator, name)
    assembly = Assembly(tmp_path / name, tmp_path / "out.tmp", sink_spec(tmp_path / name, None))
    assembly.add(rows[0])
    assembly.drop()
    assembly.drop()
    with pytest.raises((ModerationError, OSError)):
        assembly.add(tmp_path / "gone.rows")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.rows", "1.rows", "2.rows"]
