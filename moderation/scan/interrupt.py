"""Interrupts: SIGINT and SIGTERM ask a scan to stop where it can be gone on with."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moderation.scan.rows import Rows

__all__ = ["Interrupt"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """Remembers the first signal; a second one, or one during a read that may wait, raises."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._waiting = False

    def stopping(self) -> bool:
        """Say whether a signal has come."""
        return self.signal is not None

    def waiting(self, rows: Rows) -> Rows:
        """Yield the rows of an input that may keep its reader waiting; a signal then raises."""
        while True:
            self._waiting = True
            try:
                if self.stopping():
                    raise KeyboardInterrupt
                row = next(rows, None)
            finally:
                self._waiting = False
            if row is None:
                return
            yield row

    @contextmanager
    def listening(self, *, at_once: bool = False) -> Iterator[None]:
        """Take the signals for as long as the block runs; does nothing outside the main thread.

        Args:
            at_once: the first signal raises as well: nothing could be gone on with.
        """
        self._waiting = at_once
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._take) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, number: int, _frame: Any) -> None:
        again = self.stopping()
        self.signal = self.signal or number
        if again or self._waiting:
            raise KeyboardInterrupt
