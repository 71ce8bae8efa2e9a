"""Shape: look-alike Han characters, and characters that are written as their parts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.text.fold import CLASS_HAN, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.text.fold import FoldTable

__all__ = ["LIKE_ENOUGH", "ShapeTable", "load_shapes"]

_CODE_SPACE: Final = 0x110000
LIKE_ENOUGH: Final = 105
"""Least likeness of two characters that may stand for one another: see rules/fold/README.md."""
_LARGEST: Final = 10
"""Characters that one class holds at most: likeness does not carry on for ever."""


@dataclass(frozen=True)
class ShapeTable:
    """Look-alikes and parts of Han characters.

    Attributes:
        pairs: int64, shape (pairs, 2): two characters that look alike, the likest pairs first.
        split_codes: uint32, shape (splits,): characters.
        split_parts: strings, same shape: a way of being written as parts of each.
    """

    pairs: NDArray[np.int64]
    split_codes: NDArray[np.uint32]
    split_parts: NDArray[np.str_]

    @cached_property
    def classes(self) -> NDArray[np.uint32]:
        """The character that stands for a look-alike class, shape (0x110000,)."""
        classes = _classes_of(self.pairs.tolist())
        classes.setflags(write=False)
        return classes

    def moved(self) -> NDArray[np.int64]:
        """Return the characters that another one stands for, and that one, shape (moved, 2)."""
        codes = np.flatnonzero(self.classes != np.arange(_CODE_SPACE))
        return np.stack([codes, self.classes[codes]], axis=1).astype(np.int64)

    def knowing(self, moved: NDArray[np.int64]) -> ShapeTable:
        """Return the same table, told what `moved` returned: it need not be worked out again."""
        classes = np.arange(_CODE_SPACE, dtype=np.uint32)
        classes[moved[:, 0]] = moved[:, 1]
        classes.setflags(write=False)
        table = ShapeTable(self.pairs, self.split_codes, self.split_parts)
        table.__dict__["classes"] = classes
        return table

    @cached_property
    def looks(self) -> dict[str, tuple[str, ...]]:
        """For a character, what stands for the classes of look-alikes outside its own."""
        classes = self.classes
        looks: dict[str, dict[str, None]] = {}
        for look, char in self.pairs.tolist():
            if classes[look] != classes[char]:
                looks.setdefault(chr(char), {})[chr(int(classes[look]))] = None
        return {char: tuple(found) for char, found in looks.items()}

    def _splits(self) -> Iterator[tuple[str, str]]:
        return zip(map(chr, self.split_codes.tolist()), self.split_parts.tolist(), strict=True)

    @cached_property
    def split(self) -> dict[str, tuple[str, ...]]:
        """For a character, its ways of being written as parts."""
        split: dict[str, tuple[str, ...]] = {}
        for char, parts in self._splits():
            known = split.get(char, ())
            if parts not in known:
                split[char] = (*known, parts)
        return split

    @cached_property
    def joined(self) -> dict[str, str]:
        """For two characters side by side, the one they look like."""
        joined: dict[str, str] = {}
        for char, parts in self._splits():
            if len(parts) == 2:
                joined.setdefault(parts, char)
        return joined

    def view(self, compact: View, table: FoldTable) -> View:
        """Return the shape view of a compact view: its Han characters, each as its class."""
        kept = np.flatnonzero(table.classes[compact.codepoints] & CLASS_HAN)
        return View(
            "shape",
            self.classes[compact.codepoints[kept]],
            np.searchsorted(kept, compact.offsets),
            compact.source[kept],
            compact.last[kept],
            compact.base_first[kept],
            compact.base_last[kept],
        )

    def fold(self, text: str) -> str:
        """Return a text with every character as its class."""
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        return self.classes[codes].tobytes().decode("utf-32-le", "surrogatepass")


def _classes_of(pairs: Iterable[tuple[int, int]]) -> NDArray[np.uint32]:
    """Gather look-alikes into classes of limited size, the likest pairs first."""
    members: dict[int, list[int]] = {}
    for first, second in pairs:
        a, b = members.setdefault(first, [first]), members.setdefault(second, [second])
        if a is b or len(a) + len(b) > _LARGEST:
            continue
        a += b
        for code in b:
            members[code] = a
    classes = np.arange(_CODE_SPACE, dtype=np.uint32)
    for code, group in members.items():
        classes[code] = min(group)
    return classes


@lru_cache(maxsize=4)
def load_shapes(rules_folder: Path) -> ShapeTable | None:
    """Load `fold/shapes.npz` below a rules folder; None where the folder has none."""
    path = rules_folder / "fold" / "shapes.npz"
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as data:
        score = data["score"].astype(np.int64)
        order = np.argsort(-score, kind="stable")
        order = order[score[order] >= LIKE_ENOUGH]
        pairs = np.stack([data["look"][order], data["char"][order]], axis=1).astype(np.int64)
        table = ShapeTable(pairs, data["split_char"], data["split"])
    pairs.setflags(write=False)
    return table
