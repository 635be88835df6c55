"""What a worker does: take a clip, measure it with every metric asked for, send each measurement as soon as it is done.

This module imports nothing heavy: a worker's environment (threads) is set before the first network library comes in.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from metrics.errors import UserError
from metrics.types import Request
from mova_eval.runs.outcomes import LOAD_ERROR, Outcome, outcome_of

if TYPE_CHECKING:
    from metrics.clip import Clip
    from metrics.metric import Metric


@dataclass(frozen=True, slots=True)
class Setup:
    """How a worker makes its metrics. options: metric name -> its options."""

    options: dict[str, dict[str, Any]]
    protocol: str
    device: str
    threads: int


@dataclass(frozen=True, slots=True)
class Task:
    """One clip and the metrics that it still lacks. index: the item's place in the run."""

    index: int
    clip: str
    request: Request
    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """A metric starts on a clip; loading: its networks are being loaded first."""

    index: int
    metric: str
    loading: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """A metric has answered."""

    index: int
    metric: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Died:
    """A worker has ended during a measurement."""

    index: int
    metric: str
    reason: str


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """All metrics of a task have answered."""

    index: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """Something only the user can mend: the run ends with this sentence."""

    reason: str


Message = Begun | Done | Died | TaskEnd | Stopped


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
        measurer = Measurer(connection.recv())
        while True:
            task = connection.recv()
            for message in measurer.work(task):
                connection.send(message)
            connection.send(TaskEnd(task.index))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _end_with(parent: int) -> None:
    """End this process when its parent is gone, even in the middle of a long measurement."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        sys.stderr.flush()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
