"""Features of the tiers: token ids and hashed n-grams, as flat arrays over a batch."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from moderation.errors import ModelError
from moderation.text import View
from moderation.text.native import flat, int64, kernel, uint32

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.classifier.manifest import InputSpec

__all__ = [
    "Ragged",
    "Tokenizer",
    "character_ngrams",
    "character_ngrams_reference",
    "framed",
    "one_line",
    "posts_of",
    "taken_reference",
    "token_bigrams",
]

_PRIMES: Final = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F)
_NEWLINE: Final = 10
_SPACE: Final = 32


@dataclass(frozen=True, slots=True)
class Ragged:
    """Rows of differing length.

    Attributes:
        values: int32, shape (total,).
        offsets: int64, shape (rows + 1,).
    """

    values: NDArray[np.int32]
    offsets: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Values per row."""
        return np.diff(self.offsets)

    def padded(self, rows: NDArray[np.int64], width: int, padding: int) -> NDArray[np.int32]:
        """Return some rows as a matrix, shape (len(rows), width), cut or padded on the right."""
        if kernel is None:
            return self.padded_reference(rows, width, padding)
        made = kernel.pad(flat(self.values), self.offsets, flat(rows), width, padding)
        return np.frombuffer(made, np.int32).reshape(len(rows), width)

    def padded_reference(
        self, rows: NDArray[np.int64], width: int, padding: int
    ) -> NDArray[np.int32]:
        """Do the same as `padded` in numpy."""
        lengths = np.minimum(self.lengths[rows], width)
        columns = np.arange(width)
        inside = columns < lengths[:, None]
        out = np.full((len(rows), width), padding, np.int32)
        out[inside] = self.values[(self.offsets[rows][:, None] + columns)[inside]]
        return out


