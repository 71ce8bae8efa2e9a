"""CSV lines from plain cells, whatever their strings hold."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, Final

from moderation.scan.json_line import storable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["csv_lines"]

_ENDING: Final = "\r\n"


class _Lines(list[str]):
    """What a csv.writer writes to: it hands over one record at a time."""

    def write(self, line: str) -> None:
        self.append(line)


def csv_lines(rows: Iterable[Sequence[Any]]) -> bytes:
    r"""Return rows as CSV, UTF-8, each ended by \n.

    Python before 3.13 quotes a cell with a line break only where that is one of the line ending's
    characters: so the ending is \r\n until a record is written, lest a bare \r tears it apart.
    """
    lines = _Lines()
    csv.writer(lines, lineterminator=_ENDING).writerows(rows)
    text = "".join(f"{line.removesuffix(_ENDING)}\n" for line in lines)
    return storable(text).encode("utf-8")
