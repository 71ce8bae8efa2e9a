"""Confidence intervals: figures of posts drawn again from the posts, many times at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.evaluation.figures import FIGURES, cell_figures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from moderation.evaluation.figures import Cells

__all__ = ["CONFIDENCE", "bootstrap_intervals"]

CONFIDENCE: Final = 0.95
_CHUNK_CELLS: Final = 1 << 21
"""Numbers of a table of draws: 16 MiB."""


def bootstrap_intervals(
    cells: Cells, resamples: int, seed: int | tuple[int, ...]
) -> dict[str, tuple[float, float]]:
    """Return percentile intervals of FIGURES at CONFIDENCE; those that are undefined are left out.

    Each resample draws posts with replacement, as many of each stratum as there are. Posts of one
    cell are alike, so that the posts drawn of each cell follow a multinomial distribution.

    A share of 0 or 1 is the same in every resample, which says nothing about how sure it is. There
    the interval is the exact one of Clopper and Pearson (1934): 0 of n posts go with shares up to
    1 - (alpha / 2) ** (1 / n).

    Args:
        cells: counted posts.
        resamples: how many times to draw; 0 gives no intervals.
        seed: any numbers, 0 or more. Equal ones give equal intervals.
    """
    if not resamples or not len(cells.counts):
        return {}
    generator = np.random.default_rng(seed)
    drawn = np.concatenate(
        [cell_figures(cells, weights) for weights in _draws(cells, resamples, generator)]
    )
    found = cell_figures(cells, cells.counts.astype(np.float64)[np.newaxis])[0]
    tail = (1 - CONFIDENCE) / 2
    trials = _trials(cells)
    intervals = {}
    for column, name in enumerate(FIGURES):
        values = drawn[~np.isnan(drawn[:, column]), column]
        if np.isnan(found[column]) or not len(values):
            continue
        low, high = np.quantile(values, [tail, 1 - tail]).tolist()
        count = trials.get(name)
        if count and found[column] == 0:
            high = max(high, 1 - tail ** (1 / count))
        elif count and found[column] == 1:
            low = min(low, tail ** (1 / count))
        intervals[name] = (low, high)
    return intervals


def _draws(
    cells: Cells, resamples: int, generator: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    """Yield tables of posts drawn, shape (some resamples, cells)."""
    strata = [np.flatnonzero(cells.strata == number) for number in np.unique(cells.strata)]
    step = max(_CHUNK_CELLS // len(cells.counts), 1)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        weights = np.zeros((rows, len(cells.counts)))
        for members in strata:
            counts = cells.counts[members]
            total = int(counts.sum())
            weights[:, members] = generator.multinomial(total, counts / total, rows)
        yield weights


def _trials(cells: Cells) -> dict[str, int]:
    """Return what each share is a share of, in posts."""
    positives = int(cells.counts[cells.positive].sum())
    innocents = int(cells.counts.sum()) - positives
    return {
        "precision": int(cells.counts[cells.flagged].sum()),
        "recall": positives,
        "block_precision": int(cells.counts[cells.blocked].sum()),
        "block_recall": positives,
        "flagged_innocent": innocents,
        "blocked_innocent": innocents,
    }