class Tokenizer:
    """The sentencepiece model of a tier, applied to folded text.

    The native kernel reads models as `moderation.training` writes them; sentencepiece is loaded
    for any other, and where there is no kernel.

    Raises:
        ModelError: the file cannot be read, or is no sentencepiece model.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._native, self._pieces = None, 0
        if kernel is not None:
            try:
                self._native, self._pieces = kernel.tokenizer(path.read_bytes())
            except OSError as error:
                raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
        if self._native is None:
            self._pieces = int(self._processor.vocab_size())

    @property
    def size(self) -> int:
        """Number of pieces."""
        return self._pieces

    def encode(self, base: View) -> Ragged:
        """Return the token ids of posts in the base view; a line break counts as a space."""
        if self._native is None:
            return self.encode_reference(base)
        values, offsets = kernel.encode(self._native, flat(base.codepoints), base.offsets)
        return Ragged(np.frombuffer(values, np.int32), int64(offsets))

    def encode_reference(self, base: View) -> Ragged:
        """Do the same as `encode` in sentencepiece."""
        ids = self._processor.encode(one_line(base), num_threads=1)
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        values: Iterable[int] = itertools.chain.from_iterable(ids)
        return Ragged(np.fromiter(values, np.int32, int(offsets[-1])), offsets)

    @cached_property
    def _processor(self) -> Any:
        import sentencepiece

        try:
            return sentencepiece.SentencePieceProcessor(model_file=str(self._path))
        except (OSError, RuntimeError) as error:
            raise ModelError(f"{self._path}: sentencepiece cannot load it: {error}") from None


def framed(tokens: Ragged, spec: InputSpec) -> Ragged:
    """Return token ids as an input wants them: shifted, cut to its limit, with begin and end.

    Raises:
        ModelError: the limit leaves no room for tokens.
    """
    marks = (spec.begin is not None) + (spec.end is not None)
    if spec.limit and spec.limit <= marks:
        raise ModelError(f"input {spec.name}: a limit of {spec.limit} leaves no room for tokens")
    if not (marks or spec.limit or spec.offset):
        return tokens
    kept = tokens.lengths
    if spec.limit:
        kept = np.minimum(kept, spec.limit - marks)
    offsets = np.concatenate(([0], np.cumsum(kept + marks)))
    first = offsets[:-1] + (spec.begin is not None)
    values = np.empty(int(offsets[-1]), np.int32)
    within = np.arange(int(kept.sum())) - np.repeat(np.cumsum(kept) - kept, kept)
    values[np.repeat(first, kept) + within] = (
        tokens.values[np.repeat(tokens.offsets[:-1], kept) + within] + spec.offset
    )
    if spec.begin is not None:
        values[offsets[:-1]] = spec.begin
    if spec.end is not None:
        values[offsets[1:] - 1] = spec.end
    return Ragged(values, offsets)


def token_bigrams(tokens: Ragged, buckets: int) -> Ragged:
    """Hash each pair of neighbouring tokens into one of `buckets` (a power of two)."""
    values = tokens.values.astype(np.uint32)
    if len(values) < 2:
        return Ragged(np.zeros(0, np.int32), np.zeros_like(tokens.offsets))
    hashed = values[:-1] * np.uint32(_PRIMES[0]) ^ (values[1:] + np.uint32(1)) * np.uint32(
        _PRIMES[1]
    )
    keep = np.ones(len(values), np.bool_)
    ends = tokens.offsets[1:][tokens.lengths > 0] - 1
    keep[ends] = False  # the last token of a post has no right neighbour
    return _bucket(hashed[keep[:-1]], np.maximum(tokens.lengths - 1, 0), buckets)


def character_ngrams(base: View, size: int, buckets: int) -> Ragged:
    """Hash each run of `size` code points of a folded post into one of `buckets`.

    Args:
        base: the batch in the base view.
        size: 1 to 4.
        buckets: a power of two.
    """
    if kernel is None:
        return character_ngrams_reference(base, size, buckets)
    values, offsets = kernel.ngrams(flat(base.codepoints), base.offsets, size, buckets)
    return Ragged(np.frombuffer(values, np.int32), int64(offsets))


def character_ngrams_reference(base: View, size: int, buckets: int) -> Ragged:
    """Do the same as `character_ngrams` in numpy."""
    codes = base.codepoints
    lengths = np.maximum(np.diff(base.offsets) - size + 1, 0)
    count = max(len(codes) - size + 1, 0)
    hashed = np.zeros(count, np.uint32)
    for position in range(size):
        hashed ^= (codes[position : position + count] + np.uint32(position)) * np.uint32(
            _PRIMES[position]
        )
        hashed = (hashed << np.uint32(5)) | (hashed >> np.uint32(27))
    keep = np.ones(len(codes), np.bool_)
    for back in range(1, size):
        ends = base.offsets[1:] - back
        keep[ends[ends >= base.offsets[:-1]]] = False
    return _bucket(hashed[keep[:count]], lengths, buckets)


def _bucket(hashed: NDArray[np.uint32], lengths: NDArray[np.int64], buckets: int) -> Ragged:
    mixed = hashed * np.uint32(_PRIMES[2])
    values = (mixed ^ (mixed >> np.uint32(15))) & np.uint32(buckets - 1)
    return Ragged(values.astype(np.int32), np.concatenate(([0], np.cumsum(lengths))))


def one_line(view: View) -> list[str]:
    """Return every folded post with line breaks as spaces, as the tokenizer expects."""
    codes = view.codepoints
    if (codes == _NEWLINE).any():
        codes = np.where(codes == _NEWLINE, np.uint32(_SPACE), codes)
    joined = codes.tobytes().decode("utf-32-le")
    bounds = view.offsets.tolist()
    return [joined[a:b] for a, b in itertools.pairwise(bounds)]


def posts_of(base: View, posts: NDArray[np.int64]) -> View:
    """Return the text of some posts of a view, in the order given; where it comes from is left out.

    The classifier reads what was written, wherever it stood.
    """
    if kernel is None:
        codes, offsets = taken_reference(base.codepoints, base.offsets, posts)
    else:
        made = kernel.taken(flat(base.codepoints), base.offsets, flat(posts))
        codes, offsets = uint32(made[0]), int64(made[1])
    nowhere = np.zeros(0, np.int64)
    return View(base.name, codes, offsets, nowhere, nowhere, nowhere, nowhere)


def taken_reference(
    codes: NDArray[np.uint32], offsets: NDArray[np.int64], posts: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return code points and offsets of some posts, as the kernel does."""
    lengths = np.diff(offsets)[posts]
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    places = np.repeat(offsets[posts] - bounds[:-1], lengths) + np.arange(bounds[-1])
    return codes[places], bounds
