"""Hold one run against another: every score paired item by item."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from metrics.errors import UserError
from mova_eval.aggregation import Rule, rule_for
from mova_eval.comparison.cards import card_of, check_comparable, differences
from mova_eval.comparison.changes import item_changes
from mova_eval.comparison.paired import Paired, PairedCorpus, PairedMean, PairedRatio
from mova_eval.comparison.reading import ReadRun, RunScore, read
from mova_eval.comparison.records import Comparison, Coverage, ScoreComparison, Shift, Side, Verdict
from mova_eval.comparison.resampling import (
    Draws,
    detectable_difference,
    holm,
    mcnemar_p,
    one_thread,
    paired_interval,
    permutation_p,
)
from mova_eval.runs.loading import Run, load_run

RESAMPLES = 10_000
ALPHA = 0.05
LISTED = 50
FEW = 10

OnScore = Callable[[str, int, int], None]
"""Told the name of each score that is done, how many are, and of how many."""


def compare(
    base: str | Path | Run,
    head: str | Path | Run,
    *,
    metrics: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    allow_different_protocol: bool = False,
    allow_unfinished: bool = False,
    on_score: OnScore | None = None,
) -> Comparison:
    """Compare two runs on the items that both have scored.

    metrics: metrics or scores to compare, None for all that both runs have. resamples: of the bootstrap, and as many
    permutations. allow_different_protocol: compare although the protocol cards differ. allow_unfinished: take what an
    unfinished run has.

    Raises UserError for runs of different benchmarks or without common items, for cards that differ, an unfinished
    run, a summary that does not follow from its journal, and an unknown metric.
    """
    a, b = (read(_opened(run), allow_unfinished=allow_unfinished) for run in (base, head))
    _check_benchmark(a, b)
    wanted = _wanted(a, b, metrics)
    cards = [card_of(side.run) for side in (a, b)]
    measuring = {ref.name for ref in a.run.manifest.metrics if set(ref.scores) & set(wanted)}
    differing = differences(cards[0], cards[1], sorted(measuring))
    check_comparable(differing, allow_different_protocol)
    common = [item for item in a.items if item in b.items]
    if not common:
        raise UserError(f"{a.run.path} and {b.run.path} have no item in common; compare runs over the same items")
    draws = Draws(seed, resamples, resamples)
    pairs = [(a.score(name), b.score(name) if name in b.names() else None) for name in wanted]
    scores = []
    with one_thread():
        for place, (one, other) in enumerate(pairs, start=1):
            scores.append(compare_score(a, one, other, draws))
            if on_score is not None:
                on_score(one.spec.name, place, len(pairs))
    scores = corrected(scores)
    present = [(one, other) for one, other in pairs if other is not None]
    return Comparison(
        base=_side(a, cards[0]),
        head=_side(b, cards[1]),
        benchmark=f"{a.run.manifest.benchmark.title} {a.run.manifest.benchmark.version}",
        n_common=len(common),
        only_base=[item for item in a.items if item not in b.items],
        only_head=[item for item in b.items if item not in a.items],
        card_differences=differing,
        scores=scores,
        items=item_changes(a, b, present, common),
        resamples=resamples,
        permutations=resamples,
        seed=seed,
        notes=_notes(a, b, common, metrics),
    )


def _opened(run: str | Path | Run) -> Run:
    return run if isinstance(run, Run) else load_run(run)


def _check_benchmark(a: ReadRun, b: ReadRun) -> None:
    ours, theirs = a.run.manifest.benchmark, b.run.manifest.benchmark
    if ours.name != theirs.name:
        raise UserError(
            f"{a.run.path} is a run of benchmark {ours.name}, {b.run.path} of {theirs.name}; only runs of one "
            f"benchmark can be compared"
        )


def _wanted(a: ReadRun, b: ReadRun, metrics: Sequence[str] | None) -> list[str]:
    """Scores of the base run to compare, in its order. Those that only the base has stay: the head lost them."""
    by_metric = {ref.name: ref.scores for side in (b, a) for ref in side.run.manifest.metrics}
    if metrics is None:
        chosen = a.names()
    else:
        chosen = []
        for name in metrics:
            if name not in by_metric and name not in a.names() and name not in b.names():
                known = [*by_metric, *a.names()]
                near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
                hint = f"did you mean {' or '.join(near)}?" if near else f"the runs have {', '.join(a.names())}"
                raise UserError(f"neither run has a metric or score '{name}'; {hint}")
            chosen += by_metric.get(name, [name])
        chosen = [name for name in a.names() if name in set(chosen)]
    if not any(name in b.names() for name in chosen):
        raise UserError(f"{a.run.path} and {b.run.path} have no score in common; score the same metrics in both")
    return chosen


def compare_score(run: ReadRun, base: RunScore, head: RunScore | None, draws: Draws) -> ScoreComparison:
    """One score of the base run against the same score of another, without correction for several scores."""
    manifest, spec = run.run.manifest, base.spec
    rule = rule_for(manifest.benchmark.name, manifest.protocol, spec)
    sets = rule.chosen(manifest.benchmark.sets)
    entering = [item for item in run.run.items if rule.takes(item)]
    asked = {name: [item.item for item in entering if item.set == name] for name in manifest.benchmark.sets}
    both = {name: _both(base, head, asked[name]) for name in asked}
    told = ScoreComparison(
        name=spec.name,
        title=spec.title,
        metric=base.ref.name,
        direction=spec.direction,
        unit=spec.unit,
        range=spec.range,
        decimals=spec.decimals,
        protocol=str(base.ref.parameters.get("protocol", manifest.protocol)),
        made_with=base.ref.made_with,
        rule=rule.text(spec, manifest.benchmark.sets),
        n=sum(len(both[name]) for name in sets),
        coverage=_coverage(base, head, [item for name in sets for item in asked[name]]),
    )
    if head is None:
        return told.model_copy(update={"notes": ["head did not measure it"]})
    number = {name: place for place, name in enumerate(manifest.benchmark.sets)}
    filled = [name for name in sets if both[name]]
    if not filled:
        return told.model_copy(update={"notes": ["no item is scored in both runs"]})
    paired = _paired(rule, base, head, [both[name] for name in filled], [number[name] for name in filled])
    shifts = {
        name: _shift(_paired(rule, base, head, [both[name]], [number[name]]), draws) for name in asked if both[name]
    }
    return told.model_copy(update={**difference_of(paired, draws), "sets": shifts})


def _both(base: RunScore, head: RunScore | None, items: Sequence[str]) -> list[str]:
    if head is None:
        return []
    there = {clip.item.item for clip in head.scored(items)}
    return [clip.item.item for clip in base.scored(items) if clip.item.item in there]


def _paired(
    rule: Rule, base: RunScore, head: RunScore, groups: Sequence[Sequence[str]], places: Sequence[int]
) -> Paired:
    spec = base.spec
    sides = [[side.scored(group) for group in groups] for side in (base, head)]
    if spec.aggregation == "corpus":
        stored = (base.features, head.features)
        arrays = [[[kept.of(one) for one in group] for group in side] for kept, side in zip(stored, sides, strict=True)]
        return PairedCorpus(base.features.metric, spec.name, arrays[0], arrays[1], rule.kind, places)
    if spec.aggregation == "ratio" and not rule.per_clip_mean:
        counts = [[np.array([one.counts for one in group], dtype=np.float64) for group in side] for side in sides]
        return PairedRatio(counts[0], counts[1], places)
    values = [[np.array([one.value for one in group], dtype=np.float64) for group in side] for side in sides]
    return PairedMean(values[0], values[1], rule.kind, places)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _shift(paired: Paired, draws: Draws) -> Shift:
    base, head = map(_finite, paired.values())
    difference = None if base is None or head is None else head - base
    interval = None
    if paired.can_resample and difference is not None:
        interval = paired_interval(paired.resampled(draws), paired.n, len(paired.sizes))
    return Shift(base=base, head=head, difference=difference, interval=interval, n=paired.n)


def difference_of(paired: Paired, draws: Draws) -> dict[str, object]:
    """The fields of a `ScoreComparison` that statistics give."""
    base, head = map(_finite, paired.values())
    told: dict[str, object] = {"base": base, "head": head}
    if base is None or head is None:
        return {**told, "notes": ["a rate over an empty reference has no value"]}
    difference = head - base
    told |= {"difference": difference, "verdict": "no difference shown"}
    permuted = paired.permuted(draws)
    told |= {"p": permutation_p(difference, permuted), "draws": len(permuted)}
    notes = []
    if paired.can_resample:
        resampled = paired.resampled(draws)
        error = paired.standard_error(resampled)
        told["interval"] = paired_interval(resampled, paired.n, len(paired.sizes))
        if error > 1e-12 * max(abs(base), abs(head), 1e-300):
            told["standard_error"] = error
            told["detectable"] = detectable_difference(error, paired.n - len(paired.sizes))
    if difference == 0 and not np.any(permuted):
        told["verdict"] = "equal"
        notes.append("the two runs have the same number on every common item")
    elif paired.n < FEW:
        items = "item" if paired.n == 1 else "items"
        notes.append(f"{paired.n} common {items} only: too few to show a difference")
    return {**told, "notes": notes}


def _coverage(base: RunScore, head: RunScore | None, items: Sequence[str]) -> Coverage:
    ours = {clip.item.item for clip in base.scored(items)}
    theirs = {clip.item.item for clip in head.scored(items)} if head is not None else set()
    lost = [item for item in items if item in ours - theirs]
    reasons: Counter[str] = Counter()
    for item in lost:
        clip = head.clips.get(item) if head is not None else None
        reasons["not measured" if head is None else "not in head" if clip is None else clip.code or clip.status] += 1
    return Coverage(
        expected=len(items),
        base=len(ours),
        head=len(theirs),
        common=len(ours & theirs),
        only_base=len(lost),
        only_head=len(theirs - ours),
        p=mcnemar_p(len(lost), len(theirs - ours)),
        lost=lost[:LISTED],
        lost_reasons=dict(reasons.most_common()),
    )


def corrected(scores: Sequence[ScoreComparison]) -> list[ScoreComparison]:
    """Holm's correction over the compared scores, and the verdicts that follow from it."""
    together = holm([score.p for score in scores])
    return [
        score.model_copy(update={"p_holm": p, "verdict": _verdict(score, p)})
        for score, p in zip(scores, together, strict=True)
    ]


