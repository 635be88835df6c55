"""Score clips: from a benchmark and its clips to a run directory with a complete journal and a summary."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from metrics.errors import UserError
from metrics.types import Protocol, Request
from mova_eval.records import GeneratorRef, Manifest, Record, RunItem, Summary, Timing
from mova_eval.runs.cache import MeasurementCache
from mova_eval.runs.events import Event, Finished, Measured, MeasuringStarted, Started, Warned, WorkerDied
from mova_eval.runs.items import BenchmarkLike, MatchingLike, make_items, read_items, write_items
from mova_eval.runs.journal import Journal
from mova_eval.runs.lock import RunLock
from mova_eval.runs.manifest import check_same, make_manifest, read_manifest, write_manifest
from mova_eval.runs.means import Means, executor_of
from mova_eval.runs.memory import grouped, of_phase, phases, too_large
from mova_eval.runs.outcomes import NO_CLIP, TRANSIENT_CODES, Outcome, encode_features, record_of
from mova_eval.runs.paths import RunPaths, write_atomically, writing
from mova_eval.runs.plan import MetricPlan, choose, resolve_device
from mova_eval.runs.stopping import StopSignal
from mova_eval.runs.worker import Begun, Died, Done, Group, Message, Setup, Task

_BATCH = 256
"""Records per wait for the disk where many are at hand at once (taken over from the cache)."""
EXECUTORS = ("local", "ray")
_NO_OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType({})

OnEvent = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What `score_clips` leaves behind.

    n_failed: failed (item, metric) pairs, items without a clip included. interrupted: stopped on request; the same
    call goes on where it stopped.
    """

    run_dir: Path
    summary: Summary
    n_failed: int
    interrupted: bool


def score_clips(
    benchmark: BenchmarkLike,
    matching: MatchingLike,
    *,
    out: Path,
    metrics: Sequence[str] | None = None,
    protocol: str = Protocol.OFFICIAL.value,
    require: Sequence[str] = (),
    options: Mapping[str, Mapping[str, Any]] = _NO_OPTIONS,
    model: str | None = None,
    generator: GeneratorRef | None = None,
    seed: int = 0,
    resamples: int = 2000,
    workers: int | None = None,
    threads: int | None = None,
    device: str = "auto",
    timeout: float | None = None,
    executor: str = "local",
    cache: bool = True,
    retry_failed: bool = False,
    licence: str = "any",
    batch: int | None = None,
    memory: int | None = None,
    on_event: OnEvent | None = None,
    command: Sequence[str] = (),
) -> RunOutcome:
    """Measure the clips of a benchmark into the run directory `out`; go on with the run that is there already.

    metrics: metrics or scores; None for all that can run here. require: those without which not to start. options:
    metric -> option -> value. model, generator: what made the clips. seed, resamples: of the bootstrap. workers:
    processes; None for one per core (one per run on a GPU), 0 for this process alone. threads: of each worker; None
    for cores / workers. device: "auto", "cpu", "cuda", "cuda:N". timeout: seconds after which one measurement is given
    up. executor: "local", or "ray" for the workers of a Ray cluster. cache: reuse measurements of the same clips.
    retry_failed: measure again what failed by an error, a dead worker or a timeout. licence: "commercial" leaves out
    metrics whose weights forbid commercial use. batch: most clips that networks measure together, None for what each
    metric likes. memory: bytes for networks that are loaded at one time in one worker, None for no limit. on_event:
    told what happens, each measurement after it is safe on the disk.

    Raises UserError for unknown metrics or options, for a directory that another process writes or that holds a run
    with other parameters, and where the disk refuses; what was measured until then is kept.
    """
    tell = on_event if on_event is not None else _quiet
    if executor not in EXECUTORS:
        raise UserError(f"no executor is called '{executor}'; known: {', '.join(EXECUTORS)}")
    if workers == 0 and timeout is not None:
        raise UserError("a time limit needs worker processes; give workers=1 or more, or no timeout")
    started = time.monotonic()
    plans, not_run = choose(metrics, require=require, protocol=protocol, options=options, licence=licence)
    maker = generator or GeneratorRef(kind="folder", name=model or "clips")
    out = Path(out)
    paths = RunPaths(out)
    device = resolve_device(device)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        with RunLock(paths.lock), StopSignal() as stop:
            manifest = make_manifest(
                benchmark,
                plans,
                not_run,
                run=out.resolve().name,
                generator=maker,
                protocol=protocol,
                seed=seed,
                device=device,
                command=command,
            )
            run_items = _prepare(paths, manifest, benchmark, matching)
            _write_weights_lock(paths, plans)
            with Journal(paths.journal) as journal:
                work = _Work(benchmark, run_items, plans, paths, journal, cache, tell)
                work.absent = matching.absent
                how = Means(protocol, device, workers, threads, timeout, executor, batch, memory)
                interrupted = not _carry_out(work, how, stop, retry_failed)
            summary = _summarise(paths, matching, resamples)
    failures = [record.code for record in journal.records.values() if record.status == "failed"]
    n_failed, absent = len(failures), failures.count(NO_CLIP)
    tell(Finished(out, n_failed - absent, absent, interrupted, time.monotonic() - started))
    return RunOutcome(out, summary, n_failed, interrupted)


