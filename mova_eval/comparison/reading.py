"""Two runs as arrays: every score of every item, and whether the files of a run can be believed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from metrics import registry
from metrics.errors import UserError
from metrics.types import ScoreSpec
from mova_eval.aggregation import ClipScore, clip_score
from mova_eval.records import MetricRef, Record, RunItem, ScoreSummary
from mova_eval.runs.features import StoredFeatures
from mova_eval.runs.journal import journal_sha256
from mova_eval.runs.loading import Run


@dataclass(frozen=True)
class RunScore:
    """One score of a run. clips: item -> what it contributes, for every item of the run."""

    spec: ScoreSpec
    ref: MetricRef
    clips: Mapping[str, ClipScore]
    features: StoredFeatures

    def scored(self, items: Sequence[str]) -> list[ClipScore]:
        """Those of the items that have this score, in their order."""
        found = (self.clips.get(item) for item in items)
        return [clip for clip in found if clip is not None and clip.status == "scored"]


class ReadRun:
    """A run, read for comparing. Raises UserError where its files cannot be believed."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.records: dict[tuple[str, str], Record] = {(r.item, r.metric): r for r in run.records}

    @cached_property
    def items(self) -> dict[str, RunItem]:
        return {item.item: item for item in self.run.items}

    @property
    def n_missing(self) -> int:
        """Measurements that the run has not made yet."""
        pairs = ((item, ref.name) for item in self.items for ref in self.run.manifest.metrics)
        return sum(pair not in self.records for pair in pairs)

    def names(self) -> list[str]:
        """Names of its scores, in order."""
        return [name for ref in self.run.manifest.metrics for name in ref.scores]

    def score(self, name: str) -> RunScore:
        """One score over all items. Raises UserError for a value that is not a finite number."""
        ref = next(ref for ref in self.run.manifest.metrics if name in ref.scores)
        spec = self._spec(ref, name)
        clips = {}
        for item in self.run.items:
            one = clip_score(item, self.records.get((item.item, ref.name)), spec)
            if one.value is not None and not math.isfinite(one.value):
                raise UserError(
                    f"run {self.run.path}: {name} of item {item.item} is {one.value}, not a number; the journal was "
                    f"changed: remove that line of {self.run.paths.journal.name} and start the run again"
                )
            if spec.aggregation == "ratio" and one.status == "scored" and one.counts is None:
                raise UserError(f"run {self.run.path}: {name} of item {item.item} has no counts; score the clips again")
            clips[item.item] = one
        return RunScore(spec, ref, clips, StoredFeatures(ref, self.run.paths))

    def _spec(self, ref: MetricRef, name: str) -> ScoreSpec:
        """What the metric declares; for a metric that is not installed here, what the summary says of it."""
        try:
            return next(spec for spec in registry.metric_class(ref.name).scores if spec.name == name)
        except (UserError, StopIteration):
            return self._described(ref, self.run.score(name))

    def _described(self, ref: MetricRef, said: ScoreSummary) -> ScoreSpec:
        records = [record for record in self.records.values() if record.metric == ref.name]
        counted = any(said.name in record.counts for record in records)
        kept = any(record.features for record in records) and not any(said.name in record.scores for record in records)
        return ScoreSpec(
            said.name,
            said.title,
            said.direction,
            said.unit,
            said.range,
            said.source,
            aggregation="corpus" if kept else "ratio" if counted else "mean",
            decimals=said.decimals,
        )


def read(run: Run, *, allow_unfinished: bool = False) -> ReadRun:
    """Read a run. Raises UserError when it is unfinished, or when its summary does not follow from its journal."""
    found = ReadRun(run)
    missing = found.n_missing
    if missing and not allow_unfinished:
        total = len(found.items) * len(run.manifest.metrics)
        raise UserError(
            f"run {run.path} is unfinished: {missing} of {total} measurements are missing; start it again with its own "
            f"command, or add --allow-unfinished to take what is there"
        )
    if not missing:
        check_summary(run)
    return found


def check_summary(run: Run) -> None:
    """Raises UserError when summary.json says anything else than the journal beside it."""
    if not run.paths.summary.exists():
        return
    stored = run.summary
    if stored.journal_sha256 != journal_sha256(run.paths.journal):
        raise UserError(
            f"{run.paths.summary} was made from another journal than the one beside it; the journal or the summary was "
            f"changed: remove the summary and start the run again with its own command"
        )
    if not all(ref.name in registry.available() for ref in run.manifest.metrics):
        return  # a metric of another distribution that is not installed here cannot be summarised again
    from mova_eval.runs.summarising import summarise_run

    made = {score.name: score for score in summarise_run(run.path, resamples=2).scores}
    for score in stored.scores:
        fresh = made.get(score.name)
        parts = [(score.overall, fresh.overall)] if fresh else []
        parts += [(part, fresh.sets[name]) for name, part in score.sets.items() if fresh and name in fresh.sets]
        for said, true in parts:
            if not _same(said.value, true.value) or said.n_scored != true.n_scored:
                raise UserError(
                    f"{run.paths.summary} does not agree with the journal beside it: {score.name} is {said.value} "
                    f"({said.n_scored} clips) there and {true.value} ({true.n_scored} clips) by the journal; it was "
                    f"edited or made by another version: remove it and start the run again with its own command"
                )


def _same(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
