"""Folding: views of a batch in which evaded spellings meet plain ones, with a map back.

A fold is a table over code points applied to the whole batch. Tables are shipped data (see
rules/fold/README.md) so that a verdict does not depend on the Unicode version of the Python that
runs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.errors import DataNotFoundError
from moderation.text.native import flat, int64, kernel, uint32

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.text.batch import TextBatch

__all__ = [
    "CLASS_DIGIT",
    "CLASS_HAN",
    "CLASS_KANA",
    "CLASS_LATIN",
    "CLASS_LETTER",
    "CLASS_SPACE",
    "CLASS_WORD",
    "FOLD_KINDS",
    "VIEWS",
    "FoldTable",
    "View",
    "load_table",
]

VIEWS: Final = ("base", "compact", "shape", "sound")
"""From cheap to bold."""

FOLD_KINDS: Final = (
    "",
    "case",
    "width",
    "compatibility",
    "look-alike",
    "traditional",
    "accent",
    "invisible",
)
"""Names of the kinds in a fold table; the index is the value stored there."""

CLASS_LATIN: Final = 1
CLASS_HAN: Final = 2
CLASS_DIGIT: Final = 4
CLASS_KANA: Final = 8
CLASS_LETTER: Final = 16
"""Letters of any other script."""
CLASS_SPACE: Final = 32
CLASS_WORD: Final = CLASS_LATIN | CLASS_HAN | CLASS_DIGIT | CLASS_KANA | CLASS_LETTER

_REMOVED: Final = 0xFFFFFFFF
_EXPANDED: Final = 0x80000000
_CODE_SPACE: Final = 0x110000


@dataclass(frozen=True, slots=True)
class View:
    """A folded batch.

    Attributes:
        name: one of VIEWS.
        codepoints: uint32, shape (total,), folded code points, posts end to end.
        offsets: int64, shape (posts + 1,).
        source: int64, shape (total,): index of the original code point each came from, in the
            flat array of the batch.
        last: int64, shape (total,): index of the last original code point it stands for (another
            than `source` only where repeats were collapsed).
        base_first, base_last: the same two as indices into the `base` view's code points.
    """

    name: str
    codepoints: NDArray[np.uint32]
    offsets: NDArray[np.int64]
    source: NDArray[np.int64]
    last: NDArray[np.int64]
    base_first: NDArray[np.int64]
    base_last: NDArray[np.int64]

    def text(self) -> str:
        """Return the whole view as one string; index i is `codepoints[i]`."""
        return self.codepoints.tobytes().decode("utf-32-le")

    def post(self, index: int) -> str:
        """Return one folded post."""
        part = self.codepoints[self.offsets[index] : self.offsets[index + 1]]
        return part.tobytes().decode("utf-32-le")

    def take(self, posts: NDArray[np.int64], batch: TextBatch, part: TextBatch) -> View:
        """Return some posts of a base view.

        Args:
            posts: the posts, in the order wanted.
            batch: the batch that this is a view of.
            part: the same posts of that batch, as `TextBatch.take` returns them.
        """
        lengths = np.diff(self.offsets)[posts]
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        same = np.arange(offsets[-1])
        flat = np.repeat(self.offsets[posts] - offsets[:-1], lengths) + same
        moved = np.repeat(part.offsets[:-1] - batch.offsets[posts], lengths)
        source = self.source[flat] + moved
        last = source if self.last is self.source else self.last[flat] + moved
        return View(self.name, self.codepoints[flat], offsets, source, last, same, same)

    def texts(self) -> list[str]:
        """Return every folded post as a string."""
        joined = self.text()
        bounds = self.offsets.tolist()
        return [joined[a:b] for a, b in pairwise(bounds)]


@dataclass(frozen=True, slots=True)
class FoldTable:
    """The `base` fold and the character classes.

    Attributes:
        target: uint32, shape (0x110000,): folded code point, a removal mark, or an expansion.
        kind: uint8, shape (0x110000,): index into FOLD_KINDS of what the fold did.
        classes: uint8, shape (0x110000,): bit set of the CLASS_ constants.
        expansion_start, expansion_length: int64, one per expansion, into `expansion`.
        expansion: uint32: the code points that expansions unfold to.
        unicode: version of the Unicode data the table was built from.
    """

    target: NDArray[np.uint32]
    kind: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    expansion_start: NDArray[np.int64]
    expansion_length: NDArray[np.int64]
    expansion: NDArray[np.uint32]
    unicode: str

    def base(self, batch: TextBatch) -> View:
        """Fold width, case, compatibility forms, look-alikes, variants; drop what is invisible."""
        if kernel is None:
            return self.base_reference(batch)
        codes, offsets, source = kernel.fold(
            flat(batch.codepoints),
            batch.offsets,
            self.target,
            self.expansion_start,
            self.expansion_length,
            self.expansion,
        )
        origin = int64(source)
        same = np.arange(len(origin))
        return View("base", uint32(codes), int64(offsets), origin, origin, same, same)

    def base_reference(self, batch: TextBatch) -> View:
        """Do the same as `base` in numpy."""
        folded = self.target[batch.codepoints]
        special = folded >= _EXPANDED
        if not special.any():
            source = np.arange(len(folded))
            return View("base", folded, batch.offsets, source, source, source, source)
        counts = np.ones(len(folded), np.int64)
        removed = folded == _REMOVED
        counts[removed] = 0
        expanded = np.flatnonzero(special & ~removed)
        numbers = (folded[expanded] - _EXPANDED).astype(np.int64)
        counts[expanded] = self.expansion_length[numbers]
        ends = np.cumsum(counts)
        source = (
            np.repeat(np.arange(len(folded)), counts) if len(expanded) else np.flatnonzero(~removed)
        )
        out = folded[source]
        for position, number in zip(expanded.tolist(), numbers.tolist(), strict=True):
            start, length = self.expansion_start[number], self.expansion_length[number]
            out[ends[position] - length : ends[position]] = self.expansion[start : start + length]
        before = np.concatenate(([0], ends))
        same = np.arange(len(out))
        return View("base", out, before[batch.offsets], source, source, same, same)

    def compact(self, base: View) -> View:
        """Drop what is not a letter or digit and collapse repeated letters (digits stay).

        Only neighbours collapse: with noise between them, equal letters may belong to two words.
        """
        if kernel is None:
            return self.compact_reference(base)
        codes, offsets, first, last = kernel.compact(
            flat(base.codepoints), base.offsets, self.classes
        )
        base_first, base_last = int64(first), int64(last)
        return View(
            "compact",
            uint32(codes),
            int64(offsets),
            base.source[base_first],
            base.last[base_last],
            base_first,
            base_last,
        )

    def compact_reference(self, base: View) -> View:
        """Do the same as `compact` in numpy."""
        classes = self.classes[base.codepoints]
        kept = np.flatnonzero(classes & CLASS_WORD)
        letters = base.codepoints[kept]
        starts = np.searchsorted(kept, base.offsets)
        repeat = np.zeros(len(kept), np.bool_)
        repeat[1:] = (
            (letters[1:] == letters[:-1])
            & (kept[1:] == kept[:-1] + 1)
            & ((classes[kept[1:]] & CLASS_DIGIT) == 0)
        )
        inner = starts[1:-1]
        repeat[inner[inner < len(kept)]] = False  # the first letter of a post repeats nothing
        first = np.flatnonzero(~repeat)
        next_first = np.append(first[1:], len(kept))
        base_first, base_last = kept[first], kept[next_first - 1] if len(kept) else kept
        return View(
            "compact",
            letters[first],
            np.searchsorted(first, starts),
            base.source[base_first],
            base.last[base_last],
            base_first,
            base_last,
        )

    def fold_text(self, text: str) -> str:
        """Return one string in the `base` view: what rule literals and model training use."""
        from moderation.text.batch import TextBatch

        return self.base(TextBatch.from_strings([text])).text()

    def kinds(self, codepoints: NDArray[np.uint32]) -> set[str]:
        """Return which folds change the given original code points."""
        return {FOLD_KINDS[k] for k in np.unique(self.kind[codepoints]).tolist() if k}


@lru_cache(maxsize=4)
def load_table(rules_folder: Path) -> FoldTable:
    """Load `fold/base.npz` below a rules folder. Tables are cached per folder.

    Raises:
        DataNotFoundError: the file is missing.
    """
    path = rules_folder / "fold" / "base.npz"
    if not path.is_file():
        raise DataNotFoundError(f"expected the fold table {path}; it is part of the rules folder")
    with np.load(path, allow_pickle=False) as data:
        target = np.arange(_CODE_SPACE, dtype=np.uint32)
        target[data["source"]] = data["target"]
        kind = np.zeros(_CODE_SPACE, np.uint8)
        kind[data["source"]] = data["kind"]
        bounds = np.append(data["class_start"].astype(np.int64), _CODE_SPACE)
        classes = np.repeat(data["class_value"], np.diff(bounds))
        lengths = data["expansion_length"].astype(np.int64)
        table = FoldTable(
            target,
            kind,
            classes,
            np.concatenate(([0], np.cumsum(lengths)))[:-1],
            lengths,
            data["expansion"],
            str(data["unicode"]),
        )
    for array in (table.target, table.kind, table.classes):
        array.setflags(write=False)
    return table
