"""Shape: look-alike Han characters, and characters that are written as their parts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from moderation.text.fold import CLASS_HAN, View

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from moderation.text.fold import FoldTable

__all__ = ["LIKE_ENOUGH", "ShapeTable", "load_shapes"]

_CODE_SPACE: Final = 0x110000
LIKE_ENOUGH: Final = 105
"""Least likeness of two characters that may stand for one another: see rules/fold/README.md."""
_LARGEST: Final = 10
"""Characters that one class holds at most: likeness does not carry on for ever."""


@dataclass(frozen=True, slots=True)
class ShapeTable:
    """Look-alikes and parts of Han characters.

    Attributes:
        classes: uint32, shape (0x110000,): the character that stands for a look-alike class.
        looks: for a character, what stands for the classes of look-alikes outside its own.
        split: for a character, its ways of being written as parts.
        joined: for two characters side by side, the one they look like.
    """

    classes: NDArray[np.uint32]
    looks: dict[str, tuple[str, ...]]
    split: dict[str, tuple[str, ...]]
    joined: dict[str, str]

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


def classes_of(pairs: list[tuple[int, int]]) -> NDArray[np.uint32]:
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
        pairs = list(zip(data["look"][order].tolist(), data["char"][order].tolist(), strict=True))
        splits = list(zip(data["split_char"].tolist(), data["split"].tolist(), strict=True))
    classes = classes_of(pairs)
    looks: dict[str, dict[str, None]] = {}
    for look, char in pairs:
        if classes[look] != classes[char]:
            looks.setdefault(chr(char), {})[chr(int(classes[look]))] = None
    split: dict[str, tuple[str, ...]] = {}
    joined: dict[str, str] = {}
    for code, parts in splits:
        known = split.get(chr(code), ())
        if str(parts) not in known:
            split[chr(code)] = (*known, str(parts))
        if len(parts) == 2:
            joined.setdefault(str(parts), chr(code))
    classes.setflags(write=False)
    return ShapeTable(classes, {c: tuple(found) for c, found in looks.items()}, split, joined)
