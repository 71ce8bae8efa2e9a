"""Ordinary language: how often a term stands in posts that offend against nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["load_ordinary"]

_BASIS: Final = 2166136261
_PRIME: Final = 16777619
_IN_HAN: Final = "\x01"
"""Before a Latin word: its count in posts that also hold Han characters."""


def load_ordinary(folder: Path) -> Callable[[str], int | None] | None:
    """Return a function from a folded term to the posts in a million that hold it.

    It returns None for terms that nobody counted: those longer than the table's. Without the file
    fold/ordinary.npz (`key` uint32, ascending, FNV-1a over code points; `per_million` uint16) there
    is no function.
    """
    path = folder / "fold" / "ordinary.npz"
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as data:
        keys, counts = data["key"], data["per_million"]

    def per_million(term: str) -> int | None:
        if not _counted(term):
            return None
        found = [_look_up(name) for name in (term, _IN_HAN + term)]
        return max(found)

    def _look_up(name: str) -> int:
        key = _key(name)
        at = int(np.searchsorted(keys, key))
        return int(counts[at]) if at < len(keys) and keys[at] == key else 0

    return per_million


def _counted(term: str) -> bool:
    return (term.isascii() and term.isalpha()) or (not term.isascii() and 2 <= len(term) <= 4)


def _key(text: str) -> int:
    """Return the 32-bit FNV-1a hash over code points."""
    value = _BASIS
    for char in text:
        value = ((value ^ ord(char)) * _PRIME) & 0xFFFFFFFF
    return value
