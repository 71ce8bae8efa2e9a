"""Marks: all there is to a hit but its place, as one number, so that a batch's hits are arrays.

Marks sort as what they stand for: kind, view, whether it is a cue, fold, frail, rare.
"""

from __future__ import annotations

from typing import Final, Literal

from moderation.rules.findings import Hit
from moderation.rules.forms import FOLDS
from moderation.text import VIEWS

__all__ = [
    "BOLD", "CUE", "FRAIL", "LEET", "MARKS", "NOISE", "RARE", "VIEW_SHIFT", "hit_of", "mark_of",
    "view_bit",
]  # fmt: skip

RARE: Final = 1
FRAIL: Final = 2
_FOLD_SHIFT: Final = 2
CUE: Final = 1 << 6
VIEW_SHIFT: Final = 7
BOLD: Final = 3 << VIEW_SHIFT
"""Set where another view than `base` shows the hit."""
_KIND_SHIFT: Final = 9
_KINDS: Final[tuple[Literal["keyword", "regex"], ...]] = ("keyword", "regex")
_FOLDS: Final = tuple(sorted({*FOLDS, "noise"}))
"""How a hit may be hidden: as a form says, or by spaces between the characters of a post."""
_VIEWS: Final = tuple(sorted(VIEWS))
_FOLD_OF: Final = {fold: number << _FOLD_SHIFT for number, fold in enumerate(_FOLDS)}

LEET: Final = _FOLD_OF["leet"]
NOISE: Final = _FOLD_OF["noise"]


def mark_of(hit: Hit) -> int:
    """Return the mark of a hit."""
    return (
        _KINDS.index(hit.kind) << _KIND_SHIFT
        | _VIEWS.index(hit.view) << VIEW_SHIFT
        | hit.cue * CUE
        | _FOLD_OF[hit.fold]
        | hit.frail * FRAIL
        | hit.rare * RARE
    )


def view_bit(view: str) -> int:
    """Return the bit that stands for a view in a set of them."""
    return 1 << _VIEWS.index(view)


def hit_of(start: int, end: int, mark: int) -> Hit:
    """Return the hit that stands at a place and has a mark."""
    return Hit(start, end, *_PARTS[mark])


_Parts = tuple[str, Literal["keyword", "regex"], bool, str, bool, bool]
_PARTS: Final[list[_Parts]] = [
    (view, kind, cue, fold, frail, rare)
    for kind in _KINDS
    for view in _VIEWS
    for cue in (False, True)
    for fold in (*_FOLDS, *("",) * (16 - len(_FOLDS)))
    for frail in (False, True)
    for rare in (False, True)
]
"""What each mark stands for."""
MARKS: Final = len(_PARTS)
"""How many marks there are."""
