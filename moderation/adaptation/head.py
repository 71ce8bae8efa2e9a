"""A head: logistic corrections of shipped log-odds, fitted on few labels.

For one policy, log-odds = shipped log-odds + slope × correction(post), where slope is the shipped
calibration's, and the correction is linear in what the graph pooled, in the post's tokens (tf-idf)
and in the graph's logits. Its weights have normal priors around zero, so that with few labels
little changes: ridge-penalised logistic regression with the shipped log-odds as offset, solved in
its dual form by Newton's method with step halving (Rasmussen and Williams, "Gaussian Processes for
Machine Learning", 2006, algorithm 3.1). How far each block may go is chosen by stratified
cross-validation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.rules import LEVELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from moderation.adaptation.examples import Examples

__all__ = [
    "FOLDS",
    "Blocks",
    "Choice",
    "Fit",
    "Priors",
    "Rows",
    "choose",
    "folds",
    "log_loss",
    "make_blocks",
    "sigmoid",
]

FOLDS: Final = 5
_LOGIT_SCALE: Final = 4.0
_LEAST_DEVIATION: Final = 1e-3
_ITERATIONS: Final = 60
_TUNED_ON: Final = 600
"""Rows on which priors are compared; more would not tell them apart better, only slower."""


@dataclass(frozen=True, slots=True)
class Priors:
    """Prior variances of a correction's blocks, in squared log-odds."""

    features: float
    tokens: float
    logits: float = 0.0625
    bias: float = 0.25
    rules: float = 1.0
    """Of what a rule's level adds beyond its shipped weight."""


