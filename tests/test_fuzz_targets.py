"""The targets of `make fuzz`, on their seeds, on edits of them, and on what once broke them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.seeds import seeds
from fuzz.targets import FIELDS, TARGETS, rows_of
from hypothesis import given, settings
from hypothesis import strategies as st

HERE = Path(__file__).parent
EXAMPLES = {"parquet": 40, "arrow": 40, "rules": 30, "verdicts": 25}


def edited(target: str) -> st.SearchStrategy[bytes]:
    """Draw bytes: any at all, or a seed of which some were replaced."""
    edit = st.tuples(st.integers(0, 4096), st.integers(0, 8), st.binary(max_size=8))

    def apply(seed: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
        for at, removed, added in edits:
            place = at % (len(seed) + 1)
            seed = seed[:place] + added + seed[place + removed :]
        return seed

    changed = st.builds(apply, st.sampled_from(seeds(target)), st.lists(edit, max_size=4))
    return changed | st.binary(max_size=200)


@pytest.mark.parametrize("target", TARGETS)
def test_the_promises_hold_for_the_seeds(target: str):
    for seed in seeds(target):
        TARGETS[target](seed)


@pytest.mark.parametrize("target", TARGETS)
def test_the_promises_hold_for_whatever_bytes_come(target: str):
    @settings(max_examples=EXAMPLES.get(target, 80))
    @given(edited(target))
    def check(data: bytes) -> None:
        TARGETS[target](data)

    check()


def test_a_parquet_column_whose_name_is_not_utf_8_fails_the_input():
    data = seeds("parquet")[0].replace(b"tags", b"ta\xc5s")
    for fields in FIELDS:
        assert rows_of(data, "parquet", None, fields) == [None]


@pytest.mark.timeout(900)
def test_random_lines_all_come_out_as_a_verdict_or_an_error(tmp_path: Path):
    run = subprocess.run(
        [sys.executable, HERE / "fuzz" / "random_lines.py", "2000", tmp_path],
        capture_output=True, text=True, timeout=850, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "2,000 lines" in run.stdout
