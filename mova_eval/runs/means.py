"""With what a run measures: device, workers, threads, memory; and the executor that these make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mova_eval.runs.paths import RunPaths
from mova_eval.runs.plan import MetricPlan, cores
from mova_eval.runs.stopping import StopSignal
from mova_eval.runs.worker import Group, Message, Setup, Task


@dataclass(frozen=True, slots=True)
class Means:
    """With what to measure, as `score_clips` was told."""

    protocol: str
    device: str
    workers: int | None
    threads: int | None
    timeout: float | None
    executor: str
    batch: int | None
    memory: int | None

    def worker_count(self, pending: int) -> int:
        """Processes to start; 0 for none but this one."""
        if self.workers is not None or not pending:
            return min(self.workers or 0, pending)
        if self.executor == "ray":
            from mova_eval.runs.ray_workers import cluster_workers

            return min(cluster_workers(self.device), pending)
        return min(cores() if self.device == "cpu" else 1, pending)

    def setup(self, plans: Sequence[MetricPlan], workers: int) -> Setup:
        most = {} if self.batch is None else {"batch_size": self.batch}
        return Setup(
            options={plan.name: {**most, **plan.options} for plan in plans},
            protocol=self.protocol,
            device=self.device,
            threads=self.threads or max(1, cores() // max(workers, 1)),
        )


@contextmanager
def executor_of(
    setup: Setup, stop: StopSignal, workers: int, paths: RunPaths, how: Means
) -> Iterator[Callable[[Sequence[Task | Group]], Iterator[list[Message]]]]:
    from mova_eval.runs.executor import Executor, InProcessExecutor, LocalExecutor

    executor: Executor
    if workers == 0:
        executor = InProcessExecutor(setup, stop)
    else:
        kind: type[LocalExecutor] = LocalExecutor
        if how.executor == "ray":
            from mova_eval.runs.ray_workers import RayExecutor

            kind = RayExecutor
        executor = kind(setup, stop, workers=workers, log=paths.worker_log, timeout=how.timeout)
    try:
        yield executor.run
    finally:
        executor.close()
