"""Workers: units scored by processes; one that dies costs nothing but time."""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import signal
import traceback
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Final

from moderation.errors import ModerationError
from moderation.scan.spool import Checkpoint, read_checkpoint
from moderation.scan.unit import StoppedError, Tick, UnitTask, Work, scan_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

__all__ = ["Worker", "run_in_workers", "workers_ahead"]

_POLL_SECONDS: Final = 0.2
_PATIENCE_SECONDS: Final = 60.0
"""How long a worker may take to finish its batch before it is killed; its checkpoint stays."""
_MOST_FALSE_STARTS: Final = 3
_NEW_OBJECTS: Final = 50_000
"""After so many a worker looks for garbage; what it loads, it keeps to its end."""
_READY: Final = "ready"
_STOPPED: Final = "stopped"


@dataclass(frozen=True, slots=True)
class _Failure:
    """What a worker could not go on from."""

    message: str
    expected: bool
    """An error that the package raises on purpose."""


def run_in_workers(
    work: Work,
    tasks: Sequence[UnitTask],
    jobs: int,
    *,
    stopping: Callable[[], bool],
    report: Callable[[Tick], None],
    finished: Callable[[UnitTask, Checkpoint], None],
    say: Callable[[str], None],
    ahead: Sequence[Worker] = (),
) -> None:
    """Score units in processes of their own.

    A worker that dies is replaced, and its unit goes on from its checkpoint. When that happens
    twice at one place, the records there are scored one by one; the one that two more workers die
    of is rejected.

    Args:
        work: engine and options.
        tasks: the units.
        jobs: processes.
        stopping: asked now and then whether to stop.
        report: told what workers have done.
        finished: told of every unit that is done.
        say: told, in words, of every worker that died.
        ahead: workers that were started before, up to `jobs`; not all of them need be used.

    Raises:
        StoppedError: it was asked to stop, and every worker has.
        ModerationError: a result cannot be written, or workers die before they have started, or
            whatever record they score.
    """
    pool = _Pool(work, tasks, stopping, report, finished, say)
    try:
        pool.run(jobs, ahead)
    finally:
        pool.close()


