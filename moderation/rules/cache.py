"""Cache: what was compiled from a rules folder, kept on disk for the next process.

A file is named by the digest of the rules and of the code that compiled them, begins with the
SHA-256 of the rest, and holds numbers and strings only. One that is missing, cut short, altered or
cannot be written is no error: the rules are compiled again.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["StoredArray", "cache_folder", "load", "pack", "store", "unpack"]

_DIGEST: Final = 32
"""Bytes of a SHA-256."""
_KEPT: Final = 8
"""Files that are kept; the ones that were used last."""
_ROOMS: Final = ("rules", "text")
"""Packages whose code decides what is compiled."""


class StoredArray(msgspec.Struct, frozen=True, array_like=True):
    """An array of one dimension: its dtype and its bytes."""

    dtype: str
    data: bytes


def cache_folder() -> Path | None:
    """Return where compiled rules are kept; None where the user has no such place.

    That is `moderation-engine` in `$XDG_CACHE_HOME`, or in `~/.cache`.
    """
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    try:
        root = Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".cache"
    except RuntimeError:  # nobody's home
        return None
    return root / "moderation-engine"


def load(kind: str, digest: str) -> bytes | None:
    """Return what was stored for rules of a digest; None where nothing sound is there."""
    path = _path(kind, digest)
    if path is None:
        return None
    try:
        data = path.read_bytes()
    except OSError:
        return None
    found = memoryview(data)[_DIGEST:]
    if hashlib.sha256(found).digest() != data[:_DIGEST]:
        return None
    with suppress(OSError):
        os.utime(path)
    return bytes(found)


def store(kind: str, digest: str, data: bytes) -> None:
    """Keep something for rules of a digest, in one step; where that is impossible, do not."""
    path = _path(kind, digest)
    if path is None:
        return
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(data).digest())
                file.write(data)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _tidy(path.parent)


def pack(arrays: Mapping[str, NDArray[Any]]) -> dict[str, StoredArray]:
    """Return arrays as they are stored."""
    return {name: StoredArray(a.dtype.str, a.tobytes()) for name, a in arrays.items()}


def unpack(stored: Mapping[str, StoredArray]) -> dict[str, NDArray[Any]]:
    """Return stored arrays, read-only."""
    return {name: np.frombuffer(a.data, np.dtype(a.dtype)) for name, a in stored.items()}


def _path(kind: str, digest: str) -> Path | None:
    folder = cache_folder()
    if folder is None:
        return None
    name = hashlib.sha256(f"{digest}\0{_code()}\0{sys.byteorder}".encode()).hexdigest()
    return folder / f"{kind}-{name[:40]}.bin"


@lru_cache(maxsize=1)
def _code() -> str:
    """Return the digest of the code that compiles rules: another one may compile them otherwise."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((package / room).glob("*.py")):
            data = path.read_bytes()
            digest.update(f"{room}/{path.name}\0{len(data)}\0".encode())
            digest.update(data)
    return digest.hexdigest()


def _tidy(folder: Path) -> None:
    """Remove the files that were used longest ago."""
    known = [(path.stat().st_mtime_ns, path) for path in folder.glob("*.bin")]
    for _, path in sorted(known)[:-_KEPT]:
        path.unlink(missing_ok=True)