GRID: Final = tuple(
    Priors(features, tokens) for features in (0.0, 1.0, 4.0) for tokens in (16.0, 64.0, 256.0)
)
"""Wider priors on the pooled features gain little where labels are, and cost innocent posts of
other kinds dearly: see docs/adapt.md."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Posts as a head reads them, and the scales that turn its weights into a graph's.

    Attributes:
        features: float64, (posts, columns), standardised, divided by the root of the columns.
        tokens: scipy CSR matrix, (posts, pieces), tf-idf rows of length 1.
        logits: float64, (posts, policies), divided by _LOGIT_SCALE.
        mean, deviation: of the features, (columns,).
        idf: (pieces,).
    """

    features: NDArray[np.float64]
    tokens: Any
    logits: NDArray[np.float64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    idf: NDArray[np.float64]


def make_blocks(examples: Examples, tier: str) -> Blocks:
    """Scale what posts are described by; the scales come from the posts themselves, not labels."""
    from scipy import sparse

    features = examples.features[tier]
    mean = features.mean(axis=0)
    deviation = features.std(axis=0) + _LEAST_DEVIATION
    counts = examples.tokens[tier]
    held = np.bincount(counts.indices, minlength=counts.shape[1])
    idf = np.log((1 + len(examples)) / (1 + held)) + 1
    norms = np.sqrt(np.asarray(counts @ (idf**2)).ravel())
    scale = sparse.diags(1.0 / np.maximum(norms, 1e-9))
    return Blocks(
        (features - mean) / deviation / np.sqrt(features.shape[1]),
        (scale @ counts.multiply(idf)).tocsr(),
        examples.logits[tier] / _LOGIT_SCALE,
        mean,
        deviation,
        idf,
    )


@dataclass(frozen=True, slots=True)
class Rows:
    """The labelled posts of one policy, and anchors beside them.

    An anchor is a post that nobody labelled: it stands for traffic that the labels do not speak
    of, and its target is what the shipped model says of it.

    Attributes:
        features, tokens, logits: their description, as in Blocks.
        slope: (posts,), the shipped calibration's slope.
        offset: (posts,), shipped log-odds with the weight of the rules.
        levels: (posts,), strongest rule level, -1: none.
        labels: (posts,), 0 or 1; of an anchor the shipped probability.
        fold: (posts,), the part each belongs to; -1 of an anchor, which no part leaves out.
        weight: (posts,), how much each counts.
    """

    features: NDArray[np.float64]
    tokens: Any
    logits: NDArray[np.float64]
    slope: NDArray[np.float64]
    offset: NDArray[np.float64]
    levels: NDArray[np.int64]
    labels: NDArray[np.float64]
    fold: NDArray[np.int64]
    weight: NDArray[np.float64]

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which are labelled, (posts,)."""
        return self.fold >= 0


@dataclass(frozen=True, slots=True)
class Kernels:
    """How alike posts are, block by block, (posts, posts)."""

    features: NDArray[np.float64]
    tokens: NDArray[np.float64]
    logits: NDArray[np.float64]
    bias: NDArray[np.float64]
    rules: NDArray[np.float64]

    def weighed(self, priors: Priors) -> NDArray[np.float64]:
        """Return the covariance of the posts' corrections."""
        return (
            priors.features * self.features
            + priors.tokens * self.tokens
            + priors.logits * self.logits
            + priors.bias * self.bias
            + priors.rules * self.rules
        )


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights of a correction in the graph's own terms: what is added to one policy's logit.

    Attributes:
        features: (columns,), of pooled features as the graph gives them.
        tokens: (pieces,), of tf-idf rows of length 1.
        logits: (policies,), of the graph's logits.
        bias: constant.
        rules: what each level adds beyond its shipped weight, in log-odds.
    """

    features: NDArray[np.float64]
    tokens: NDArray[np.float64]
    logits: NDArray[np.float64]
    bias: float
    rules: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The correction that cross-validation chose.

    Attributes:
        priors: None where no correction beats the shipped log-odds.
        fit: its weights on all rows.
        held_out: (labelled posts,), log-odds of each by a correction that had not seen its fold,
            rules included.
        held_out_rules: (labelled posts,), the part of it that rule levels add beyond their shipped
            weights.
        gain: mean held-out log-likelihood above the shipped model's, and its standard error.
    """

    priors: Priors | None
    fit: Fit | None
    held_out: NDArray[np.float64]
    held_out_rules: NDArray[np.float64]
    gain: tuple[float, float]


def folds(labels: NDArray[np.float64], seed: int, parts: int = FOLDS) -> NDArray[np.int64]:
    """Deal rows into parts, each with its share of both classes."""
    generator = np.random.default_rng(seed)
    fold = np.zeros(len(labels), np.int64)
    for value in (0.0, 1.0):
        rows = generator.permutation(np.flatnonzero(labels == value))
        fold[rows] = np.arange(len(rows)) % parts
    return fold


def log_loss(log_odds: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each row's negative log-likelihood."""
    loss: NDArray[np.float64] = np.logaddexp(0.0, -(2 * labels - 1) * log_odds)
    return loss


def choose(rows: Rows, blocks: Blocks, grid: Sequence[Priors] = GRID) -> Choice:
    """Choose priors by held-out likelihood, and fit.

    A correction is taken where the likelihood it gains over the shipped log-odds is larger than
    its standard error.
    """
    kernels = _kernels(rows)
    part = _tuning_rows(rows)
    inner, tuning = _only(kernels, part), _Targets.of(rows, part)
    best, least = grid[0], np.inf
    for priors in grid:
        held, _ = _held_out(inner.weighed(priors), priors.rules * inner.rules, tuning)
        loss = float(log_loss(held, tuning.labels[tuning.fold >= 0]).mean())
        if loss < least:
            best, least = priors, loss
    every = _Targets.of(rows, np.arange(len(rows.labels)))
    kernel = kernels.weighed(best)
    held, by_rules = _held_out(kernel, best.rules * kernels.rules, every)
    labels, shipped = rows.labels[rows.labelled], rows.offset[rows.labelled]
    gains = log_loss(shipped, labels) - log_loss(held, labels)
    gain = float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains)))
    if gain[0] <= gain[1]:
        return Choice(None, None, shipped, np.zeros_like(shipped), gain)
    fit = _fit(rows, _solve(kernel, every), best, blocks)
    return Choice(best, fit, held, by_rules, gain)


@dataclass(frozen=True, slots=True)
class _Targets:
    """What a correction is fitted to."""

    offset: NDArray[np.float64]
    labels: NDArray[np.float64]
    weight: NDArray[np.float64]
    fold: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Rows, chosen: NDArray[np.int64]) -> _Targets:
        return cls(rows.offset[chosen], rows.labels[chosen], rows.weight[chosen], rows.fold[chosen])

    def only(self, chosen: NDArray[np.bool_]) -> _Targets:
        return _Targets(
            self.offset[chosen], self.labels[chosen], self.weight[chosen], self.fold[chosen]
        )