class Worker:
    """One process, and what it is at. It loads our code at once, rules and model with its work."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_serve, args=(theirs,), name="moderate-worker", daemon=True
        )
        with _undisturbed():
            self.process.start()
        theirs.close()
        self.task: UnitTask | None = None
        self.ready = False
        self._told = False

    def tell(self, work: Work) -> None:
        """Say what every unit shares, once."""
        if not self._told:
            self._told = True
            _send(self.connection, work)


@contextmanager
def workers_ahead(jobs: int) -> Iterator[list[Worker]]:
    """Start workers that will be told later what to do; end those that never are."""
    started: list[Worker] = []
    try:
        started.extend(Worker() for _ in range(jobs))
        yield started
    finally:
        for worker in started:
            worker.connection.close()  # without work or a unit this is the end


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep the signals that a worker does not act on from one that has not come to say so yet."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Pool:
    def __init__(
        self,
        work: Work,
        tasks: Sequence[UnitTask],
        stopping: Callable[[], bool],
        report: Callable[[Tick], None],
        finished: Callable[[UnitTask, Checkpoint], None],
        say: Callable[[str], None],
    ) -> None:
        self._work = work
        self._queue = deque(tasks)
        self._stopping = stopping
        self._report = report
        self._finished = finished
        self._say = say
        self._workers: list[Worker] = []
        self._stopped = False
        self._false_starts = 0
        self._deaths: dict[tuple[int, int], tuple[int, int]] = {}

    def run(self, jobs: int, ahead: Sequence[Worker]) -> None:
        """Score everything."""
        wanted = min(jobs, len(self._queue))
        self._workers += ahead[:wanted]
        while len(self._workers) < wanted:
            self._workers.append(Worker())
        for worker in self._workers:
            worker.tell(self._work)
        while self._workers:
            if self._stopping() and not self._stopped:
                self._ask_to_stop()
            found = wait([worker.connection for worker in self._workers], _POLL_SECONDS)
            for worker in [w for w in self._workers if w.connection in found]:
                try:
                    message = worker.connection.recv()
                except (EOFError, OSError):
                    self._bury(worker)
                else:
                    self._hear(worker, message)
        if self._stopped:
            raise StoppedError("stopped")

    def close(self) -> None:
        """End the workers that are left, after their batch."""
        self._ask_to_stop()
        for worker in self._workers:
            worker.process.join(_PATIENCE_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.connection.close()

    def _ask_to_stop(self) -> None:
        self._stopped = True
        self._queue.clear()
        for worker in self._workers:
            _send(worker.connection, None)

    def _hear(self, worker: Worker, message: Any) -> None:
        if isinstance(message, Tick):
            self._report(message)
        elif isinstance(message, _Failure):
            if message.expected:
                raise ModerationError(message.message)
            raise RuntimeError(message.message)
        elif message == _STOPPED:
            worker.task = None
        else:
            worker.ready = True
            self._false_starts = 0
            task, worker.task = worker.task, None
            self._employ(worker)  # first: it goes on while its rows are put together
            if isinstance(message, Checkpoint):
                assert task is not None
                self._finished(task, message)

    def _employ(self, worker: Worker) -> None:
        """Give a worker its next unit, or send it home."""
        if self._queue:
            worker.task = self._queue.popleft()
            _send(worker.connection, worker.task)
        else:
            _send(worker.connection, None)

    def _bury(self, worker: Worker) -> None:
        """Take note of a worker that has gone: as asked, or with a unit unfinished."""
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join()
        task = worker.task
        if self._stopped or (worker.ready and task is None):
            return
        cause = _cause(worker.process.exitcode)
        if task is None:
            self._false_starts += 1
            if self._false_starts > _MOST_FALSE_STARTS:
                raise ModerationError(f"worker processes end before they have started: {cause}")
        else:
            again = self._after_death(task, cause)
            if again is not None:
                self._queue.appendleft(again)
        if self._queue:
            self._workers.append(Worker())
            self._workers[-1].tell(self._work)

    def _after_death(self, task: UnitTask, cause: str) -> UnitTask | None:
        """Return how to go on with a unit whose worker died."""
        point = read_checkpoint(task.files.checkpoint)
        if point.done:
            self._finished(task, point)
            return None
        key = (task.unit.shard, task.unit.number)
        place, count = self._deaths.get(key, (-1, 0))
        count = count + 1 if place == point.records else 1
        self._deaths[key] = (point.records, count)
        name = task.unit.source.name
        at = f"{name}: a worker process died ({cause}) after record {point.records:,} of its part"
        if task.fatal == point.records + 1:  # it is not the record, then
            raise ModerationError(f"{at}, whatever the record: expected a worker to live")
        if count > 1 and point.records < task.careful_until:
            self._say(f"{at}; the next record is rejected")
            return replace(task, fatal=point.records + 1)
        if count > 1:
            self._say(f"{at} again; going on record by record")
            return replace(task, careful_until=point.records + self._work.options.batch_size)
        self._say(f"{at}; going on from there")
        return task


def _cause(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _send(connection: Connection, message: object) -> None:
    try:
        connection.send(message)
    except OSError:  # it has gone; the loop finds out
        return


def _serve(connection: Connection) -> None:
    """Score units until there are none; the main function of a worker.

    The signals of a terminal and of a service manager go to every process of a scan; only the
    first one acts on them.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    gc.set_threshold(_NEW_OBJECTS)
    try:
        importlib.import_module("moderation.engine")  # while the scan finds out what is to be done
        work: Work = connection.recv()
        work.moderator.check("")
        connection.send(_READY)
        while (task := connection.recv()) is not None:
            point = scan_unit(work, task, stopping=connection.poll, report=connection.send)
            connection.send(point)
    except StoppedError:
        _send(connection, _STOPPED)
    except (EOFError, BrokenPipeError, ConnectionResetError):  # the scan was killed
        return
    except ModerationError as error:
        _send(connection, _Failure(str(error), expected=True))
    except Exception:  # noqa: BLE001  (told where it can be shown)
        _send(connection, _Failure(traceback.format_exc(), expected=False))
