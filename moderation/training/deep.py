"""The deep tier in torch: the e5 encoder, fine-tuned under heads for policies and stances.

It reads the tokens of the fast tier, so that a post is tokenised once; its vectors are the rows of
the encoder's own table for those pieces. The fast tier learns from its probabilities (distillation,
Hinton et al. 2015), since it keeps what the order of words says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from moderation.training.e5 import load_encoder
from moderation.training.losses import policy_loss
from moderation.types import POLICIES, STANCES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from moderation.classifier.features import Ragged
    from moderation.training.e5 import EncoderFile

__all__ = ["DeepNet", "DeepRecipe", "fine_tune", "label", "piece_features"]

_POOL: Final = 64
"""Batches are cut from pools this many batches large, sorted by length, to waste no padding."""
_BEGIN: Final = 0
_END: Final = 2
_STANDARD_BATCH: Final = 64
_STANDARD_ROWS: Final = 512
_LEAST_SPREAD: Final = 1e-3
_REPORT_EVERY: Final = 100


@dataclass(frozen=True, slots=True)
class DeepRecipe:
    """Everything that decides a fine-tuning run besides its data.

    Attributes:
        layers: how many of the encoder's layers are kept, from the input on.
        rate, vector_rate, head_rate: highest learning rates of layers, token vectors and heads.
        warm_up: share of the steps over which the rates rise.
        limit: tokens that are read of a post in training, and of a longer window in use.
        smoothing: share of a label given to the opposite.
        stance_weight: weight of the stance loss.
    """

    seed: int = 0
    layers: int = 4
    epochs: int = 1
    batch: int = 32
    rate: float = 2e-4
    vector_rate: float = 4e-4
    head_rate: float = 1e-3
    warm_up: float = 0.06
    limit: int = 48
    use_limit: int = 126
    smoothing: float = 0.02
    stance_weight: float = 0.2
    dropout: float = 0.1


class DeepNet(nn.Module):
    """The encoder's mean state under one linear head for policies and one for stances.

    Token ids are those of the fast tier's tokenizer; `begin` and `end` stand round a post.
    """

    centre: torch.Tensor
    spread: torch.Tensor

    def __init__(
        self, file: EncoderFile, encoder_ids: NDArray[np.int64], recipe: DeepRecipe
    ) -> None:
        super().__init__()
        encoder = load_encoder(file)
        chosen = np.concatenate([encoder_ids, [_BEGIN, _END]])
        rows = encoder.word.weight.detach()[torch.from_numpy(chosen)]
        encoder.word = nn.Embedding.from_pretrained(rows, freeze=False, sparse=True)  # type: ignore[no-untyped-call]
        encoder.pos.weight.requires_grad_(False)
        encoder.layers = encoder.layers[: recipe.layers]
        self.encoder = encoder
        self.begin, self.end = len(encoder_ids), len(encoder_ids) + 1
        # The encoder's means lie in a narrow cone; heads learn nothing there unless standardised.
        self.register_buffer("centre", torch.zeros(file.hidden))
        self.register_buffer("spread", torch.ones(file.hidden))
        self.dropout = nn.Dropout(recipe.dropout)
        self.policies = nn.Linear(file.hidden, len(POLICIES))
        self.stances = nn.Linear(file.hidden, len(STANCES))
        for head in (self.policies, self.stances):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def features(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the standardised mean of a post's token states, float32 (rows, hidden)."""
        states = self.encoder(ids, mask, pool=False)
        weight = mask[:, :, None]
        mean = ((states * weight).sum(1) / weight.sum(1)).float()
        found: torch.Tensor = (mean - self.centre) / self.spread
        return found

    def standardise(self, tokens: Ragged, rows: NDArray[np.int64], limit: int) -> None:
        """Take centre and spread of `features` from some posts, before training."""
        with torch.inference_mode():
            parts = [
                self.features(*self.padded(tokens, rows[at : at + _STANDARD_BATCH], limit))
                for at in range(0, len(rows), _STANDARD_BATCH)
            ]
        found = torch.cat(parts)
        self.centre.copy_(found.mean(0))
        self.spread.copy_(found.std(0) + _LEAST_SPREAD)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits of policies and of stances, (rows, 3) and (rows, stances)."""
        found = self.dropout(self.features(ids, mask))
        return self.policies(found), self.stances(found)

    def padded(
        self, tokens: Ragged, rows: NDArray[np.int64], limit: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return token ids and mask of some posts, framed, int64 and float32 (rows, width)."""
        starts = tokens.offsets[rows]
        lengths = np.minimum(tokens.offsets[rows + 1] - starts, limit)
        ids = np.full((len(rows), int(lengths.max()) + 2), self.end, np.int64)
        ids[:, 0] = self.begin
        columns = np.arange(ids.shape[1] - 2)
        inside = columns < lengths[:, None]
        ids[:, 1:-1][inside] = tokens.values[(starts[:, None] + columns)[inside]]
        mask = np.arange(ids.shape[1]) < lengths[:, None] + 2
        return torch.from_numpy(ids), torch.from_numpy(mask.astype(np.float32))


