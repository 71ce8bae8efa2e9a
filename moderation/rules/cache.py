"""Cache: what was compiled from a rules folder, by the digests of the rules and of our code."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from moderation import cache
from moderation.text.native import kernel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["holds", "load", "load_arrays", "store", "store_arrays"]

_ROOMS: Final = ("rules", "text")
"""Packages whose code decides what is compiled."""


def load(kind: str, digest: str) -> bytes | None:
    """Return what was stored for rules of a digest; None where nothing sound is there."""
    return cache.load(kind, _key(digest))


def holds(kind: str, digest: str) -> bool:
    """Say whether something was stored for rules of a digest, sound or not."""
    return cache.holds(kind, _key(digest))


def load_arrays(kind: str, digest: str) -> dict[str, NDArray[Any]] | None:
    """Return arrays that were stored for rules of a digest, read-only; None as for `load`."""
    return cache.load_arrays(kind, _key(digest))


def store(kind: str, digest: str, data: bytes) -> None:
    """Keep something for rules of a digest; where that is impossible, do not."""
    cache.store(kind, _key(digest), data)


def store_arrays(kind: str, digest: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keep arrays of one dimension as `store` keeps bytes."""
    cache.store_arrays(kind, _key(digest), arrays)


def _key(digest: str) -> str:
    return f"{digest}\0{_code()}"


@lru_cache(maxsize=1)
def _code() -> str:
    """Return the digest of the code that compiles rules: another one may compile them otherwise.

    The kernel is part of it: how it lays out its tables is its own.
    """
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((package / room).glob("*.py")):
            data = path.read_bytes()
            digest.update(f"{room}/{path.name}\0{len(data)}\0".encode())
            digest.update(data)
    digest.update(b"" if kernel is None else Path(kernel.__file__).read_bytes())
    return digest.hexdigest()
