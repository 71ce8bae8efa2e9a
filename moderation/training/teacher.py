"""Fine-tune the teacher and let it label text for the students."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from moderation.training.use import UseEncoder, UseTokenizer
from moderation.types import POLICIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

__all__ = ["Teacher", "TeacherRecipe", "fine_tune"]

_POOL: Final = 64
"""Batches are cut from pools this many batches large, sorted by length, to waste no padding."""
_WIDTH: Final = 512
_PIECE_LIMIT: Final = 16


@dataclass(frozen=True, slots=True)
class TeacherRecipe:
    """Everything that decides a fine-tuning run besides its data."""

    seed: int = 0
    epochs: int = 1
    batch: int = 64
    rate: float = 4e-4
    vector_rate: float = 4e-4
    head_rate: float = 2e-3
    limit: int = 96
    smoothing: float = 0.02


class Teacher(nn.Module):
    """The encoder under a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = UseEncoder()
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(_WIDTH, len(POLICIES))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return logits, (batch, policies)."""
        logits: torch.Tensor = self.head(self.dropout(self.encoder.features(ids, mask)))
        return logits


def fine_tune(
    tokens: list[list[int]],
    targets: NDArray[np.float32],
    weights: NDArray[np.float32],
    rows: NDArray[np.int64],
    recipe: TeacherRecipe,
    report: Callable[[str], None] = lambda _: None,
) -> Teacher:
    """Train every layer on some rows; a row may be listed more than once.

    Args:
        tokens: token ids of every post.
        targets: float32 (posts, policies), NaN where unknown.
        weights: float32 (posts,).
        rows: posts to train on.
        recipe: hyper-parameters.
        report: called with a line now and then.
    """
    torch.manual_seed(recipe.seed)
    generator = np.random.default_rng(recipe.seed)
    teacher = Teacher().train()
    vectors = [teacher.encoder.embedding.weight]
    inner = [p for n, p in teacher.encoder.named_parameters() if n != "embedding.weight"]
    sparse = torch.optim.SparseAdam(vectors, lr=recipe.vector_rate)
    dense = torch.optim.AdamW(
        [
            {"params": inner, "lr": recipe.rate},
            {"params": teacher.head.parameters(), "lr": recipe.head_rate},
        ],
        weight_decay=0.01,
    )
    lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
    total = max(recipe.epochs * len(rows) // recipe.batch, 1)
    step, running = 0, 0.0
    for _ in range(recipe.epochs):
        for batch in _batches(rows, lengths, recipe.batch, generator):
            factor = min(1.0, (step + 1) / (0.05 * total)) * max(1 - step / total, 0.0)
            sparse.param_groups[0]["lr"] = recipe.vector_rate * factor
            dense.param_groups[0]["lr"] = recipe.rate * factor
            dense.param_groups[1]["lr"] = recipe.head_rate * factor
            target = torch.from_numpy(targets[batch])
            known = ~torch.isnan(target)
            smooth = torch.nan_to_num(target) * (1 - 2 * recipe.smoothing) + recipe.smoothing
            loss = functional.binary_cross_entropy_with_logits(
                teacher(*_padded(tokens, batch)), smooth, reduction="none"
            )
            value = (loss * known * torch.from_numpy(weights[batch])[:, None]).sum() / len(batch)
            sparse.zero_grad()
            dense.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(inner, 1.0)
            sparse.step()  # type: ignore[no-untyped-call]
            dense.step()
            running += float(value.detach())
            step += 1
            if step % 200 == 0:
                report(f"teacher step {step}/{total}: loss {running / 200:.4f}")
                running = 0.0
    return teacher.eval()


def label(
    teacher: Teacher, tokens: list[list[int]], rows: NDArray[np.int64], batch: int = 128
) -> NDArray[np.float64]:
    """Return the teacher's logits, float64 (len(rows), policies)."""
    lengths = np.fromiter((len(tokens[r]) for r in rows), np.int64, len(rows))
    order = np.argsort(lengths, kind="stable")
    out = np.zeros((len(rows), len(POLICIES)))
    with torch.inference_mode():
        for start in range(0, len(rows), batch):
            chosen = order[start : start + batch]
            out[chosen] = teacher(*_padded(tokens, rows[chosen])).double().numpy()
    return out


def piece_features(teacher: Teacher, pieces: list[str], batch: int = 512) -> NDArray[np.float32]:
    """Return what the teacher's head reads of each piece of text alone, (pieces, 512).

    The fine-tuned encoder knows what an unseen word has to do with the policies; as initial
    vectors of the student's tokens this carries over words that no labelled post holds.
    """
    tokens = tokenize(pieces, _PIECE_LIMIT)
    order = np.argsort([len(row) for row in tokens], kind="stable")
    out = np.zeros((len(pieces), _WIDTH), np.float32)
    with torch.inference_mode():
        for start in range(0, len(pieces), batch):
            chosen = order[start : start + batch]
            out[chosen] = teacher.encoder.features(*_padded(tokens, chosen)).numpy()
    return out


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


def _padded(tokens: list[list[int]], rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(tokens[r]) for r in rows)
    ids = np.zeros((len(rows), width), np.int64)
    mask = np.zeros((len(rows), width), np.float32)
    for at, row in enumerate(rows):
        ids[at, : len(tokens[row])] = tokens[row]
        mask[at, : len(tokens[row])] = 1.0
    return torch.from_numpy(ids), torch.from_numpy(mask)


def tokenize(texts: list[str], limit: int) -> list[list[int]]:
    """Return the encoder's token ids for folded posts."""
    return UseTokenizer().encode(texts, limit)
