"""Timings taken in turns on one core, and tables written into documents between markers.

`python benchmarks/measuring.py FILE SECTION < table` puts what it reads between
`<!-- SECTION:begin -->` and `<!-- SECTION:end -->` of a document.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
PERFORMANCE: Final = ROOT / "docs" / "performance.md"


@dataclass(frozen=True)
class Spread:
    """Seconds that the runs of one stage took.

    Attributes:
        seconds: wall time of each run.
        processor: processor time of each run; where it is less, something else had the core.
    """

    seconds: tuple[float, ...]
    processor: tuple[float, ...]

    def rates(self, amount: float) -> tuple[float, float, float]:
        """Return median, lowest and highest of `amount` a second."""
        rates = [amount / each for each in self.seconds]
        return statistics.median(rates), min(rates), max(rates)

    @property
    def median(self) -> float:
        """Median of the seconds."""
        return statistics.median(self.seconds)


def alternate(stages: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Spread]:
    """Run every stage once a round, after a round that does not count.

    A machine that slows down for a while slows all stages; the order turns from round to round, so
    that none always comes first.
    """
    names = list(stages)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    processor: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        turn = number % len(names) if names else 0
        for name in names[turn:] + names[:turn]:
            busy, start = time.process_time(), time.perf_counter()
            stages[name]()
            took, worked = time.perf_counter() - start, time.process_time() - busy
            if number:
                seconds[name].append(took)
                processor[name].append(worked)
    return {name: Spread(tuple(seconds[name]), tuple(processor[name])) for name in names}


def share_of_core(spreads: Sequence[Spread]) -> float:
    """Return processor time by wall time over all runs: near 1 on an idle machine."""
    wall = sum(sum(each.seconds) for each in spreads)
    return sum(sum(each.processor) for each in spreads) / wall if wall else 0.0


def evenly(posts: Sequence[str], count: int) -> list[str]:
    """Return `count` posts whose lengths are spread as those of all, in the order given."""
    if count >= len(posts):
        return list(posts)
    order = sorted(range(len(posts)), key=lambda at: (len(posts[at]), at))
    step = len(order) / count
    chosen = sorted(order[int((number + 0.5) * step)] for number in range(count))
    return [posts[at] for at in chosen]


def write_section(path: Path, section: str, body: str) -> None:
    """Replace what stands between the markers of a section.

    Raises:
        SystemExit: the document lacks a marker.
    """
    begin, end = f"<!-- {section}:begin -->", f"<!-- {section}:end -->"
    text = path.read_text(encoding="utf-8")
    before, opened, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise SystemExit(f"{path}: expected the lines {begin} and {end}")
    path.write_text(f"{before}{begin}\n{body.strip()}\n{end}{after}", encoding="utf-8")


def publish(body: str, section: str, *, write: bool) -> None:
    """Print a table and, if asked, put it into docs/performance.md."""
    print(body)
    if write:
        write_section(PERFORMANCE, section, body)


def main() -> None:
    """Put a table read from standard input into a document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("document", type=Path)
    parser.add_argument("section")
    arguments = parser.parse_args()
    write_section(arguments.document, arguments.section, sys.stdin.read())


if __name__ == "__main__":
    main()