def _kernels(rows: Rows) -> Kernels:
    slopes = rows.slope[:, None] * rows.slope
    same = (rows.levels[:, None] == rows.levels) & (rows.levels >= 0)
    tokens = np.asarray((rows.tokens @ rows.tokens.T).todense())
    return Kernels(
        slopes * (rows.features @ rows.features.T),
        slopes * tokens,
        slopes * (rows.logits @ rows.logits.T),
        slopes,
        same.astype(np.float64),
    )


def _only(kernels: Kernels, rows: NDArray[np.int64]) -> Kernels:
    cell = np.ix_(rows, rows)
    return Kernels(
        kernels.features[cell], kernels.tokens[cell], kernels.logits[cell], kernels.bias[cell],
        kernels.rules[cell],
    )  # fmt: skip


def _tuning_rows(rows: Rows) -> NDArray[np.int64]:
    """Return the rows on which priors are compared: all, or a share of each fold and class."""
    labelled = np.flatnonzero(rows.labelled)
    if len(labelled) > _TUNED_ON:
        order = labelled[np.lexsort((labelled, rows.labels[labelled], rows.fold[labelled]))]
        labelled = order[np.linspace(0, len(order) - 1, _TUNED_ON).astype(np.int64)]
    return np.sort(np.concatenate([np.flatnonzero(~rows.labelled), labelled]))


def _held_out(
    kernel: NDArray[np.float64], rules: NDArray[np.float64], targets: _Targets
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the log-odds of labelled posts, each by a correction that had not seen its fold.

    The second array is the part of them that the kernel of the rules adds.
    """
    out, by_rules = targets.offset.copy(), np.zeros_like(targets.offset)
    for part in range(int(targets.fold.max()) + 1):
        unseen = targets.fold == part
        dual = _solve(kernel[np.ix_(~unseen, ~unseen)], targets.only(~unseen))
        out[unseen] += kernel[np.ix_(unseen, ~unseen)] @ dual
        by_rules[unseen] = rules[np.ix_(unseen, ~unseen)] @ dual
    labelled = targets.fold >= 0
    return out[labelled], by_rules[labelled]


def _solve(kernel: NDArray[np.float64], targets: _Targets) -> NDArray[np.float64]:
    """Return dual weights a; the corrections are kernel @ a."""
    from scipy.linalg import cho_solve

    offset, labels, weight = targets.offset, targets.labels, targets.weight
    dual = np.zeros(len(labels))
    values = np.zeros(len(labels))

    def height(dual: NDArray[np.float64], values: NDArray[np.float64]) -> float:
        log_odds = offset + values
        fit = labels * log_odds - np.logaddexp(0.0, log_odds)
        return float((weight * fit).sum() - 0.5 * dual @ values)

    current = height(dual, values)
    for _ in range(_ITERATIONS):
        probability = sigmoid(offset + values)
        curvature = np.maximum(weight * probability * (1 - probability), 1e-9)
        root = np.sqrt(curvature)
        lower = np.linalg.cholesky(np.eye(len(root)) + root[:, None] * kernel * root)
        target = curvature * values + weight * (labels - probability)
        wanted = target - root * cho_solve((lower, True), root * (kernel @ target))
        step, reached, tried = 1.0, current, dual
        while step > 1e-3:
            tried = dual + step * (wanted - dual)
            reached = height(tried, kernel @ tried)
            if reached >= current:
                break
            step /= 2
        if reached <= current + 1e-6:
            break
        dual, current = tried, reached
        values = kernel @ dual
    return dual


def _fit(rows: Rows, dual: NDArray[np.float64], priors: Priors, blocks: Blocks) -> Fit:
    """Return the weights behind a dual solution, taken out of the blocks' scales."""
    scaled = dual * rows.slope
    features = priors.features * (rows.features.T @ scaled)
    features = features / blocks.deviation / np.sqrt(len(blocks.mean))
    return Fit(
        features,
        priors.tokens * np.asarray(rows.tokens.T @ scaled).ravel(),
        priors.logits * (rows.logits.T @ scaled) / _LOGIT_SCALE,
        priors.bias * float(scaled.sum()) - float(features @ blocks.mean),
        tuple(
            priors.rules * float(dual[rows.levels == level].sum()) for level in range(len(LEVELS))
        ),
    )


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logistic function."""
    with np.errstate(over="ignore"):
        out: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-values))
    return out
