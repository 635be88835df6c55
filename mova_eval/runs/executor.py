"""Executors: something that does tasks and streams back what it has. `local` is worker processes on this machine.

A worker loads each network once and does one task at a time with all its parts: one clip (or a group, for full batches)
with all its metrics, so that it is decoded once, or one clip to be generated. Workers are separate programs, not forks:
a crash in native code ends one of them and costs one part.
"""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from metrics.errors import UserError
from mova_eval.runs.outcomes import TIMEOUT, WORKER_DIED
from mova_eval.runs.processes import Program, WorkerProcess
from mova_eval.runs.stopping import StopSignal
from mova_eval.runs.worker import Begun, Died, Done, Group, Message, SetupLike, Stopped, TaskEnd, TaskLike

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_FAILED_STARTS = 3
"""Deaths in a row without any work done, or while loading the same metric, after which the run gives up."""
_GRACE_SECONDS = 5.0


class Executor(Protocol):
    """Does tasks somewhere."""

    def run(self, tasks: Sequence[TaskLike]) -> Iterator[list[Message]]:
        """Batches of `Begun`, `Noted`, `Done` and `Died`, as they come; every part of a task gets one `Done`.

        Ends early, without an error, when asked to stop. Raises UserError when the run cannot go on at all.
        """
        ...

    def close(self) -> None:
        """End all workers."""
        ...


class InProcessExecutor:
    """Does tasks in this process: for debugging and for very few clips. A crash in native code ends the run."""

    def __init__(self, setup: SetupLike, stop: StopSignal) -> None:
        self._notes: list[Message] = []
        self._work = setup.for_worker(0).start(self._notes.append)
        self._stop = stop

    def run(self, tasks: Sequence[TaskLike]) -> Iterator[list[Message]]:
        for task in tasks:
            for message in self._work.work(task):
                if isinstance(message, Stopped):
                    raise UserError(message.reason)
                if self._stop.is_set() and isinstance(message, Begun):
                    return
                yield [*self._notes, message]
                self._notes.clear()

    def close(self) -> None:
        """Nothing to end."""


@dataclass
class _Worker:
    """One worker process and what it is doing."""

    slot: int
    setup: SetupLike
    process: WorkerProcess
    connection: Connection[Any, Any]
    task: TaskLike | None = None
    begun: Begun | None = None
    since: float = 0.0
    overdue: Begun | None = None
    """The part for which this worker was ended."""

    def give(self, task: TaskLike) -> None:
        self.task, self.begun = task, None
        with suppress(OSError):  # it has died: noticed, and the task handed on, where messages are received
            self.connection.send(task)


