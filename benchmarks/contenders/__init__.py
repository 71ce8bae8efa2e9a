"""What the speed and quality of moderation-engine are set against, and moderation-engine itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray


class MissingError(Exception):
    """A contender cannot run here; the message says why."""


@dataclass(frozen=True)
class Contender:
    """One way to look at a list of posts.

    Attributes:
        name: as the tables call it.
        does: what it does and what it leaves undone, in a line.
        run: looks at every post; this is what is timed, from a list of str to results in memory.
        scores: float64 (posts,), higher for likelier violations of any policy; None where it says
            nothing of posts as a whole or was never taught anything.
        threshold: score from which a post counts as flagged.
        graded: False where scores are 0 and 1 only, so that the threshold cannot be moved.
    """

    name: str
    does: str
    run: Callable[[Sequence[str]], object]
    scores: Callable[[Sequence[str]], NDArray[np.float64]] | None = None
    threshold: float = 0.5
    graded: bool = True


def need(package: str, install: str) -> object:
    """Import a module and return it.

    Raises:
        MissingError: it is not installed; the message names the package to install.
    """
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingError(f"not installed here (pip install {install}): {error}") from None