def _quiet(_event: Event) -> None:
    """Nobody listens."""


def _carry_out(work: _Work, how: Means, stop: StopSignal, retry_failed: bool) -> bool:
    """Measure what is missing; seal the journal and return True when nothing is missing any more."""
    pending = work.settle(retry_failed)
    workers = how.worker_count(len(pending))
    work.tell(work.started(pending, max(workers, 1) if pending else 0))
    needs = {plan.name: plan.loaded_bytes for plan in work.plans if any(plan.name in task.metrics for task in pending)}
    for warning in too_large(needs, how.memory):
        work.tell(Warned(warning))
    for names in phases(needs, how.memory):
        if not stop.is_set():
            batched = [plan.clips_per_batch for plan in work.plans if plan.name in names and plan.clips_per_batch]
            most = max((how.batch or each[how.device != "cpu"] for each in batched), default=1)
            tasks = grouped(of_phase(pending, names), most, workers)
            work.measure(tasks, how.setup(work.plans, workers), stop, min(workers, len(tasks)), how)
    work.learn(how.device)
    if not work.complete():
        return False
    work.journal.seal(work.order())
    return True


def _prepare(paths: RunPaths, manifest: Manifest, benchmark: BenchmarkLike, matching: MatchingLike) -> list[RunItem]:
    """Write the manifest, or hold it against the one that is there; then hash and link the clips."""
    if paths.manifest.exists():
        check_same(paths.manifest, read_manifest(paths.manifest), manifest)
        if paths.items.exists():
            _check_same_items(paths, benchmark)
    elif paths.journal.exists():
        raise UserError(f"{paths.journal} has no {paths.manifest.name} beside it; restore that or choose another --out")
    else:
        write_manifest(paths.manifest, manifest)
    items = make_items(benchmark, matching, paths)
    write_items(paths.items, items)
    return items


def _write_weights_lock(paths: RunPaths, plans: Sequence[MetricPlan]) -> None:
    """weights.lock: digest, source and licence of every file of weights that the run uses."""
    from metrics.weights.lockfile import lock

    content = lock({plan.name: plan.ref.weights for plan in plans})
    data = json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
    if not paths.weights_lock.exists() or paths.weights_lock.read_bytes() != data:
        write_atomically(paths.weights_lock, data)