class LocalExecutor:
    """Worker processes on this machine.

    timeout: seconds after which one part is given up (its worker is ended), None for never; the loading of networks
    does not count. log: file for what workers print.
    """

    def __init__(
        self, setup: SetupLike, stop: StopSignal, *, workers: int, log: Path, timeout: float | None = None
    ) -> None:
        self._setup = setup
        self._stop = stop
        self._count = workers
        self._timeout = timeout
        self._log = log
        self._workers: list[_Worker] = []
        self._leaving: list[_Worker] = []
        self._fatal: str | None = None
        self._queue: deque[TaskLike] = deque()
        self._failed_starts: dict[str | None, int] = {}

    def run(self, tasks: Sequence[TaskLike]) -> Iterator[list[Message]]:
        self._queue = deque(tasks)
        for _ in range(min(self._count, len(self._queue))):
            self._start(len(self._workers))
        while self._workers:
            ready = wait([*(worker.connection for worker in self._workers), self._stop.fileno()], self._patience())
            batch: list[Message] = []
            for worker in list(self._workers):
                if worker.connection in ready:
                    self._receive(worker, batch)
            self._end_overdue()
            if batch:
                yield batch
            if self._fatal is not None:
                raise UserError(self._fatal)
            if self._stop.is_set():
                return

    def close(self) -> None:
        for worker in self._workers:
            worker.connection.close()
            worker.process.signal(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        for worker in [*self._workers, *self._leaving]:
            _reap(worker, max(deadline - time.monotonic(), 0.01))
        self._workers.clear()
        self._leaving.clear()

    def _start(self, slot: int) -> None:
        """A new worker, at once given the next task."""
        ours, theirs = Pipe()
        setup = self._setup.for_worker(slot)
        threads = dict.fromkeys(_THREAD_VARIABLES, str(setup.threads))
        with theirs:
            process = self._spawn(theirs.fileno(), setup, {**threads, **setup.environment()})
        worker = _Worker(slot, setup, process, ours)
        self._workers.append(worker)
        try:
            ours.send(setup)
        except OSError:
            return  # dead already; noticed where messages are received
        self._next(worker)

    def _spawn(self, descriptor: int, setup: SetupLike, environment: Mapping[str, str]) -> WorkerProcess:
        """A process that serves `setup` at the other end of a pipe, whose end `descriptor` is closed after this."""
        return Program(descriptor, {**os.environ, **environment}, self._log)

    def _next(self, worker: _Worker) -> None:
        if self._queue and not self._stop.is_set():
            worker.give(self._queue.popleft())
        else:
            worker.task = worker.begun = None
            self._workers.remove(worker)
            worker.connection.close()  # it ends by itself
            self._leaving.append(worker)

    def _receive(self, worker: _Worker, batch: list[Message]) -> None:
        """Take everything that a worker has sent; replace it if it has died."""
        try:
            while worker.connection.poll():
                self._take(worker, worker.connection.recv(), batch)
                if worker not in self._workers:
                    return
        except (EOFError, OSError):
            self._bury(worker, batch)

    def _take(self, worker: _Worker, message: Any, batch: list[Message]) -> None:
        if isinstance(message, Stopped):
            self._fatal = message.reason
            return
        if isinstance(message, TaskEnd):
            self._next(worker)
            return
        if isinstance(message, Begun):
            worker.begun, worker.since = message, time.monotonic()
        elif isinstance(message, Done) and worker.task is not None:
            worker.begun = worker.begun if worker.begun is not None and worker.begun.clips > 1 else None
            worker.task = _after(worker.task, message.index, message.part)
            self._failed_starts.clear()
        batch.append(message)

    def _patience(self) -> float | None:
        """Seconds until the next part is overdue, None if none can be."""
        if self._timeout is None:
            return None
        busy = [(w.since, w.begun) for w in self._workers if w.begun is not None and not w.begun.loading]
        ends = [since + self._timeout * begun.clips for since, begun in busy]
        return max(min(ends) - time.monotonic(), 0.0) if ends else None

    def _end_overdue(self) -> None:
        if self._timeout is None:
            return
        for worker in self._workers:
            if worker.begun is None or worker.begun.loading or worker.overdue is not None:
                continue
            if time.monotonic() - worker.since >= self._timeout * worker.begun.clips:
                worker.overdue = worker.begun
                worker.process.signal(signal.SIGKILL)  # its closed pipe is noticed in the next round

    def _bury(self, worker: _Worker, batch: list[Message]) -> None:
        """A worker has died: its part has failed, the rest of its task goes to a new worker.

        Of several clips in one batch nobody knows which was at fault: each becomes a task of its own then.
        """
        self._workers.remove(worker)
        worker.connection.close()
        _reap(worker, _GRACE_SECONDS)
        task, begun = worker.task, worker.begun
        if self._stop.is_set() or self._fatal is not None:
            return
        if worker.overdue is not None and begun is not worker.overdue:
            begun = None  # the overdue part came in at the last moment: nothing is lost but the worker
        else:
            self._count_failed_start(worker)
        if isinstance(task, Group) and begun is not None and begun.clips > 1:
            self._queue.extendleft(reversed(task.tasks))
            task = None
        elif task is not None and begun is not None:
            batch.extend(_obituary(begun, worker, self._timeout))
            task = _after(task, begun.index, begun.part)
        if task is not None and task.parts:
            self._queue.appendleft(task)
        if self._queue and self._fatal is None:
            self._start(worker.slot)

    def _count_failed_start(self, worker: _Worker) -> None:
        if worker.begun is not None and not worker.begun.loading:
            return
        part = worker.begun.part if worker.begun is not None else None
        self._failed_starts[part] = self._failed_starts.get(part, 0) + 1
        if self._failed_starts[part] >= _FAILED_STARTS:
            what = f"while loading {part}" if part else "before doing anything"
            self._fatal = (
                f"worker processes end {what} ({worker.process.ending()}); see {self._log}, and "
                f"{worker.setup.advice(part)}"
            )


def _reap(worker: _Worker, patience: float) -> None:
    """Wait for the end of a worker, and bring it about after `patience` seconds; nothing that it started is left."""
    deadline = time.monotonic() + patience
    while not worker.process.has_ended() and time.monotonic() < deadline:
        time.sleep(0.01)
    worker.process.signal(signal.SIGKILL)
    worker.process.wait()


def _after(task: TaskLike, index: int, part: str) -> TaskLike:
    """What is left of a task after the answer to one of its parts."""
    return task.after(index, part) if isinstance(task, Group) else task.without(part)


def _obituary(begun: Begun, worker: _Worker, timeout: float | None) -> list[Message]:
    if worker.overdue is not None:
        reason = f"{begun.part} took longer than {timeout:g} s"
        return [Done(begun.index, begun.part, worker.setup.failed(begun.part, TIMEOUT, reason))]
    ending = worker.process.ending()
    reason = f"the worker process ended during {begun.part} ({ending}); a lack of memory is the usual cause"
    return [
        Done(begun.index, begun.part, worker.setup.failed(begun.part, WORKER_DIED, reason)),
        Died(begun.index, begun.part, reason),
    ]
