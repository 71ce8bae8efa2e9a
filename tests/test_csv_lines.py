"""CSV that is written can be read again, whatever the cells hold."""

from __future__ import annotations

import csv
import io

from hypothesis import example, given
from hypothesis import strategies as st

from moderation.scan.csv_line import csv_lines

CELLS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('\r\n",'))
ROWS = st.integers(2, 4).flatmap(
    lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), max_size=4)
)


@given(ROWS)
@example([["a\rb", ""], ["\r", "\n"], ["\r\n", '"']])
def test_rows_come_back_as_they_were(rows: list[list[str]]):
    written = csv_lines(rows)
    assert list(csv.reader(io.StringIO(written.decode(), newline=""))) == rows


def test_plain_rows_are_plain_lines():
    assert csv_lines([["a", 1, None], ['say "x"', "", "上下分"]]) == (
        'a,1,\n"say ""x""",,上下分\n'.encode()
    )


def test_a_lone_surrogate_becomes_the_character_for_what_is_missing():
    assert csv_lines([["\ud800", "b"]]) == "\ufffd,b\n".encode()
