"""Log-odds ratio with an informative Dirichlet prior: which words set two sets of posts apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["log_odds_z"]


def log_odds_z(
    here: NDArray[np.float64],
    there: NDArray[np.float64],
    sizes: tuple[int, int],
    prior: NDArray[np.float64],
    strength: float,
) -> NDArray[np.float64]:
    """Return the z-score of each word's log-odds ratio between two sets of posts.

    Monroe, Colaresi and Quinn, "Fightin' Words", Political Analysis 16(4), 2008, equations 16, 19
    and 22, with posts in the place of word tokens: a word is in a post or it is not, so that one
    post that repeats it does not count for many.

    Args:
        here: posts of the first set that hold each word; shape (words,).
        there: posts of the second set that do.
        sizes: posts of the two sets.
        prior: share of posts that hold each word where nothing is known, above 0 and below 1.
        strength: the posts that the prior is worth.

    Returns:
        float64, shape (words,): positive where the word belongs to the first set.
    """
    weight = strength * prior
    odds = []
    for counts, size in zip((here, there), sizes, strict=True):
        held = counts + weight
        odds.append(np.log(held) - np.log(size + strength - held))
    variance = 1.0 / (here + weight) + 1.0 / (there + weight)
    z: NDArray[np.float64] = (odds[0] - odds[1]) / np.sqrt(variance)
    return z
