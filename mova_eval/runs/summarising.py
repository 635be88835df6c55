"""From the journal of a run to its summary: nothing else goes in, so that it can be made again at any time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypedDict

import numpy as np

from metrics import registry
from metrics.errors import UserError
from metrics.types import Feature, ScoreSpec
from mova_eval import statistics
from mova_eval.aggregation import ClipScore, Rule, clip_score, rule_for
from mova_eval.records import Aggregate, Manifest, MetricRef, Record, RunItem, ScoreSummary, Summary
from mova_eval.runs.features import StoredFeatures
from mova_eval.runs.items import read_items
from mova_eval.runs.journal import journal_sha256, latest, read_journal
from mova_eval.runs.manifest import read_manifest
from mova_eval.runs.outcomes import NO_CLIP
from mova_eval.runs.paths import RunPaths

_FEW = 10
_FEW_CORPUS = 200


def summarise_run(
    run_dir: Path,
    *,
    unmatched: Sequence[str] = (),
    notes: Sequence[str] = (),
    resamples: int = statistics.RESAMPLES,
) -> Summary:
    """The summary of what a run has measured so far.

    unmatched: files of the clips folder that belong to no item. notes: on the matching of files to items.

    Raises UserError for a damaged run, and when a metric of the run with a corpus-level score is no longer installed.
    """
    paths = RunPaths(run_dir)
    manifest, items = read_manifest(paths.manifest), read_items(paths.items)
    records = latest(read_journal(paths.journal)[0])
    scores = []
    for ref in manifest.metrics:
        scores += _MetricSummary(ref, manifest, items, records, paths, resamples).scores()
    wanted = [(item.item, ref.name) for item in items for ref in manifest.metrics]
    return Summary(
        run=manifest.run,
        benchmark=manifest.benchmark,
        complete=all(pair in records for pair in wanted),
        n_items=len(items),
        n_clips=sum(item.clip is not None for item in items),
        missing_clips=[item.item for item in items if item.clip is None],
        unmatched_files=list(unmatched),
        matching_notes=list(notes),
        scores=scores,
        not_run=manifest.not_run,
        journal_sha256=journal_sha256(paths.journal),
        resamples=resamples,
        seed=manifest.seed,
    )


class _MetricSummary:
    """Summaries of all scores of one metric."""

    def __init__(
        self,
        ref: MetricRef,
        manifest: Manifest,
        items: Sequence[RunItem],
        records: Mapping[tuple[str, str], Record],
        paths: RunPaths,
        resamples: int,
    ) -> None:
        self.ref = ref
        self.manifest = manifest
        self.items = items
        self.records = records
        self.paths = paths
        self.resamples = resamples
        self.sets = list(manifest.benchmark.sets)
        self._stored = StoredFeatures(ref, paths)

    def scores(self) -> list[ScoreSummary]:
        by_name = {spec.name: spec for spec in registry.metric_class(self.ref.name).scores}
        return [self._score(by_name[name]) for name in self.ref.scores if name in by_name]

    def _score(self, spec: ScoreSpec) -> ScoreSummary:
        rule = rule_for(self.manifest.benchmark.name, self.manifest.protocol, spec)
        groups: dict[str, list[ClipScore]] = {name: [] for name in self.sets}
        for item in self.items:
            if rule.takes(item):
                groups[item.set].append(clip_score(item, self.records.get((item.item, self.ref.name)), spec))
        sets = {name: self._pooled(spec, rule, [group], name) for name, group in groups.items()}
        chosen = rule.chosen(self.sets)
        overall, notes = self._overall(spec, rule, [groups[name] for name in chosen], [sets[name] for name in chosen])
        return ScoreSummary(
            name=spec.name,
            title=spec.title,
            metric=self.ref.name,
            direction=spec.direction,
            unit=spec.unit,
            range=spec.range,
            decimals=spec.decimals,
            source=spec.source,
            protocol=str(self.ref.parameters.get("protocol", self.manifest.protocol)),
            made_with=self.ref.made_with,
            rule=rule.text(spec, self.sets),
            overall=overall,
            sets=sets,
            notes=[*notes, *_notes(spec, rule, overall, chosen)],
        )

    def _overall(
        self, spec: ScoreSpec, rule: Rule, groups: Sequence[list[ClipScore]], sets: Sequence[Aggregate]
    ) -> tuple[Aggregate, list[str]]:
        if rule.kind == "pooled" or len(groups) == 1:
            return self._pooled(spec, rule, groups, "overall"), []
        tried = [_has_clips(group) for group in groups]
        names = rule.chosen(self.sets)
        notes = [f"{name} has no clip and is left out" for name, any_ in zip(names, tried, strict=True) if not any_]
        entering = [(group, part) for group, part, any_ in zip(groups, sets, tried, strict=True) if any_]
        # A set for which the score has no meaning at all says nothing; a set whose clips failed leaves no mean.
        entering = [pair for pair in entering if pair[1].n_scored or pair[1].n_failed or "pending" in pair[1].reasons]
        values = [part.value for _, part in entering]
        compats = [rule.empty_set if part.compat is None else part.compat for _, part in entering]
        if None in values:
            notes.append("a set has clips but no score, so there is no mean over the sets")
        counts = _counts([score for group in groups for score in group])
        return (
            Aggregate(
                value=_mean_or_none(values),
                compat=_mean_or_none(compats),
                interval=None if None in values else self._mean_of_sets_interval(spec, [g for g, _ in entering]),
                **counts,
            ),
            notes,
        )

    def _pooled(self, spec: ScoreSpec, rule: Rule, groups: Sequence[list[ClipScore]], where: str) -> Aggregate:
        """One aggregate over all clips of the groups; intervals keep each group's share of the clips."""
        together = [score for group in groups for score in group]
        scored = [[score for score in group if score.status == "scored"] for group in groups]
        counts = _counts(together)
        rng = statistics.generator(self.manifest.seed, spec.name, where)
        if spec.aggregation == "corpus":
            return self._pooled_corpus(spec, scored, counts, rng)
        if spec.aggregation == "ratio" and not rule.per_clip_mean:
            return self._pooled_ratio(spec, rule, scored, counts, rng)
        values = [_values(group) for group in scored]
        official = [score.compat for score in together if score.compat is not None]
        return Aggregate(
            value=_mean_or_none(list(np.concatenate(values))) if values else None,
            compat=_mean_or_none(official),
            interval=statistics.pooled_mean_interval(values, rng, self.resamples),
            **counts,
        )

    def _pooled_ratio(
        self,
        spec: ScoreSpec,
        rule: Rule,
        scored: Sequence[list[ClipScore]],
        counts: _Counts,
        rng: np.random.Generator,
    ) -> Aggregate:
        pairs = [np.array([_count_pair(score, spec) for score in group], dtype=np.float64) for group in scored]
        filled = [pair for pair in pairs if len(pair)]
        numerator, denominator = np.concatenate(filled).sum(axis=0).tolist() if filled else (0.0, 0.0)
        value = numerator / denominator if denominator else None
        return Aggregate(
            value=value,
            compat=None if rule.fatal_failure and counts["n_failed"] else value,
            interval=statistics.ratio_interval(filled, rng, self.resamples) if value is not None else None,
            numerator=numerator if filled else None,
            denominator=denominator if filled else None,
            **counts,
        )

    def _pooled_corpus(
        self, spec: ScoreSpec, scored: Sequence[list[ClipScore]], counts: _Counts, rng: np.random.Generator
    ) -> Aggregate:
        features = [self._stored.of(score) for group in scored for score in group]
        if not features:
            return Aggregate(value=None, compat=None, interval=None, **counts)
        value = float(self._stored.metric.summarise(features)[spec.name])
        statistic = partial(self._resampled, spec.name, features)
        interval = statistics.corpus_interval(statistic, [len(group) for group in scored], rng, self.resamples)
        return Aggregate(value=value, compat=value, interval=interval, **counts)

    def _mean_of_sets_interval(self, spec: ScoreSpec, groups: Sequence[list[ClipScore]]) -> statistics.Interval | None:
        rng = statistics.generator(self.manifest.seed, spec.name, "overall")
        scored = [[score for score in group if score.status == "scored"] for group in groups]
        if spec.aggregation == "corpus":
            features = [[self._stored.of(score) for score in group] for group in scored]
            parts = [partial(self._resampled, spec.name, group) for group in features]
            return statistics.mean_of_corpus_interval(parts, [len(g) for g in scored], rng, self.resamples)
        return statistics.mean_of_means_interval([_values(group) for group in scored], rng, self.resamples)

    def _resampled(self, name: str, features: Sequence[Feature], index: statistics.Indices) -> statistics.Floats:
        return np.asarray(self._stored.metric.summarise_resampled(features, index)[name], dtype=np.float64)


