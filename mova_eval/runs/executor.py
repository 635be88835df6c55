"""Executors: something that measures tasks and streams back what it has. `local` is worker processes on this machine.

A worker loads each network once and measures one clip at a time with all its metrics, so that the clip is decoded
once. Workers are separate programs, not forks: a crash in native code ends one of them and costs one measurement.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from metrics.errors import UserError
from mova_eval.runs.outcomes import TIMEOUT, WORKER_DIED, Outcome
from mova_eval.runs.stopping import StopSignal
from mova_eval.runs.worker import Begun, Died, Done, Measurer, Message, Setup, Stopped, Task, TaskEnd

_BOOTSTRAP = (
    "import json, sys; fd, path = json.loads(sys.argv[1]); sys.path[:] = path\n"
    "from mova_eval.runs.worker import main; main(fd)"
)
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
    """Measures tasks somewhere."""

    def run(self, tasks: Sequence[Task]) -> Iterator[list[Message]]:
        """Batches of `Begun`, `Done` and `Died`, as they come; every (item, metric) of a task gets one `Done`.

        Ends early, without an error, when asked to stop. Raises UserError when the run cannot go on at all.
        """
        ...

    def close(self) -> None:
        """End all workers."""
        ...


class InProcessExecutor:
    """Measures in this process: for debugging and for very few clips. A crash in native code ends the run."""

    def __init__(self, setup: Setup, stop: StopSignal) -> None:
        self._measurer = Measurer(setup)
        self._stop = stop

    def run(self, tasks: Sequence[Task]) -> Iterator[list[Message]]:
        for task in tasks:
            for message in self._measurer.work(task):
                if isinstance(message, Stopped):
                    raise UserError(message.reason)
                if self._stop.is_set() and isinstance(message, Begun):
                    return
                yield [message]

    def close(self) -> None:
        """Nothing to end."""


@dataclass
class _Worker:
    """One worker process and what it is doing."""

    process: subprocess.Popen[bytes]
    connection: Connection[Any, Any]
    task: Task | None = None
    begun: Begun | None = None
    since: float = 0.0
    overdue: Begun | None = None
    """The measurement for which this worker was ended."""

    def give(self, task: Task) -> None:
        self.task, self.begun = task, None
        with suppress(OSError):  # it has died: noticed, and the task handed on, where messages are received
            self.connection.send(task)


class LocalExecutor:
    """Worker processes on this machine.

    timeout: seconds after which one measurement is given up (its worker is ended), None for never; the loading of
    networks does not count. log: file for what workers print.
    """

    def __init__(
        self, setup: Setup, stop: StopSignal, *, workers: int, log: Path, timeout: float | None = None
    ) -> None:
        self._setup = setup
        self._stop = stop
        self._count = workers
        self._timeout = timeout
        self._log = log
        self._workers: list[_Worker] = []
        self._leaving: list[_Worker] = []
        self._fatal: str | None = None
        self._queue: deque[Task] = deque()
        self._failed_starts: dict[str | None, int] = {}

    def run(self, tasks: Sequence[Task]) -> Iterator[list[Message]]:
        self._queue = deque(tasks)
        for _ in range(min(self._count, len(self._queue))):
            self._start()
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
            worker.process.terminate()
        deadline = time.monotonic() + _GRACE_SECONDS
        for worker in [*self._workers, *self._leaving]:
            _reap(worker, max(deadline - time.monotonic(), 0.01))
        self._workers.clear()
        self._leaving.clear()

    def _start(self) -> None:
        """A new worker, at once given the next task."""
        ours, theirs = Pipe()
        environment = {**os.environ, **dict.fromkeys(_THREAD_VARIABLES, str(self._setup.threads))}
        with open(self._log, "ab") as log, theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", _BOOTSTRAP, json.dumps([theirs.fileno(), sys.path])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                pass_fds=[theirs.fileno()],
                process_group=0,  # Ctrl-C at the terminal is for the main process alone
            )
        worker = _Worker(process, ours)
        self._workers.append(worker)
        try:
            ours.send(self._setup)
        except OSError:
            return  # dead already; noticed where messages are received
        self._next(worker)

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
            worker.begun = None
            worker.task = replace(worker.task, metrics=tuple(m for m in worker.task.metrics if m != message.metric))
            self._failed_starts.clear()
        batch.append(message)

    def _patience(self) -> float | None:
        """Seconds until the next measurement is overdue, None if none can be."""
        if self._timeout is None:
            return None
        ends = [w.since + self._timeout for w in self._workers if w.begun is not None and not w.begun.loading]
        return max(min(ends) - time.monotonic(), 0.0) if ends else None

    def _end_overdue(self) -> None:
        if self._timeout is None:
            return
        for worker in self._workers:
            busy = worker.begun is not None and not worker.begun.loading
            if busy and worker.overdue is None and time.monotonic() - worker.since >= self._timeout:
                worker.overdue = worker.begun
                worker.process.kill()  # its closed pipe is noticed in the next round

    def _bury(self, worker: _Worker, batch: list[Message]) -> None:
        """A worker has died: its measurement has failed, the rest of its clip goes to a new worker."""
        self._workers.remove(worker)
        worker.connection.close()
        _reap(worker, _GRACE_SECONDS)
        task, begun = worker.task, worker.begun
        if self._stop.is_set() or self._fatal is not None:
            return
        if worker.overdue is not None and begun is not worker.overdue:
            begun = None  # the overdue measurement came in at the last moment: nothing is lost but the worker
        else:
            self._count_failed_start(worker)
        if task is not None and begun is not None:
            batch.extend(_obituary(task, begun, worker, self._timeout))
            task = replace(task, metrics=tuple(m for m in task.metrics if m != begun.metric))
        if task is not None and task.metrics:
            self._queue.appendleft(task)
        if self._queue and self._fatal is None:
            self._start()

    def _count_failed_start(self, worker: _Worker) -> None:
        if worker.begun is not None and not worker.begun.loading:
            return
        metric = worker.begun.metric if worker.begun is not None else None
        self._failed_starts[metric] = self._failed_starts.get(metric, 0) + 1
        if self._failed_starts[metric] >= _FAILED_STARTS:
            what = f"while loading metric {metric}" if metric else "before measuring anything"
            self._fatal = (
                f"worker processes end {what} ({_ending(worker.process.returncode)}); see {self._log}, and try fewer "
                f"workers or leave that metric out"
            )


def _reap(worker: _Worker, patience: float) -> None:
    """Wait for the end of a worker, and bring it about after `patience` seconds."""
    try:
        worker.process.wait(patience)
    except subprocess.TimeoutExpired:
        worker.process.kill()
        worker.process.wait()


def _obituary(task: Task, begun: Begun, worker: _Worker, timeout: float | None) -> list[Message]:
    if worker.overdue is not None:
        reason = f"{begun.metric} took longer than {timeout:g} s"
        return [Done(task.index, begun.metric, Outcome.failed(begun.metric, TIMEOUT, reason))]
    ending = _ending(worker.process.returncode)
    reason = f"the worker process ended during {begun.metric} ({ending}); a lack of memory is the usual cause"
    return [
        Done(task.index, begun.metric, Outcome.failed(begun.metric, WORKER_DIED, reason)),
        Died(task.index, begun.metric, reason),
    ]


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
