"""The native kernel, where it was built: the same results as the references beside it, faster."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _load() -> Any:
    try:
        return importlib.import_module("moderation._kernel")
    except ImportError:
        return None


kernel: Final[Any] = _load()
"""`moderation._kernel`, or None where no compiler was at hand when the package was built."""

__all__ = ["flat", "int64", "kernel", "uint32"]


def flat(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that the kernel can read as one block."""
    return np.ascontiguousarray(array)


def int64(data: bytes) -> NDArray[np.int64]:
    """Read what the kernel returned."""
    return np.frombuffer(data, np.int64)


def uint32(data: bytes) -> NDArray[np.uint32]:
    """Read what the kernel returned."""
    return np.frombuffer(data, np.uint32)