class _Counts(TypedDict):
    """The counting fields of an `Aggregate`."""

    n_expected: int
    n_scored: int
    n_not_applicable: int
    n_failed: int
    reasons: dict[str, int]


def _counts(scores: Sequence[ClipScore]) -> _Counts:
    status = Counter(score.status for score in scores)
    reasons = Counter(score.code for score in scores if score.code is not None)
    return {
        "n_expected": len(scores),
        "n_scored": status["scored"],
        "n_not_applicable": status["not_applicable"],
        "n_failed": status["failed"],
        "reasons": dict(sorted(reasons.items())),
    }


def _has_clips(group: Sequence[ClipScore]) -> bool:
    return any(score.item.clip is not None for score in group)


def _values(group: Sequence[ClipScore]) -> statistics.Floats:
    return np.array([score.value for score in group], dtype=np.float64)


def _mean_or_none(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _count_pair(score: ClipScore, spec: ScoreSpec) -> tuple[float, float]:
    if score.counts is None:
        raise UserError(
            f"item {score.item.item}: {spec.name} is an error rate but was measured without its counts; its metric "
            f"must give `counts` for every score of aggregation 'ratio'"
        )
    return score.counts


def _notes(spec: ScoreSpec, rule: Rule, overall: Aggregate, chosen: Sequence[str]) -> list[str]:
    notes = []
    if not chosen:
        notes.append(f"published on {', '.join(rule.sets or ())}, which is not part of this run")
    few = _FEW_CORPUS if spec.aggregation == "corpus" else _FEW
    if 0 < overall.n_scored < few:
        clips = "clip" if overall.n_scored == 1 else "clips"
        notes.append(f"{overall.n_scored} {clips} only: too few to compare with other results")
    absent = overall.reasons.get(NO_CLIP, 0)
    if absent:
        notes.append(f"{absent} of {overall.n_expected} items have no clip")
    if overall.n_failed > absent:
        notes.append(f"{overall.n_failed - absent} of {overall.n_expected} clips failed; the value leaves them out")
    return notes
