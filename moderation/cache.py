"""Cache: what was worked out once, kept on disk for the next process.

A file is named by a digest of all that its content depends on, begins with the SHA-256 of the rest,
and holds numbers and strings only. One that is missing, cut short, altered or cannot be written is
no error: what it held is worked out again. Arrays are mapped, not read, so that processes share
them.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["cache_folder", "holds", "load", "load_arrays", "store", "store_arrays"]

_DIGEST: Final = 32
"""Bytes of a SHA-256."""
_KEPT: Final = 16
"""Files that are kept; the ones that were used last."""
_SIZE: Final = 8
"""Bytes that say how long the list of arrays is."""
_ALIGNED: Final = 64
"""Arrays begin at multiples of this."""


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """Where an array of one dimension stands, counted from the first one, and what it holds."""

    name: str
    dtype: str
    start: int
    count: int


def cache_folder() -> Path | None:
    """Return where files are kept; None where the user has no such place.

    That is `moderation-engine` in `$XDG_CACHE_HOME`, or in `~/.cache`.
    """
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    try:
        root = Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".cache"
    except RuntimeError:  # nobody's home
        return None
    return root / "moderation-engine"


def load(kind: str, key: str) -> bytes | None:
    """Return what was stored; None where nothing sound is there.

    Args:
        kind: what it is; begins the file's name.
        key: names all that it depends on.
    """
    found = _verified(kind, key)
    return None if found is None else bytes(found[_DIGEST:])


def holds(kind: str, key: str) -> bool:
    """Say whether something was stored, sound or not."""
    path = _path(kind, key)
    return path is not None and path.is_file()


def load_arrays(kind: str, key: str) -> dict[str, NDArray[Any]] | None:
    """Return arrays that were stored, read-only; None as for `load`."""
    found = _verified(kind, key)
    if found is None:
        return None
    size = int.from_bytes(found[_DIGEST : _DIGEST + _SIZE], "little")
    listed = found[_DIGEST + _SIZE : _DIGEST + _SIZE + size]
    try:
        places = msgspec.msgpack.decode(listed, type=list[_Place])
        origin = _aligned(_DIGEST + _SIZE + size)
        return {
            place.name: np.frombuffer(found, place.dtype, place.count, origin + place.start)
            for place in places
        }
    except (msgspec.MsgspecError, ValueError, TypeError):
        return None


def store(kind: str, key: str, data: bytes) -> None:
    """Keep something, in one step; where that is impossible, do not."""
    _write(kind, key, (data,))


def store_arrays(kind: str, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keep arrays of one dimension as `store` keeps bytes."""
    places: list[_Place] = []
    parts: list[bytes] = []
    end = 0
    for name, array in arrays.items():
        start = _aligned(end)
        places.append(_Place(name, array.dtype.str, start, len(array)))
        parts += [bytes(start - end), array.tobytes()]
        end = start + array.nbytes
    listed = msgspec.msgpack.encode(places)
    before = _DIGEST + _SIZE + len(listed)
    head = (len(listed).to_bytes(_SIZE, "little"), listed, bytes(_aligned(before) - before))
    _write(kind, key, (*head, *parts))


def _aligned(place: int) -> int:
    return -(-place // _ALIGNED) * _ALIGNED


def _verified(kind: str, key: str) -> memoryview | None:
    """Return a file as it lies on disk; None where its digest says that it is another."""
    path = _path(kind, key)
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            found = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):  # an empty file cannot be mapped
        return None
    if hashlib.sha256(found[_DIGEST:]).digest() != found[:_DIGEST]:
        return None
    with suppress(OSError):
        os.utime(path)
    return found


def _write(kind: str, key: str, parts: Sequence[bytes]) -> None:
    path = _path(kind, key)
    if path is None:
        return
    checksum = hashlib.sha256()
    for part in parts:
        checksum.update(part)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(checksum.digest())
                file.writelines(parts)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _tidy(path.parent)


def _path(kind: str, key: str) -> Path | None:
    folder = cache_folder()
    if folder is None:
        return None
    name = hashlib.sha256(f"{key}\0{sys.byteorder}".encode()).hexdigest()
    return folder / f"{kind}-{name[:40]}.bin"


def _tidy(folder: Path) -> None:
    """Remove the files that were used longest ago."""
    known = [(path.stat().st_mtime_ns, path) for path in folder.glob("*.bin")]
    for _, path in sorted(known)[:-_KEPT]:
        path.unlink(missing_ok=True)
