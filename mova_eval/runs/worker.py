"""What a worker does: take a task, do its parts one by one, send the outcome of each as soon as it is done.

A task is one clip; its parts are the metrics to measure it with (here), or the making of the clip (in `generators`).
This module imports nothing heavy: a worker's environment (threads) is set before the first network library comes in.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Protocol

from metrics.errors import UserError
from metrics.types import Request
from mova_eval.runs.outcomes import LOAD_ERROR, Outcome, outcome_of

if TYPE_CHECKING:
    from metrics.clip import Clip
    from metrics.metric import Metric


class TaskLike(Protocol):
    """What an executor must know of a task. index: the item's place in the run; parts: what is still to be done."""

    @property
    def index(self) -> int: ...
    @property
    def parts(self) -> tuple[str, ...]: ...
    def without(self, part: str) -> TaskLike:
        """The task with one part less."""
        ...


class Work(Protocol):
    """What goes on inside a worker process."""

    def work(self, task: Any) -> Iterator[Message]:
        """For each part of a task a `Begun` and a `Done`, in this order, or one `Stopped`."""
        ...


class SetupLike(Protocol):
    """What an executor must know of its job; sent to every worker process, so it can be pickled."""

    @property
    def threads(self) -> int: ...
    def for_worker(self, slot: int) -> SetupLike:
        """The setup of worker number `slot` (0, 1 ...); a worker that takes a dead one's place has the same number."""
        ...

    def environment(self) -> Mapping[str, str]:
        """Environment variables of the worker, beside those of this process."""
        ...

    def start(self, send: Send) -> Work:
        """Called once in the worker process. send: for a `Noted` in the middle of a part."""
        ...

    def failed(self, part: str, code: str, reason: str) -> Any:
        """The outcome of a part that no worker could finish. code: WORKER_DIED or TIMEOUT."""
        ...

    def advice(self, part: str | None) -> str:
        """Half a sentence: what to try when workers end again and again, loading a part or (None) at their start."""
        ...


@dataclass(frozen=True, slots=True)
class Setup:
    """How a worker makes its metrics. options: metric name -> its options."""

    options: dict[str, dict[str, Any]]
    protocol: str
    device: str
    threads: int

    def for_worker(self, slot: int) -> Setup:
        return self

    def environment(self) -> Mapping[str, str]:
        return {}

    def start(self, send: Send) -> Work:
        return Measurer(self)

    def failed(self, part: str, code: str, reason: str) -> Outcome:
        return Outcome.failed(part, code, reason)

    def advice(self, part: str | None) -> str:
        return "try fewer workers or leave that metric out" if part else "try fewer workers"


@dataclass(frozen=True, slots=True)
class Task:
    """One clip and the metrics that it still lacks. index: the item's place in the run."""

    index: int
    clip: str
    request: Request
    metrics: tuple[str, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        return self.metrics

    def without(self, part: str) -> Task:
        return replace(self, metrics=tuple(name for name in self.metrics if name != part))


@dataclass(frozen=True, slots=True)
class Begun:
    """A part of a task starts; loading: its networks are being loaded first."""

    index: int
    part: str
    loading: bool = False


@dataclass(frozen=True, slots=True)
class Noted:
    """Something to tell about the part at hand before it is done."""

    index: int
    part: str
    content: Any


@dataclass(frozen=True, slots=True)
class Done:
    """A part is done. outcome: an `Outcome` where metrics are measured."""

    index: int
    part: str
    outcome: Any


@dataclass(frozen=True, slots=True)
class Died:
    """A worker has ended in the middle of a part."""

    index: int
    part: str
    reason: str


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """All parts of a task are done."""

    index: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """Something only the user can mend: the run ends with this sentence."""

    reason: str


Message = Begun | Noted | Done | Died | TaskEnd | Stopped
Send = Callable[[Message], None]


class Measurer:
    """The metrics of one process, each made and loaded when first needed."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._metrics: dict[str, Metric] = {}
        self._broken: dict[str, str] = {}
        """Metrics whose networks cannot be loaded, with the reason: not tried again for every clip."""

    def work(self, task: Task) -> Iterator[Message]:
        """Messages of one task: a `Begun` and a `Done` for each metric, or `Stopped`."""
        from metrics.clip import Clip

        try:
            with Clip(task.clip) as clip:
                for name in task.metrics:
                    if name not in self._metrics and name not in self._broken:
                        yield Begun(task.index, name, loading=True)
                        self._load(name)
                    yield Begun(task.index, name)
                    yield Done(task.index, name, self._measure(name, clip, task.request))
        except UserError as error:
            yield Stopped(str(error))

    def _load(self, name: str) -> None:
        import metrics

        setup = self._setup
        metric = metrics.get(
            name,
            protocol=setup.protocol,
            device=setup.device,
            threads=setup.threads,
            **setup.options.get(name, {}),
        )
        try:
            metric.ensure_loaded()
        except UserError:
            raise
        except Exception as error:
            first = str(error).strip().splitlines()
            self._broken[name] = f"{name} cannot be loaded: {type(error).__name__}: {first[0] if first else ''}"
            return
        self._metrics[name] = metric

    def _measure(self, name: str, clip: Clip, request: Request) -> Outcome:
        if name in self._broken:
            return Outcome.failed(name, LOAD_ERROR, self._broken[name])
        metric, decoded = self._metrics[name], clip.decode_seconds
        measurement = metric.measure(clip, request)
        return outcome_of(metric, measurement, clip.decode_seconds - decoded)


def main(descriptor: int) -> None:
    """Serve tasks that come through a pipe until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with(os.getppid())
    connection: Connection[Any, Any] = Connection(descriptor)
    try:
        setup: SetupLike = connection.recv()
        work = setup.start(connection.send)
        while True:
            task = connection.recv()
            for message in work.work(task):
                connection.send(message)
            connection.send(TaskEnd(task.index))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _end_with(parent: int) -> None:
    """End this process, and those it has started, when its parent is gone, even in the middle of a long computation."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        sys.stderr.flush()
        if os.getpgrp() == os.getpid():  # the executor made this process the leader of a group of its own
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
