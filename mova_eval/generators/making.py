"""Make the clips of a benchmark into a run directory that can be killed and continued at any moment."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from metrics.errors import UserError
from mova_eval.generators.contract import ClipRequest, Generator, Identity, Lane, Level, PlanOptions
from mova_eval.generators.ledger import Ledger, newest, read_generation_manifest, read_ledger
from mova_eval.generators.planning import Planned, plan_all, reference, requests_of, warnings
from mova_eval.generators.records import make_generation_manifest, record_of_attempt, record_of_gap
from mova_eval.generators.standing import forget_scores, remove_empty, stands
from mova_eval.generators.work import Attempt, ClipTask, MakingSetup, Step, left_behind
from mova_eval.records import GenerationManifest, GeneratorRef
from mova_eval.runs.events import ClipMade, ClipStarted, ClipStep, Event, MakingFinished, MakingStarted, Warned
from mova_eval.runs.lock import RunLock
from mova_eval.runs.manifest import differences
from mova_eval.runs.outcomes import TIMEOUT, WORKER_DIED
from mova_eval.runs.paths import RunPaths, safe_name, sync_folder, write_atomically, writing
from mova_eval.runs.plan import cores
from mova_eval.runs.stopping import StopSignal
from mova_eval.runs.worker import Begun, Done, Message, Noted

if TYPE_CHECKING:
    from mova_eval.benchmarks import Benchmark

OnEvent = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class GenerationOutcome:
    """What `generate_clips` leaves behind.

    clips: item -> file, in benchmark order. failed: item -> why it has no clip. not_runnable: item -> why none was
    tried. reference: what a scoring manifest says about the clips. interrupted: stopped on request; the same call goes
    on.
    """

    run_dir: Path
    clips: dict[str, Path]
    failed: dict[str, str]
    not_runnable: dict[str, str]
    reference: GeneratorRef
    interrupted: bool


def generate_clips(
    benchmark: Benchmark,
    generator: Generator,
    *,
    out: Path,
    options: PlanOptions | None = None,
    retries: int = 1,
    workers: int | None = None,
    timeout: float | None = None,
    overwrite: bool = False,
    probe: Level = "server",
    on_event: OnEvent | None = None,
    command: Sequence[str] = (),
) -> GenerationOutcome:
    """Make the clips of a benchmark into the run directory `out`; go on with what is there already.

    A clip stands when its last journal line is ok, its file has the digest written there, and its request is the one
    planned now. Everything else is made (again). retries: further attempts at a clip that failed. workers: clips made
    at the same time; None for the generator's own choice (one per GPU or server), 0 for this process alone. timeout:
    seconds after which one clip is given up. overwrite: make clips of another plan again, instead of refusing. probe:
    how far to look for what is missing before starting; nothing is probed when nothing is to be made.

    Raises UserError for what is missing, for a plan that the generator refuses, for a directory that holds clips of
    another plan or is being written, where the disk refuses, and when a generator says that nothing can be made.
    """
    tell = on_event if on_event is not None else _quiet
    options = options or PlanOptions(variant=benchmark.prompt_variant)
    if retries < 0:
        raise UserError(f"retries is {retries}; give 0 or more")
    started = time.monotonic()
    plans = plan_all(benchmark, generator, options)
    paths = RunPaths(Path(out))
    with writing(paths.root):
        paths.root.mkdir(parents=True, exist_ok=True)
        with RunLock(paths.lock), StopSignal() as stop:
            book = _Book(benchmark, generator, plans, options, paths, tell)
            ref = book.settle(overwrite, probe, command)
            with closing(Ledger(paths.generation)) as ledger:
                interrupted = book.make(ledger, ref, stop, retries, workers, timeout)
                outcome = book.outcome(ledger, ref, interrupted)
            remove_empty(paths.scratch)
    counts = (len(outcome.clips), len(outcome.failed), len(outcome.not_runnable))
    tell(MakingFinished(paths.root, *counts, interrupted, time.monotonic() - started))
    return outcome


def _quiet(_event: Event) -> None:
    """Nobody listens."""


class _Book:
    """The items of one call: what stands, what is to be made, what is written down."""

    def __init__(
        self,
        benchmark: Benchmark,
        generator: Generator,
        plans: Sequence[Planned],
        options: PlanOptions,
        paths: RunPaths,
        tell: OnEvent,
    ) -> None:
        self.benchmark = benchmark
        self.generator = generator
        self.plans = plans
        self.options = options
        self.paths = paths
        self.tell = tell

    def settle(self, overwrite: bool, probe: Level, command: Sequence[str]) -> GeneratorRef:
        """Hold the plan against what is there, look for what is missing, write the manifest."""
        stored = None
        if self.paths.generation_manifest.exists():
            stored = read_generation_manifest(self.paths.generation_manifest)
        elif self.paths.manifest.exists():
            raise UserError(
                f"{self.paths.root} holds a run whose clips were not made by a generator; choose another --out"
            )
        records = newest(read_ledger(self.paths.generation)[0])
        if stored is not None and not overwrite:
            self._refuse_other_plan(stored)
        waiting = [r for r in requests_of(self.plans) if not stands(records.get(r.item), r, self._place(r))]
        if waiting and not all(left_behind(self._scratch(r), r) for r in waiting):
            self._probe(probe)
            identity = self.generator.identity()
        elif stored is not None:
            old = stored.generator  # nothing is to be made: what made the clips need not be there any more
            identity = Identity(old.model, old.weights, old.caveats)
        else:
            identity = self.generator.identity()
        ref = reference(self.generator, self.plans, self.options, identity)
        manifest = make_generation_manifest(self.benchmark, ref, self.paths, command)
        if stored is not None and not overwrite:
            self._refuse_other(stored, manifest)
            return stored.generator
        if stored is not None and stored.generator != ref:
            forget_scores(self.paths)
        write_atomically(self.paths.generation_manifest, manifest.model_dump_json(indent=2).encode() + b"\n")
        return ref

    def _refuse_other_plan(self, stored: GenerationManifest) -> None:
        """As `_refuse_other`, for what is known without looking at the model: says so before anything is probed."""
        old = stored.generator
        ref = reference(self.generator, self.plans, self.options, Identity(old.model, old.weights, old.caveats))
        self._refuse_other(stored, make_generation_manifest(self.benchmark, ref, self.paths, ()))

    def _refuse_other(self, stored: GenerationManifest, wanted: GenerationManifest) -> None:
        found = list(differences(stored, wanted, ("schema_version", "benchmark", "generator")))
        if found:
            raise UserError(
                f"{self.paths.root} holds clips of another plan: {'; '.join(found)}; use the same parameters to go on, "
                f"--overwrite to make them again, or another --out"
            )

    def _probe(self, level: Level) -> None:
        failing = [check for check in self.generator.probe(level) if check.fails]
        if failing:
            raise UserError(self.generator.refusal(failing))

    def _place(self, request: ClipRequest) -> Path:
        return self.paths.clip(request.set, request.item, request.suffix)

    def _scratch(self, request: ClipRequest) -> Path:
        return self.paths.scratch / safe_name(request.set) / safe_name(request.item)

    def make(
        self,
        ledger: Ledger,
        ref: GeneratorRef,
        stop: StopSignal,
        retries: int,
        workers: int | None,
        timeout: float | None,
    ) -> bool:
        """Make what does not stand; True if it was stopped before everything was tried."""
        tasks = self._tasks(ledger, ref, retries)
        lanes = [] if workers == 0 else self.generator.lanes(workers)
        total = len(requests_of(self.plans))
        busy = min(len(lanes), len(tasks)) or min(len(tasks), 1)
        self.tell(MakingStarted(self.paths.root, ref.name, len(self.plans), total, total - len(tasks), busy))
        for warning in warnings(self.plans):
            self.tell(Warned(warning))
        while tasks and not stop.is_set():
            again: list[ClipTask] = []
            threads = max(1, cores() // max(busy, 1))
            setup = MakingSetup(self.generator.name, self.generator.options, tuple(lanes) or (Lane(),), threads)
            with _executor(setup, stop, len(lanes) and busy, self.paths, timeout) as batches:
                for message in (m for batch in batches(tasks) for m in batch):
                    self._take(message, tasks, ledger, ref, again)
            tasks = again
        return bool(stop.is_set() and any(not self._settled(ledger, plan) for plan in self.plans))

    def _settled(self, ledger: Ledger, plan: Planned) -> bool:
        record = ledger.records.get(plan.item)
        return plan.request is None or (record is not None and record.request_sha256 == plan.request.sha256())

    def _tasks(self, ledger: Ledger, ref: GeneratorRef, retries: int) -> list[ClipTask]:
        """The clips to make, once everything that is known without making is written down."""
        tasks: list[ClipTask] = []
        for plan in self.plans:
            known = ledger.records.get(plan.item)
            if plan.request is None:
                if known is None or known.state != "not_runnable" or known.reason != plan.reason:
                    ledger.append(record_of_gap(plan, ref, self.options))
                continue
            request = plan.request
            if stands(known, request, self._place(request)):
                shutil.rmtree(self._scratch(request), ignore_errors=True)  # a crash between journal and cleaning
                continue
            finished = left_behind(self._scratch(request), request)
            rejected = self.paths.rejected / safe_name(plan.set) / f"{safe_name(plan.item)}.rejected{request.suffix}"
            scratch = str(self._scratch(request).absolute())
            task = ClipTask(len(tasks), request, scratch, str(rejected.absolute()), 1, 1 + retries)
            if finished is None or not self._keep(task, finished, ledger, ref):
                tasks.append(task)
        return tasks

    def _take(
        self, message: Message, tasks: Sequence[ClipTask], ledger: Ledger, ref: GeneratorRef, again: list[ClipTask]
    ) -> None:
        if isinstance(message, Begun):
            self.tell(ClipStarted(tasks[message.index].request.item, message.loading))
        elif isinstance(message, Noted) and isinstance(message.content, Step):
            step = message.content
            self.tell(ClipStep(tasks[message.index].request.item, step.done, step.total, step.what))
        elif isinstance(message, Noted):
            self._fail(tasks[message.index], message.content, ledger, ref, final=False)
        elif isinstance(message, Done):
            self._finish(tasks[message.index], message.outcome, ledger, ref, again)

    def _finish(
        self, task: ClipTask, attempt: Attempt, ledger: Ledger, ref: GeneratorRef, again: list[ClipTask]
    ) -> None:
        if attempt.ok and self._keep(task, attempt, ledger, ref):
            return
        ended = attempt.code in {WORKER_DIED, TIMEOUT}  # the worker could not try again itself
        number = max(attempt.number, self._last_number(task, ledger) + 1 if ended else 0)
        attempt = attempt.model_copy(update={"number": number, "digest": task.request.sha256()})
        more = ended and number < task.last
        self._fail(task, attempt, ledger, ref, final=not more)
        if more:
            values = (task.request, task.scratch, task.rejected, number + 1, task.last)
            again.append(ClipTask(len(again), *values))

    def _last_number(self, task: ClipTask, ledger: Ledger) -> int:
        """Attempts of this call at the task's clip that are written down already."""
        record = ledger.records.get(task.request.item)
        seen = record is not None and record.request_sha256 == task.request.sha256() and record.attempt >= task.first
        return record.attempt if seen and record is not None else task.first - 1

    def _keep(self, task: ClipTask, attempt: Attempt, ledger: Ledger, ref: GeneratorRef) -> bool:
        """Put a finished clip in its place and write it down; False if the file is not there any more."""
        place = self._place(task.request)
        place.parent.mkdir(parents=True, exist_ok=True)
        if task.clip.exists():
            task.clip.replace(place)
            sync_folder(place.parent)
        record = record_of_attempt(task.request, attempt, ref, self.options)
        if not stands(record, task.request, place):
            return False
        ledger.append(record)
        shutil.rmtree(task.scratch, ignore_errors=True)
        request = task.request
        self.tell(ClipMade(request.item, request.set, True, attempt.seconds, attempt.number, True, None))
        return True

    def _fail(self, task: ClipTask, attempt: Attempt, ledger: Ledger, ref: GeneratorRef, *, final: bool) -> None:
        request = task.request
        ledger.append(record_of_attempt(request, attempt, ref, self.options))
        made = ClipMade(request.item, request.set, False, attempt.seconds, attempt.number, final, attempt.reason)
        self.tell(made)

    def outcome(self, ledger: Ledger, ref: GeneratorRef, interrupted: bool) -> GenerationOutcome:
        """What is there now."""
        clips, failed, gaps = {}, {}, {}
        for plan in self.plans:
            record = ledger.records.get(plan.item)
            if plan.request is None:
                gaps[plan.item] = plan.reason
            elif record is not None and record.state == "ok":
                clips[plan.item] = self._place(plan.request)
            elif record is not None:
                failed[plan.item] = record.reason or "no reason given"
        return GenerationOutcome(self.paths.root, clips, failed, gaps, ref, interrupted)


@contextmanager
def _executor(
    setup: MakingSetup, stop: StopSignal, workers: int, paths: RunPaths, timeout: float | None
) -> Iterator[Callable[[Sequence[ClipTask]], Iterator[list[Message]]]]:
    from mova_eval.runs.executor import Executor, InProcessExecutor, LocalExecutor

    executor: Executor
    if workers == 0:
        executor = InProcessExecutor(setup, stop)
    else:
        executor = LocalExecutor(setup, stop, workers=workers, log=paths.worker_log, timeout=timeout)
    try:
        yield executor.run
    finally:
        executor.close()
