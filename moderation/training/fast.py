"""The fast tier in torch: a weighted bag of token vectors beside a bag of hashed n-grams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from moderation.training.export import FastWeights
from moderation.training.losses import policy_loss
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from moderation.classifier.features import Ragged

__all__ = ["Examples", "FastNet", "Recipe", "predict", "train"]

TOKEN_SCALE: Final = 4.0
GRAM_SCALE: Final = 4.0
LENGTH_SCALE: Final = 0.3
EPSILON: Final = 1e-3
_INITIAL_DEVIATION: Final = 0.25
_PREDICT_ROWS: Final = 4096


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a training run besides its data."""

    seed: int = 0
    epochs: int = 3
    batch: int = 512
    token_rate: float = 2e-3
    gram_rate: float = 2e-3
    dense_rate: float = 1e-3
    weight_decay: float = 0.0
    token_dropout: float = 0.1
    hidden: int = 128
    hidden_dropout: float = 0.2
    gram_width: int = 16
    smoothing: float = 0.01


@dataclass(frozen=True, slots=True)
class Examples:
    """Posts as features.

    Attributes:
        tokens: token ids.
        grams: hashed inputs, in the order of the tier's inputs.
        targets: float32, shape (posts, policies), probabilities; NaN where unknown.
        weights: float32, shape (posts,).
    """

    tokens: Ragged
    grams: tuple[Ragged, ...]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]


class FastNet(nn.Module):
    """Token bag and n-gram bags through a small dense network."""

    def __init__(
        self, vectors: NDArray[np.float32], buckets: tuple[int, ...], recipe: Recipe
    ) -> None:
        super().__init__()
        scaled = vectors / (vectors.std() + 1e-9) * _INITIAL_DEVIATION
        self.tokens = nn.Parameter(torch.from_numpy(scaled.astype(np.float32)))
        self.attention = nn.Parameter(torch.zeros(len(vectors)))
        self.grams = nn.ParameterList(
            nn.Parameter(torch.randn(size, recipe.gram_width) * 0.02) for size in buckets
        )
        width = vectors.shape[1] + 1 + recipe.gram_width * len(buckets)
        self.hidden = nn.Linear(width, recipe.hidden)
        self.dropout = nn.Dropout(recipe.hidden_dropout)
        self.output = nn.Linear(recipe.hidden, len(POLICIES))
        self.token_dropout = recipe.token_dropout

    def forward(
        self,
        tokens: tuple[torch.Tensor, torch.Tensor],
        grams: list[tuple[torch.Tensor, torch.Tensor]],
    ) -> torch.Tensor:
        """Return logits, (rows, policies), of flat ids with the offset each row starts at."""
        ids, starts = tokens
        weight = torch.exp(self.attention[ids])
        if self.training and self.token_dropout:
            weight = weight * (torch.rand(len(ids)) >= self.token_dropout)
        ones = torch.ones(1).expand(len(self.tokens), 1)
        bag = functional.embedding_bag
        total = bag(ids, ones, starts, mode="sum", per_sample_weights=weight)
        summed = bag(ids, self.tokens, starts, mode="sum", per_sample_weights=weight)
        parts = [summed / (total + EPSILON) * TOKEN_SCALE, torch.log1p(total) * LENGTH_SCALE]
        for (values, offsets), table in zip(grams, self.grams, strict=True):
            parts.append(bag(values, table, offsets, mode="mean") * GRAM_SCALE)
        hidden = functional.relu(self.hidden(torch.cat(parts, 1)))
        logits: torch.Tensor = self.output(self.dropout(hidden))
        return logits

    def weights(self) -> FastWeights:
        """Return the trained arrays for export."""

        def array(tensor: torch.Tensor) -> NDArray[np.float32]:
            return tensor.detach().numpy().astype(np.float32)

        return FastWeights(
            array(self.tokens),
            array(self.attention),
            [array(table) for table in self.grams],
            (array(self.hidden.weight), array(self.hidden.bias)),
            (array(self.output.weight), array(self.output.bias)),
            token_scale=TOKEN_SCALE,
            gram_scale=GRAM_SCALE,
            length_scale=LENGTH_SCALE,
            epsilon=EPSILON,
        )


def train(
    examples: Examples,
    rows: NDArray[np.int64],
    vectors: NDArray[np.float32],
    buckets: tuple[int, ...],
    recipe: Recipe,
    report: Callable[[str], None] = lambda _: None,
) -> FastNet:
    """Train on some rows. The same arguments, thread count and torch give the same weights."""
    torch.manual_seed(recipe.seed)
    generator = np.random.default_rng(recipe.seed)
    net = FastNet(vectors, buckets, recipe)
    groups: list[dict[str, Any]] = [
        {"params": [net.tokens, net.attention], "lr": recipe.token_rate},
        {"params": list(net.grams), "lr": recipe.gram_rate},
        {"params": [*net.hidden.parameters(), *net.output.parameters()], "lr": recipe.dense_rate},
    ]
    groups = [group for group in groups if group["params"]]
    rates = [group["lr"] for group in groups]
    optimiser = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
    order = np.array(rows, np.int64)
    steps = max(recipe.epochs * (len(order) // recipe.batch), 1)
    step = 0
    for epoch in range(recipe.epochs):
        net.train()
        generator.shuffle(order)
        running = 0.0
        for start in range(0, len(order) - recipe.batch + 1, recipe.batch):
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * (1 - step / steps)
            running += _step(net, optimiser, examples, order[start : start + recipe.batch], recipe)
            step += 1
        loss = running / max(steps // recipe.epochs, 1)
        report(f"epoch {epoch + 1}/{recipe.epochs}: loss {loss:.4f}")
    return net.eval()


def predict(net: FastNet, examples: Examples, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return logits, float64, shape (len(rows), policies)."""
    net.eval()
    parts = [np.zeros((0, len(POLICIES)))]
    with torch.inference_mode():
        for start in range(0, len(rows), _PREDICT_ROWS):
            chosen = rows[start : start + _PREDICT_ROWS]
            grams = [_gather(ragged, chosen) for ragged in examples.grams]
            parts.append(net(_gather(examples.tokens, chosen), grams).double().numpy())
    return np.concatenate(parts)


def _step(
    net: FastNet,
    optimiser: torch.optim.Optimizer,
    examples: Examples,
    rows: NDArray[np.int64],
    recipe: Recipe,
) -> float:
    grams = [_gather(ragged, rows) for ragged in examples.grams]
    logits = net(_gather(examples.tokens, rows), grams)
    total = policy_loss(logits, examples.targets[rows], examples.weights[rows], recipe.smoothing)
    optimiser.zero_grad()
    total.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return float(total.detach())


def _gather(ragged: Ragged, rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = ragged.lengths[rows]
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    index = np.repeat(ragged.offsets[rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
    values = torch.from_numpy(ragged.values[index].astype(np.int64))
    return values, torch.from_numpy(offsets[:-1])
