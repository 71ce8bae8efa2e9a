"""TextBatch: many posts as one flat array of code points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from moderation.errors import ConfigError, MissingExtraError
from moderation.text.fields import FieldSpans
from moderation.text.native import flat, int64, kernel, uint32

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from moderation.text.fields import FieldSpan

__all__ = ["TextBatch"]


@dataclass(frozen=True, slots=True)
class TextBatch:
    """Posts laid end to end.

    Attributes:
        codepoints: uint32, shape (total,), every post's code points, no separators.
        offsets: int64, shape (posts + 1,); post i is `codepoints[offsets[i]:offsets[i + 1]]`.
        nulls: bool, shape (posts,); True where the input had no text at all.
        fields: where the fields of each post lie, for posts that were given in fields.
    """

    codepoints: NDArray[np.uint32]
    offsets: NDArray[np.int64]
    nulls: NDArray[np.bool_]
    fields: FieldSpans | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Code points per post, shape (posts,)."""
        return np.diff(self.offsets)

    @classmethod
    def from_strings(cls, texts: Sequence[str | None]) -> TextBatch:
        """Lay Python strings end to end. None is a null; lone surrogates are kept as they are.

        Raises:
            TypeError: an item is neither a string nor None; the message gives its position.
        """
        nulls = np.zeros(len(texts), np.bool_)
        filled: Sequence[Any] = texts
        try:
            joined = "".join(filled)
        except TypeError:  # rarely: to look for nulls takes longer than to join
            nulls = np.fromiter((t is None for t in texts), np.bool_, len(texts))
            filled = ["" if t is None else t for t in texts]
            at = next((i for i, t in enumerate(filled) if not isinstance(t, str)), None)
            if at is not None:
                kind = type(filled[at]).__name__
                raise TypeError(
                    f"expected str or None for every post, got {kind} at {at}"
                ) from None
            joined = "".join(filled)
        lengths = np.fromiter(map(len, filled), np.int64, len(filled))
        codepoints = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
        return cls(codepoints, _offsets(lengths), nulls)

    @classmethod
    def from_arrow(cls, array: Any) -> TextBatch:
        """Read an Arrow string column without making Python strings.

        Args:
            array: pyarrow Array or ChunkedArray of string, large_string, string_view or
                null type, or a dictionary of those.

        Raises:
            ConfigError: the column holds something else, or bytes that are not UTF-8.
            MissingExtraError: pyarrow is not installed.
        """
        try:
            import pyarrow as pa
        except ImportError:
            raise MissingExtraError("pyarrow", "arrow") from None
        array = _plain_strings(array, pa)
        nulls = np.zeros(len(array), np.bool_)
        if array.null_count:
            nulls = np.asarray(array.is_null().to_numpy(zero_copy_only=False), np.bool_)
        _, ends, data = array.buffers()
        if not len(array) or data is None:
            return cls(np.zeros(0, np.uint32), np.zeros(len(array) + 1, np.int64), nulls)
        bounds = np.frombuffer(ends, np.int64)[array.offset : array.offset + len(array) + 1]
        try:
            return cls(*_decoded(np.frombuffer(data, np.uint8), bounds, nulls), nulls)
        except UnicodeDecodeError:
            raise ConfigError("the text column holds bytes that are not UTF-8") from None

    def with_fields(self, layouts: Sequence[Sequence[FieldSpan]]) -> TextBatch:
        """Return the same posts with where the fields of each lie, as `join_fields` says.

        Raises:
            ValueError: there are more or fewer layouts than posts.
        """
        if len(layouts) != len(self):
            raise ValueError(f"expected the fields of {len(self)} posts, found {len(layouts)}")
        return replace(self, fields=FieldSpans.from_layouts(layouts))

    def text(self, post: int) -> str:
        """Return one post as a string; lone surrogates come back as they were."""
        part = self.codepoints[self.offsets[post] : self.offsets[post + 1]]
        return part.tobytes().decode("utf-32-le", "surrogatepass")

    def take(self, posts: NDArray[np.int64]) -> TextBatch:
        """Return a batch of the given posts, in the given order."""
        lengths = self.lengths[posts]
        offsets = _offsets(lengths)
        index = np.repeat(self.offsets[posts] - offsets[:-1], lengths) + np.arange(offsets[-1])
        fields = None if self.fields is None else self.fields.take(posts)
        return TextBatch(self.codepoints[index], offsets, self.nulls[posts], fields)


def _decoded(
    data: NDArray[np.uint8], bounds: NDArray[np.int64], nulls: NDArray[np.bool_]
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return code points and offsets of posts that lie in UTF-8 between some bounds.

    Raises:
        UnicodeDecodeError: a post that is no null is not UTF-8.
    """
    if kernel is None:
        return decoded_reference(data, bounds, nulls)
    made = kernel.decode(data, flat(bounds), flat(nulls))
    if made is None:
        raise UnicodeDecodeError("utf-8", b"", 0, 0, "not UTF-8")
    return uint32(made[0]), int64(made[1])


def decoded_reference(
    data: NDArray[np.uint8], bounds: NDArray[np.int64], nulls: NDArray[np.bool_]
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Do the same post by post."""
    spans = zip(bounds[:-1].tolist(), bounds[1:].tolist(), nulls.tolist(), strict=True)
    texts = ["" if null else data[a:b].tobytes().decode("utf-8") for a, b, null in spans]
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32)
    return codes, _offsets(np.fromiter(map(len, texts), np.int64, len(texts)))


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def _plain_strings(array: Any, pa: Any) -> Any:
    """Return the column as one large_string Array."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    ):
        raise ConfigError(f"the text column must hold strings, found Arrow type {array.type}")
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
        if isinstance(array, pa.ChunkedArray):  # no chunk at all, or too large for one
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], kind)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array.cast(pa.large_string())
