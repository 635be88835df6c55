"""What a worker does: take a task, do its parts one by one, send the outcome of each as soon as it is done.

A task is one clip; its parts are the metrics to measure it with (here), or the making of the clip (in `generators`).
Where a metric's networks take several clips at once, a task is a group of clips.
This module imports nothing heavy: a worker's environment (threads) is set before the first network library comes in.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Protocol

from metrics.errors import UserError
from metrics.types import Request
from mova_eval.runs.outcomes import LOAD_ERROR, Outcome, outcome_of

if TYPE_CHECKING:
    from metrics.clip import Clip
    from metrics.metric import Metric


_GROUP_BUDGET = 1 << 31
"""Bytes of decoded pictures that a group of clips keeps together."""


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
class Group:
    """Several clips that are measured together. Every (clip, metric) of it is answered by a `Done` of its own."""

    tasks: tuple[Task, ...]

    @property
    def index(self) -> int:
        return self.tasks[0].index

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part for task in self.tasks for part in task.parts))

    def without(self, part: str) -> Group:
        return Group(tuple(kept for task in self.tasks if (kept := task.without(part)).parts))

    def after(self, index: int, part: str) -> Group:
        """The group after the answer to one part of one clip."""
        tasks = (task.without(part) if task.index == index else task for task in self.tasks)
        return Group(tuple(task for task in tasks if task.parts))


@dataclass(frozen=True, slots=True)
class Begun:
    """A part of a task starts; loading: its networks are being loaded first. others: clips of the same batch."""

    index: int
    part: str
    loading: bool = False
    others: tuple[int, ...] = ()

    @property
    def clips(self) -> int:
        return 1 + len(self.others)


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

    def work(self, task: Task | Group) -> Iterator[Message]:
        """Messages of one task: a `Begun` for each batch, a `Done` for each clip and metric, or `Stopped`."""
        from metrics.clip import FRAME_BUDGET, Clip

        tasks = task.tasks if isinstance(task, Group) else (task,)
        budget = FRAME_BUDGET if len(tasks) == 1 else _GROUP_BUDGET // len(tasks)
        try:
            with ExitStack() as stack:
                clips = {each.index: stack.enter_context(Clip(each.clip, frame_budget=budget)) for each in tasks}
                for name in task.parts:
                    yield from self._work_metric(name, [each for each in tasks if name in each.metrics], clips)
        except UserError as error:
            yield Stopped(str(error))

    def _work_metric(self, name: str, tasks: Sequence[Task], clips: dict[int, Clip]) -> Iterator[Message]:
        if name not in self._metrics and name not in self._broken:
            yield Begun(tasks[0].index, name, loading=True)
            self._load(name)
        metric = self._metrics.get(name)
        size = metric.batches.size if metric is not None and metric.is_batched else 1
        for start in range(0, len(tasks), size):
            batch = tasks[start : start + size]
            yield Begun(batch[0].index, name, others=tuple(task.index for task in batch[1:]))
            for task, outcome in zip(batch, self._measure(name, batch, clips), strict=True):
                yield Done(task.index, name, outcome)

    def _load(self, name: str) -> None:
        import metrics
        from metrics.batching import is_out_of_memory, release_memory

        setup = self._setup
        metric = metrics.get(
            name,
            protocol=setup.protocol,
            device=setup.device,
            threads=setup.threads,
            **setup.options.get(name, {}),
        )
        failed = _loading_error(metric)
        if failed is not None and is_out_of_memory(failed) and self._metrics:
            self._metrics.clear()  # the others are loaded again when their turn comes
            release_memory()
            failed = _loading_error(metric)
        if failed is not None:
            first = str(failed).strip().splitlines()
            self._broken[name] = f"{name} cannot be loaded: {type(failed).__name__}: {first[0] if first else ''}"
            return
        self._metrics[name] = metric

    def _measure(self, name: str, batch: Sequence[Task], clips: dict[int, Clip]) -> list[Outcome]:
        if name in self._broken:
            return [Outcome.failed(name, LOAD_ERROR, self._broken[name]) for _ in batch]
        metric, chosen = self._metrics[name], [clips[task.index] for task in batch]
        decoded = [clip.decode_seconds for clip in chosen]
        measured = metric.measure_batch(chosen, [task.request for task in batch])
        return [
            outcome_of(metric, measurement, clip.decode_seconds - before)
            for measurement, clip, before in zip(measured, chosen, decoded, strict=True)
        ]


def _loading_error(metric: Metric) -> Exception | None:
    """What keeps a metric's networks from being loaded. Raises UserError."""
    try:
        metric.ensure_loaded()
    except UserError:
        raise
    except Exception as error:
        return error.with_traceback(None)  # a traceback keeps half-loaded networks alive
    return None


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