def _verdict(score: ScoreComparison, p_holm: float | None) -> Verdict:
    if score.verdict != "no difference shown" or p_holm is None or p_holm > ALPHA or score.difference is None:
        return score.verdict
    if score.direction == "target":
        return "changed"
    return "worse" if (score.loss or 0.0) > 0 else "better"


def _side(side: ReadRun, card: object) -> Side:
    manifest = side.run.manifest
    return Side.model_validate(
        {
            "path": side.run.path.as_posix(),
            "run": manifest.run,
            "model": manifest.generator.name,
            "created": manifest.created,
            "commit": manifest.commit,
            "complete": side.n_missing == 0,
            "n_items": len(side.items),
            "card": card,
        }
    )


def _notes(a: ReadRun, b: ReadRun, common: Sequence[str], metrics: Sequence[str] | None) -> list[str]:
    notes = []
    for side, other, name in ((a, b, "base"), (b, a, "head")):
        notes += [f"{name}: {caveat}" for caveat in side.run.manifest.generator.caveats]
        if side.n_missing:
            notes.append(f"{name} is unfinished: {side.n_missing} measurements are missing")
        extra = len(side.items) - len(common)
        if extra:
            notes.append(f"{extra} of {len(side.items)} items of {name} are not in the other run")
        more = [score for score in side.names() if score not in other.names()]
        if more and metrics is None:
            notes.append(f"only {name} measured {', '.join(more)}")
    if len(common) == 1:
        notes.append("one common item: nothing can be tested")
    return notes


def scores_by_name(comparison: Comparison) -> Mapping[str, ScoreComparison]:
    """The scores of a comparison by name."""
    return {score.name: score for score in comparison.scores}
