"""Processes: what starts workers, forks of a process that has our code loaded where that is sound.

A new Python takes half a second of processor time to load it, each time.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.context import ForkServerContext, SpawnContext

__all__ = ["load_ahead", "undisturbed", "worker_context"]


def load_ahead(modules: Sequence[str]) -> None:
    """Begin to load modules, beside this process, for the workers that it will start.

    Args:
        modules: what they need. One that cannot be imported is left out.
    """
    multiprocessing.get_context("spawn").set_forkserver_preload(list(modules))
    worker_context()


def worker_context() -> ForkServerContext | SpawnContext:
    """Return what starts worker processes.

    On Linux a process is kept for that, which loads code and does nothing else: it has no threads
    but those of numpy's products, which end for a fork and begin anew, and no lock that a fork
    could find held. Elsewhere, and where it cannot be started, every worker is a new Python:
    libraries of macOS do not survive a fork, Windows has none.
    """
    if sys.platform == "linux":
        from multiprocessing import forkserver

        try:
            with undisturbed():
                forkserver.ensure_running()
        except OSError:  # no folder for its socket, or one of too long a name
            pass
        else:
            return multiprocessing.get_context("forkserver")
    return multiprocessing.get_context("spawn")


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep SIGINT and SIGTERM from processes that are started meanwhile: they act on neither."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