def _check_same_items(paths: RunPaths, benchmark: BenchmarkLike) -> None:
    stored = [item.item for item in read_items(paths.items)]
    wanted = [item.id for item in benchmark.items]
    if stored != wanted:
        strangers = sorted(set(stored) ^ set(wanted))
        example = f" (such as {strangers[0]})" if strangers else ""
        raise UserError(
            f"{paths.root} holds a run over other items{example}; choose the same items to go on with it, or choose "
            f"another --out"
        )


def _summarise(paths: RunPaths, matching: MatchingLike, resamples: int) -> Summary:
    from mova_eval.runs.summarising import summarise_run

    unmatched = [str(path) for path in matching.unmatched]
    summary = summarise_run(paths.root, unmatched=unmatched, notes=matching.remarks, resamples=resamples)
    data = summary.model_dump_json(indent=2).encode() + b"\n"
    if not paths.summary.exists() or paths.summary.read_bytes() != data:
        write_atomically(paths.summary, data)
    return summary


def _is_filled(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


class _Work:
    """The (item, metric) pairs of a run: what is there, what can be taken over, what is to be measured."""

    def __init__(
        self,
        benchmark: BenchmarkLike,
        items: Sequence[RunItem],
        plans: Sequence[MetricPlan],
        paths: RunPaths,
        journal: Journal,
        cache: bool,
        tell: OnEvent,
    ) -> None:
        self.items = items
        self.plans = plans
        self.paths = paths
        self.journal = journal
        self.tell = tell
        self.requests: list[Request] = [item.request() for item in benchmark.items]
        self.keys: dict[tuple[int, str], str] = {}
        self.absent: Mapping[str, str] = {}
        """Item without a clip -> why."""
        self.cached = 0
        self.measured: dict[str, list[tuple[float, Mapping[str, float]]]] = {}
        """Metric -> (seconds, scores) of the clips measured now."""
        self._cache = MeasurementCache(warn=lambda text: tell(Warned(text))) if cache else None

    def order(self) -> Iterator[tuple[str, str]]:
        """Every (item, metric) in the order of benchmark and metrics."""
        return ((item.item, plan.name) for item in self.items for plan in self.plans)

    def complete(self) -> bool:
        """Whether every pair has a record of the clip and the parameters of now."""
        return all(
            (record := self.journal.records.get((item.item, plan.name))) is not None
            and record.key == self.keys[index, plan.name]
            for index, item in enumerate(self.items)
            for plan in self.plans
        )

    def started(self, pending: Sequence[Task], workers: int) -> Started:
        """The event that opens a run."""
        clips = sum(item.clip is not None for item in self.items)
        total = clips * len(self.plans)
        done = total - self.cached - sum(len(task.metrics) for task in pending)
        names = tuple(plan.name for plan in self.plans)
        return Started(self.paths.root, len(self.items), clips, names, total, done, self.cached, workers)

    def settle(self, retry_failed: bool) -> list[Task]:
        """Write down what is known without measuring; the tasks that remain, in benchmark order."""
        tasks: list[Task] = []
        found: list[tuple[int, Outcome]] = []
        for index, item in enumerate(self.items):
            missing = []
            for plan in self.plans:
                key = self.keys[index, plan.name] = plan.key(item.sha256, self.requests[index])
                if self._is_done(item, plan, key, retry_failed):
                    continue
                outcome = self._without_measuring(index, item, plan, key)
                if outcome is None:
                    missing.append(plan.name)
                else:
                    found.append((index, outcome))
            if missing and item.clip is not None:
                clip = str((self.paths.root / item.clip).absolute())
                tasks.append(Task(index, clip, self.requests[index], tuple(missing)))
        for start in range(0, len(found), _BATCH):
            self._write(found[start : start + _BATCH], cached=True)
        return tasks

    def _is_done(self, item: RunItem, plan: MetricPlan, key: str, retry_failed: bool) -> bool:
        record = self.journal.records.get((item.item, plan.name))
        if record is None or record.key != key or (retry_failed and record.code in TRANSIENT_CODES):
            return False
        return record.features is None or _is_filled(self.paths.features / record.features)

    def _without_measuring(self, index: int, item: RunItem, plan: MetricPlan, key: str) -> Outcome | None:
        if item.clip is None:
            return plan.without_clip(self.requests[index], item.item, self.absent.get(item.item, ""))
        outcome = self._cache.get(key, Path(item.clip).name) if self._cache is not None else None
        self.cached += outcome is not None
        return outcome

    def measure(self, tasks: Sequence[Task | Group], setup: Setup, stop: StopSignal, workers: int, how: Means) -> None:
        """Measure the tasks; every outcome is in the journal before it is told to anybody."""
        with executor_of(setup, stop, workers, self.paths, how) as batches:
            for batch in batches(tasks):
                outcomes = [(m.index, m.outcome) for m in batch if isinstance(m, Done)]
                if outcomes:
                    self._write(outcomes, cached=False)
                for message in batch:
                    self._announce(message)

    def learn(self, device: str) -> None:
        """Keep for later forecasts how long the measurements of now took, and how their scores scatter."""
        if not self.measured:
            return
        from mova_eval.runs.rates import Rates, film_seconds

        film = film_seconds(self.paths.root / item.clip for item in self.items if item.clip is not None)
        rates = Rates()
        for plan in self.plans:
            rates.add(plan, device, self.measured.get(plan.name, ()), film or 0.0)
        rates.save()

    def _write(self, outcomes: Sequence[tuple[int, Outcome]], *, cached: bool) -> None:
        """Features first, then the journal, then timings and cache: a record never points at what is not there."""
        records = [self._record(index, outcome, durable=not cached) for index, outcome in outcomes]
        for _, outcome in outcomes:
            if not cached and outcome.status == "scored":
                spent = outcome.seconds + outcome.decode_seconds
                self.measured.setdefault(outcome.metric, []).append((spent, outcome.scores))
        self.journal.append(records)
        self._write_timings(outcomes, cached)
        if self._cache is not None and not cached:
            for (index, outcome), record in zip(outcomes, records, strict=True):
                self._cache.put(record.key, outcome, Path(self.items[index].clip or "").name)

    def _record(self, index: int, outcome: Outcome, *, durable: bool) -> Record:
        item = self.items[index]
        name = self.paths.feature_name(item.set, item.item, outcome.metric)
        if outcome.features:
            self.paths.features.mkdir(exist_ok=True)
            # Their names need no waiting for the disk: what a crash takes is missed, and made again, at the next start.
            path = self.paths.features / name
            write_atomically(path, encode_features(outcome.features), durable=durable, durable_name=False)
        key = self.keys[index, outcome.metric]
        return record_of(outcome, item=item.item, set_=item.set, key=key, features=name)

    def _write_timings(self, outcomes: Sequence[tuple[int, Outcome]], cached: bool) -> None:
        lines = [
            Timing(
                item=self.items[index].item,
                metric=outcome.metric,
                seconds=0.0 if cached else outcome.seconds,
                decode_seconds=0.0 if cached else outcome.decode_seconds,
                cached=cached,
            ).model_dump_json()
            for index, outcome in outcomes
        ]
        with open(self.paths.timings, "a+b") as file:
            size = file.tell()
            torn = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
            file.write(b"\n" * torn + "".join(f"{line}\n" for line in lines).encode())

    def _announce(self, message: Message) -> None:
        if isinstance(message, Done):
            item, outcome = self.items[message.index], message.outcome
            self.tell(
                Measured(
                    item.item,
                    item.set,
                    outcome.metric,
                    outcome.status,
                    outcome.seconds,
                    outcome.code,
                    outcome.reason,
                )
            )
        elif isinstance(message, Begun):
            self.tell(MeasuringStarted(self.items[message.index].item, message.part, message.loading))
        elif isinstance(message, Died):
            self.tell(WorkerDied(self.items[message.index].item, message.part, message.reason))
