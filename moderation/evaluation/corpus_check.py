"""Check the corpus: `python -m moderation.evaluation.corpus_check corpus/`.

Fields, consistency, contacts and numbers row by row; near-duplicates, sizes, variety of openings
and lengths over all rows. What is wrong is printed as `file:line: code message`, and the exit code
is then 2.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.evaluation.corpus_rows import CorpusRow, opening, read_row
from moderation.evaluation.resemblance import near_duplicates
from moderation.types import POLICIES, STANCES, SUB_LABELS, UNSHOWN_SUB_LABEL, Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "Cell",
    "CorpusFigures",
    "Limits",
    "cells",
    "check_corpus",
    "main",
    "measure",
    "read_corpus",
]

_LANGUAGES: Final = ("zh", "en", "mixed")
_WRITTEN_SUB_LABELS: Final = tuple(
    name for names in SUB_LABELS.values() for name in names if name != UNSHOWN_SUB_LABEL
)
_PAIRS_NAMED: Final = 50
_ERROR: Final = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """What a corpus must keep to.

    Attributes:
        near_duplicates: largest share of posts that resemble an earlier one.
        resemblance: from which Jaccard index of their 4-grams posts do.
        posts: least violations, and least look-alikes, of each policy and language.
        commonest_opening: largest share of a cell's posts that begin with the same word.
        distinct_openings: least share of different first words.
        length: how well length alone may tell violations from look-alikes, as the least and the
            largest area under the ROC curve; 0.5 is chance.
    """

    near_duplicates: float = 0.02
    resemblance: float = 0.6
    posts: int = 250
    commonest_opening: float = 0.06
    distinct_openings: float = 0.5
    length: tuple[float, float] = (0.3, 0.7)


@dataclass(frozen=True, slots=True)
class Cell:
    """The posts of one policy and language: violations, or innocent posts that look like them."""

    policy: str
    language: str
    violating: bool
    posts: int
    quartiles: tuple[int, int, int]
    """Of the length, in code points."""
    commonest: str
    """The first word that most posts share."""
    commonest_share: float
    distinct_share: float
    length_area: float
    """Chance that a violation is longer than a look-alike of the same policy and language."""


@dataclass(frozen=True, slots=True)
class CorpusFigures:
    """What is measured over all posts."""

    posts: int
    resembling: tuple[tuple[int, int, float], ...]
    """Posts that resemble an earlier one: both positions and the Jaccard index."""
    cells: tuple[Cell, ...]

    @property
    def resembling_share(self) -> float:
        """Share of the posts that resemble an earlier one."""
        return len(self.resembling) / max(self.posts, 1)


def read_corpus(folder: Path) -> tuple[list[CorpusRow], list[Diagnostic]]:
    """Read every *.jsonl of a folder; return the rows that are in order, and what is wrong."""
    rows: list[CorpusRow] = []
    wrong: list[Diagnostic] = []
    lines_of_ids: dict[str, str] = {}
    for path in sorted(folder.glob("*.jsonl")):
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                row, problems = read_row(line, path, number)
                wrong += problems
                if row is None:
                    continue
                first = lines_of_ids.setdefault(row.id, f"{path.name}:{number}")
                if first != f"{path.name}:{number}":
                    message = f"expected an id of its own, found that of {first}"
                    wrong.append(Diagnostic("C003", message, str(path), number))
                rows.append(row)
    return rows, wrong


def measure(rows: Sequence[CorpusRow], limits: Limits = Limits()) -> CorpusFigures:
    """Measure the corpus as a whole."""
    pairs = near_duplicates([row.text for row in rows], limits.resemblance)
    return CorpusFigures(len(rows), tuple(pairs), tuple(cells(rows)))


def check_corpus(
    rows: Sequence[CorpusRow],
    figures: CorpusFigures,
    folder: Path,
    limits: Limits = Limits(),
) -> list[Diagnostic]:
    """Return what is wrong with the corpus as a whole.

    Args:
        rows: what `read_corpus` returns.
        figures: what `measure` makes of them.
        folder: named where no single file is to blame.
        limits: what to hold it against.
    """
    wrong = [*_resemblances(rows, figures, folder, limits), *_absent(rows, folder)]
    for cell in figures.cells:
        wrong += _cell_problems(cell, folder, limits)
    return wrong


def cells(rows: Sequence[CorpusRow]) -> list[Cell]:
    """Return the cells in order: by policy and language, violations before look-alikes.

    A look-alike of a policy violates nothing and stands in a file that is named after that policy
    and no other.
    """
    found = []
    for policy in POLICIES:
        for language in _LANGUAGES:
            own = [row for row in rows if row.language == language]
            violations = [row for row in own if row.labels[POLICIES.index(policy)]]
            alike = [row for row in own if not any(row.labels) and row.topics == (policy,)]
            area = _area(violations, alike)
            found += [
                _cell(policy, language, posts, violating=violating, area=area)
                for posts, violating in ((violations, True), (alike, False))
            ]
    return found


def _cell(
    policy: str, language: str, rows: Sequence[CorpusRow], *, violating: bool, area: float
) -> Cell:
    lengths = [len(row.text) for row in rows] or [0]
    low, middle, high = np.percentile(lengths, (25, 50, 75)).round().astype(int).tolist()
    openings = Counter(opening(row.text) for row in rows)
    word, count = min(openings.items(), key=lambda item: (-item[1], item[0]), default=("", 0))
    posts = max(len(rows), 1)
    shares = (count / posts, len(openings) / posts)
    return Cell(
        policy, language, violating, len(rows), (low, middle, high), word, *shares, length_area=area
    )


def _area(violations: Sequence[CorpusRow], alike: Sequence[CorpusRow]) -> float:
    """Return the area under the ROC curve of length; 0.5 where a side is empty."""
    if not violations or not alike:
        return 0.5
    other = np.sort([len(row.text) for row in alike])
    own = np.array([len(row.text) for row in violations])
    below = np.searchsorted(other, own, "left") + np.searchsorted(other, own, "right")
    return float(below.mean() / 2 / len(other))


def _resemblances(
    rows: Sequence[CorpusRow], figures: CorpusFigures, folder: Path, limits: Limits
) -> Iterator[Diagnostic]:
    pairs, share = figures.resembling, figures.resembling_share
    if share <= limits.near_duplicates:
        return
    message = (
        f"expected at most {limits.near_duplicates:.1%} of posts that resemble an earlier one, "
        f"found {share:.1%} ({len(pairs):,}); the first {_PAIRS_NAMED} follow"
    )
    yield Diagnostic("C101", message, str(folder))
    for later, earlier, jaccard in pairs[:_PAIRS_NAMED]:
        other = rows[earlier]
        yield Diagnostic(
            "C101",
            f"resembles {Path(other.path).name}:{other.line} ({jaccard:.2f})",
            rows[later].path,
            rows[later].line,
        )


def _absent(rows: Sequence[CorpusRow], folder: Path) -> Iterator[Diagnostic]:
    for what, known, found in (
        ("sub-label", _WRITTEN_SUB_LABELS, {row.sub_label for row in rows}),
        ("stance", STANCES, {row.stance for row in rows}),
    ):
        for name in known:
            if name not in found:
                yield Diagnostic(
                    "C103", f"expected posts of {what} {name}, found none", str(folder)
                )


def _cell_problems(cell: Cell, folder: Path, limits: Limits) -> Iterator[Diagnostic]:
    name = f"{cell.policy} {cell.language} {_class_of(cell)}"

    def wrong(code: str, message: str) -> Diagnostic:
        return Diagnostic(code, f"{name}: {message}", str(folder))

    if cell.posts < limits.posts:
        yield wrong("C102", f"expected at least {limits.posts} posts, found {cell.posts}")
    if not cell.posts:
        return
    if cell.commonest_share > limits.commonest_opening:
        yield wrong(
            "C104",
            f"expected at most {limits.commonest_opening:.0%} of posts to begin alike, found "
            f"{cell.commonest_share:.1%} with {cell.commonest!r}",
        )
    if cell.distinct_share < limits.distinct_openings:
        yield wrong(
            "C104",
            f"expected at least {limits.distinct_openings:.0%} different first words, found "
            f"{cell.distinct_share:.1%}",
        )
    low, high = limits.length
    if cell.violating and not low <= cell.length_area <= high:
        yield wrong(
            "C105",
            f"expected length to tell little, an area under the ROC curve of {low} to {high}, "
            f"found {cell.length_area:.2f}",
        )


def _class_of(cell: Cell) -> str:
    return "violating" if cell.violating else "look-alike"


def _table(figures: CorpusFigures) -> Iterator[str]:
    yield (
        f"{'policy':<9} {'lang.':<6} {'class':<11} {'posts':>6} {'length: quartiles':>18} "
        f"{'commonest opening':>22} {'distinct':>9}"
    )
    for cell in figures.cells:
        quartiles = " ".join(f"{value:>5}" for value in cell.quartiles)
        yield (
            f"{cell.policy:<9} {cell.language:<6} {_class_of(cell):<11} {cell.posts:>6} "
            f"{quartiles:>18} {f'{cell.commonest[:12]} {cell.commonest_share:.1%}':>22} "
            f"{cell.distinct_share:>9.1%}"
        )
        if not cell.violating:
            yield f"{'':<28} length alone tells them apart with an area of {cell.length_area:.2f}"
    share = f"{len(figures.resembling)} ({figures.resembling_share:.2%})"
    yield f"posts that resemble an earlier one: {share}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a corpus folder, print its cells and what is wrong, and return the exit code."""
    folders = list(map(Path, sys.argv[1:] if arguments is None else arguments))
    if len(folders) != 1 or not folders[0].is_dir():
        sys.stderr.write("usage: python -m moderation.evaluation.corpus_check FOLDER\n")
        return _ERROR
    (folder,) = folders
    rows, wrong = read_corpus(folder)
    figures = measure(rows)
    wrong += check_corpus(rows, figures, folder)
    sys.stdout.writelines(f"{line}\n" for line in _table(figures))
    sys.stderr.writelines(f"{problem}\n" for problem in wrong)
    sys.stderr.write(f"{len(rows):,} posts, {len(wrong):,} errors\n")
    return _ERROR if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
