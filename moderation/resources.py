"""Find the shipped rules and models, wherever the package was installed."""

from __future__ import annotations

import os
from pathlib import Path

from moderation.errors import DataNotFoundError

__all__ = ["DATA_VARIABLE", "data_root"]

DATA_VARIABLE = "MODERATION_DATA"


def data_root() -> Path:
    """Return the folder that holds `rules` and `models`.

    `$MODERATION_DATA` is used alone when it is set; otherwise the data inside the wheel, then the
    checkout around the package. The current folder is never searched.

    Raises:
        DataNotFoundError: no candidate holds both folders; the message lists what was tried.
    """
    package = Path(__file__).resolve().parent
    chosen = os.environ.get(DATA_VARIABLE)
    candidates = [Path(chosen)] if chosen else [package / "_data", package.parent]
    for root in candidates:
        if (root / "rules").is_dir() and (root / "models").is_dir():
            return root
    tried = ", ".join(str(c) for c in candidates)
    hint = f" (${DATA_VARIABLE} is set, so nothing else is searched)" if chosen else ""
    raise DataNotFoundError(
        f"no folder holding both rules/ and models/ was found; tried: {tried}{hint}"
    )