def fine_tune(
    net: DeepNet,
    tokens: Ragged,
    targets: NDArray[np.float32],
    stances: NDArray[np.int64],
    weights: NDArray[np.float32],
    rows: NDArray[np.int64],
    recipe: DeepRecipe,
    report: Callable[[str], None] = lambda _: None,
) -> DeepNet:
    """Train every layer on some rows; a row may be listed more than once.

    Products are taken in bfloat16 where the processor has instructions for it, else in float32:
    emulated, bfloat16 is six times as slow as float32.

    Args:
        net: a fresh network.
        tokens: token ids of every post.
        targets: float32 (posts, policies), NaN where unknown.
        stances: int64 (posts,), index into STANCES, -1 where unknown.
        weights: float32 (posts,).
        rows: posts to train on.
        recipe: hyper-parameters.
        report: called with a line now and then.
    """
    torch.manual_seed(recipe.seed)
    generator = np.random.default_rng(recipe.seed)
    net.eval().standardise(tokens, generator.permutation(rows)[:_STANDARD_ROWS], recipe.limit)
    net.train()
    vectors = net.encoder.word.weight
    layers = [
        p for n, p in net.encoder.named_parameters() if n not in {"word.weight", "pos.weight"}
    ]
    heads = [*net.policies.parameters(), *net.stances.parameters()]
    sparse = torch.optim.SparseAdam([vectors], lr=recipe.vector_rate)
    dense = torch.optim.AdamW(
        [{"params": layers}, {"params": heads}], weight_decay=0.01, fused=True
    )
    lengths = np.minimum(tokens.lengths, recipe.limit)
    total = max(recipe.epochs * len(rows) // recipe.batch, 1)
    step, running = 0, 0.0
    for _ in range(recipe.epochs):
        for batch in _batches(rows, lengths, recipe.batch, generator):
            factor = min(1.0, (step + 1) / (recipe.warm_up * total)) * max(1 - step / total, 0.0)
            sparse.param_groups[0]["lr"] = recipe.vector_rate * factor
            dense.param_groups[0]["lr"] = recipe.rate * factor
            dense.param_groups[1]["lr"] = recipe.head_rate * factor
            with _products():
                policies, stance = net(*net.padded(tokens, batch, recipe.limit))
            loss = policy_loss(policies.float(), targets[batch], weights[batch], recipe.smoothing)
            told = torch.from_numpy(stances[batch])
            if (told >= 0).any():
                loss = loss + recipe.stance_weight * functional.cross_entropy(
                    stance.float(), told, ignore_index=-1, reduction="sum"
                ) / len(batch)
            sparse.zero_grad()
            dense.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(layers, 1.0)
            sparse.step()  # type: ignore[no-untyped-call]
            dense.step()
            running += float(loss.detach())
            step += 1
            if step % _REPORT_EVERY == 0:
                report(f"deep step {step}/{total}: loss {running / _REPORT_EVERY:.4f}")
                running = 0.0
    return net.eval()


def label(
    net: DeepNet, tokens: Ragged, rows: NDArray[np.int64], limit: int, batch: int = 64
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return logits of policies and stances, float64 (len(rows), 3) and (len(rows), stances)."""
    order = np.argsort(tokens.lengths[rows], kind="stable")
    policies = np.zeros((len(rows), len(POLICIES)))
    stances = np.zeros((len(rows), len(STANCES)))
    with torch.inference_mode(), _products():
        for start in range(0, len(rows), batch):
            chosen = order[start : start + batch]
            first, second = net(*net.padded(tokens, rows[chosen], limit))
            policies[chosen], stances[chosen] = first.double().numpy(), second.double().numpy()
    return policies, stances


def piece_features(
    net: DeepNet, pieces: NDArray[np.int64], batch: int = 1024
) -> NDArray[np.float32]:
    """Return what the heads read of single tokens, float32 (len(pieces), hidden).

    As initial vectors of the fast tier's tokens this carries over what the fine-tuned encoder
    knows of words that no labelled post holds.
    """
    parts = []
    with torch.inference_mode(), _products():
        for start in range(0, len(pieces), batch):
            piece = torch.from_numpy(pieces[start : start + batch])
            begin, end = torch.full_like(piece, net.begin), torch.full_like(piece, net.end)
            ids = torch.stack([begin, piece, end], 1)
            parts.append(net.features(ids, torch.ones(ids.shape)).numpy())
    return np.concatenate(parts)


def _products() -> torch.autocast:
    """Return the context that products are taken in: bfloat16 if the processor has it."""
    # The public way to ask (torch.cpu.get_capabilities) is newer than the oldest torch allowed.
    has = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=has)


def _batches(
    rows: NDArray[np.int64],
    lengths: NDArray[np.int64],
    size: int,
    generator: np.random.Generator,
) -> Iterator[NDArray[np.int64]]:
    order = generator.permutation(rows)
    for start in range(0, len(order), size * _POOL):
        pool = order[start : start + size * _POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        pieces = [pool[i : i + size] for i in range(0, len(pool), size)]
        for number in generator.permutation(len(pieces)):
            yield pieces[number]
