"""Fit the linear model of n-grams that stands beside the tiers' graphs.

Logistic regression over which hashed n-grams a post has, each scaled by how rare it is (inverse
document frequency), posts scaled to the root of how many they have. It learns from the same targets
as the fast tier's graph: the sources' labels mixed with what the deep tier says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression

from moderation.classifier.features import character_ngrams, posts_of
from moderation.classifier.ngrams import LONGEST, NgramModel, filled_up
from moderation.types import POLICIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moderation.text import View
    from moderation.training.recipe import Dataset

__all__ = [
    "NGRAM_BUCKETS",
    "WEIGHTS",
    "NgramRecipe",
    "fit_ngrams",
    "in_eight_bits",
    "ngram_logits",
    "ngram_matrix",
    "ngram_rows",
    "stored_ngrams",
]

NGRAM_BUCKETS: Final = 1 << 18
_SCALE: Final = 5.0
"""Brings the rows' length near one, so that `inverse_ridge` means what it usually does."""
_TOLERANCE: Final = 1e-2
_QUANTILE: Final = 0.99995
"""Share of a policy's weights that the integers -127 to 127 span; the largest are cut."""


@dataclass(frozen=True, slots=True)
class NgramRecipe:
    """What decides a fit besides its data.

    Attributes:
        seed: of the draw of posts.
        most: violating public posts, and other ones, that are shown.
        inverse_ridge: C of the logistic regression.
    """

    seed: int = 0
    most: int = 40_000
    inverse_ridge: float = 3.0


WEIGHTS: Final = {"fast": 0.75, "deep": 0.5}
"""Weight of the logits beside those of each tier's graph. On sources left out of training anything
from 0.5 to 1 helps the fast tier about as much, and from 0.3 to 1 the deep one."""


def ngram_rows(
    dataset: Dataset,
    rows: NDArray[np.int64],
    targets: NDArray[np.float32],
    recipe: NgramRecipe,
) -> NDArray[np.int64]:
    """Pick the posts to fit on: the corpus, and a draw of public posts, violating ones and others.

    Args:
        dataset: all posts.
        rows: posts that may be used.
        targets: probabilities, float32 (posts, policies), NaN where unknown.
        recipe: hyper-parameters.
    """
    generator = np.random.default_rng(recipe.seed)
    violating = (targets[rows] > 0.5).any(axis=1)
    corpus = dataset.families[rows] == "corpus"
    parts = [
        np.flatnonzero(corpus),
        *(
            generator.permutation(np.flatnonzero(chosen))[: recipe.most]
            for chosen in (violating & ~corpus, ~violating & ~corpus)
        ),
    ]
    chosen: NDArray[np.int64] = rows[np.sort(np.concatenate(parts))]
    return chosen


def fit_ngrams(
    dataset: Dataset,
    rows: NDArray[np.int64],
    targets: NDArray[np.float32],
    recipe: NgramRecipe,
) -> NgramModel:
    """Fit a weight for each bucket and policy.

    Args:
        dataset: all posts.
        rows: posts to fit on, see `ngram_rows`.
        targets: probabilities, float32 (posts, policies), NaN where unknown; the nearer one is to
            a half, the less the post counts.
        recipe: hyper-parameters.

    Raises:
        ValueError: of some policy only one answer is known.
    """
    matrix = _matrix(posts_of(dataset.base, rows))
    targets, weights = targets[rows], dataset.weights[rows]
    posts = np.bincount(matrix.indices, minlength=NGRAM_BUCKETS)
    rarity = np.log((1 + matrix.shape[0]) / (1 + posts)) + 1.0
    matrix = sp.csr_matrix(matrix @ sp.diags((rarity / _SCALE).astype(np.float32)))
    found = np.zeros((NGRAM_BUCKETS, len(POLICIES)))
    offset = np.zeros(len(POLICIES))
    for column in range(len(POLICIES)):
        known = np.flatnonzero(~np.isnan(targets[:, column]))
        target = targets[known, column]
        fitted = LogisticRegression(
            C=recipe.inverse_ridge, solver="liblinear", tol=_TOLERANCE, random_state=0
        ).fit(matrix[known], target > 0.5, weights[known] * np.abs(2 * target - 1))
        found[:, column] = fitted.coef_[0] * rarity / _SCALE
        offset[column] = fitted.intercept_[0]
    return NgramModel(*in_eight_bits(found, _QUANTILE), offset)


def _matrix(base: View) -> sp.csr_matrix:
    """Return which buckets each post has, over the root of their number."""
    found = ngram_matrix(base, NGRAM_BUCKETS)
    counts = np.diff(found.indptr)
    found.data = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
    return found


def ngram_matrix(base: View, buckets: int) -> sp.csr_matrix:
    """Return how often each bucket's n-grams stand in each post, float32, (posts, buckets)."""
    shape = len(base.offsets) - 1, buckets
    found = sp.csr_matrix(shape, dtype=np.float32)
    for size in range(1, LONGEST + 1):
        grams = character_ngrams(base, size, buckets)
        ones = np.ones(len(grams.values), np.float32)
        found += sp.csr_matrix((ones, grams.values, grams.offsets), shape=shape)
    found.sum_duplicates()
    return found


def in_eight_bits(
    weights: NDArray[np.floating[Any]], quantile: float
) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Return weights as integers of -127 to 127, and what one of them is worth.

    Args:
        weights: (buckets, policies).
        quantile: share of a policy's weights that the integers span; the largest are cut.
    """
    top = np.maximum(np.quantile(np.abs(weights), quantile, axis=0), 1e-9)
    table = np.clip(np.round(weights / top * 127), -127, 127).astype(np.int8)
    return filled_up(table), (top / 127).astype(np.float64)


def ngram_logits(model: NgramModel, base: View, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what a model says of some posts, (len(rows), policies)."""
    return model.logits(posts_of(base, rows))


def stored_ngrams(model: NgramModel) -> dict[str, NDArray[Any]]:
    """Return the arrays that `load_ngrams` reads."""
    weights = model.weights[:, : len(POLICIES)]
    return {"weights": weights, "scale": model.scale, "offset": model.offset}
