"""The executor `ray`: workers are actors of a Ray cluster, on this machine or on many.

Everything but the place of the workers is as in `LocalExecutor`: a thread on this side speaks for each actor over the
same pipe, so queues, deaths and time limits are handled in one place. The nodes of a cluster need mova-eval, its
weights, and the clips under the same paths (a shared file system).
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from typing import Any

from metrics.errors import UserError
from mova_eval.runs.executor import LocalExecutor
from mova_eval.runs.processes import WorkerProcess
from mova_eval.runs.worker import Message, SetupLike, TaskEnd, TaskLike


class RayExecutor(LocalExecutor):
    """Does tasks in actors of the cluster at RAY_ADDRESS; without that variable, of a cluster of this machine alone.

    Arguments as for `LocalExecutor`; actors on a GPU take one GPU each.
    """

    def _spawn(self, descriptor: int, setup: SetupLike, environment: Mapping[str, str]) -> WorkerProcess:
        connect()
        return _Actor(Connection(os.dup(descriptor)), environment, setup.threads, self._gpus(setup))

    @staticmethod
    def _gpus(setup: SetupLike) -> float:
        return 1.0 if str(getattr(setup, "device", "cpu")).startswith("cuda") else 0.0


def connect() -> None:
    """Join or start the cluster, once. Raises UserError where Ray is not installed or the cluster does not answer."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise UserError("the executor ray needs the package ray; pip install 'mova-eval[ray]'") from error
    if ray.is_initialized():
        return
    address = os.environ.get("RAY_ADDRESS")
    try:
        ray.init(
            address=address,
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = f"the Ray cluster at {address}" if address else "a Ray cluster on this machine"
        first = str(error).strip().splitlines()
        raise UserError(
            f"{where} cannot be used: {first[0] if first else type(error).__name__}; see RAY_ADDRESS"
        ) from error


def cluster_workers(device: str) -> int:
    """How many workers the cluster has room for: one per GPU, or one per core."""
    connect()
    import ray

    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return max(1, int(resources.get("CPU" if device == "cpu" else "GPU", 1)))


class _Server:
    """Inside an actor: the same as a worker process does."""

    def __init__(self, setup: SetupLike) -> None:
        self._notes: list[Message] = []
        self._work = setup.start(self._notes.append)

    def run(self, task: TaskLike) -> Iterator[Message]:
        for message in self._work.work(task):
            yield from self._notes
            self._notes.clear()
            yield message


class _Actor:
    """An actor as a worker, and the thread that carries tasks and messages between its pipe and it."""

    def __init__(
        self, connection: Connection[Any, Any], environment: Mapping[str, str], cpus: int, gpus: float
    ) -> None:
        self._connection = connection
        self._options = {
            "num_cpus": cpus,
            "num_gpus": gpus,
            "max_restarts": 0,
            "runtime_env": {"env_vars": {**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}},
        }
        self._handle: Any = None
        self._killed = threading.Event()
        self._ending = "it was ended"
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def _carry(self) -> None:
        import ray
        from ray.exceptions import RayError

        try:
            setup = self._connection.recv()
            self._handle = ray.remote(_Server).options(**self._options).remote(setup)
            while not self._killed.is_set():
                task = self._connection.recv()
                for reference in self._handle.run.options(num_returns="streaming").remote(task):
                    self._connection.send(ray.get(reference))
                self._connection.send(TaskEnd(task.index))
        except RayError as error:  # first: an OSError inside a task comes as both kinds
            self._ending = " ".join(str(error).split())[:300]
        except (EOFError, OSError):
            pass  # the executor has no more for this worker
        finally:
            self._connection.close()  # noticed on the other side
            if self._handle is not None:
                ray.kill(self._handle)

    def signal(self, number: signal.Signals) -> None:
        """End the actor, asked or made to; it keeps nothing that a gentler end could save."""
        import ray

        self._killed.set()
        if self._handle is not None:
            ray.kill(self._handle)

    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    def wait(self) -> None:
        self._thread.join()

    def ending(self) -> str:
        return self._ending
