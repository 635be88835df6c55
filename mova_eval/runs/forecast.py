"""What a run will do, need and take, without doing it; and what of it fits into a given time."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metrics import registry, weights
from metrics.errors import UserError
from metrics.metric import unmet_request
from mova_eval.aggregation import rule_for
from mova_eval.records import NotRun
from mova_eval.runs.cache import MeasurementCache
from mova_eval.runs.items import BenchmarkLike, MatchingLike
from mova_eval.runs.journal import latest, read_journal
from mova_eval.runs.paths import RunPaths
from mova_eval.runs.plan import MetricPlan
from mova_eval.runs.rates import Rate, Rates, film_seconds

FEWEST = 12
"""Items below which a budget gives up the most expensive metric before more items: intervals of fewer mean little."""
_Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class MetricForecast:
    """One metric: clips it is asked about, those without meaning for it, those already known, those to be measured.

    seconds: predicted work of one core or device; None where nobody has timed it. origin: of the rate.
    """

    name: str
    clips: int
    not_applicable: int
    known: int
    to_measure: int
    seconds: float | None
    origin: str


@dataclass(frozen=True, slots=True)
class Download:
    """Weights that are missing: what asks for them, and bytes to fetch (None where that is not known beforehand)."""

    name: str
    metric: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run will do. seconds: predicted wall time with `workers`; None where no metric was ever timed.

    film: mean seconds of a clip.
    """

    items: int
    clips: int
    film: float | None
    workers: int
    metrics: tuple[MetricForecast, ...]
    not_run: tuple[NotRun, ...]
    downloads: tuple[Download, ...]
    seconds: float | None
    untimed: tuple[str, ...]


def forecast(
    benchmark: BenchmarkLike,
    matching: MatchingLike,
    plans: Sequence[MetricPlan],
    not_run: Sequence[NotRun],
    *,
    out: Path,
    workers: int,
    device: str,
    options: Mapping[str, Mapping[str, Any]],
    cache: bool = True,
    rates: Rates | None = None,
) -> Forecast:
    """See `Forecast`. Reads clips only to hash them and to learn how long they are; writes nothing."""
    rates = rates if rates is not None else Rates()
    film = film_seconds(matching.clips.values())
    counts = _count(benchmark, matching, plans, out, cache)
    rows = []
    for plan in plans:
        clips, pointless, known = counts[plan.name]
        rate, left = rates.of(plan, device), clips - pointless - known
        seconds = None if rate is None or film is None else rate.per_film_second * film * left
        rows.append(MetricForecast(plan.name, clips, pointless, known, left, seconds if left else 0.0, _origin(rate)))
    timed = [row.seconds for row in rows if row.seconds is not None]
    return Forecast(
        items=len(benchmark.items),
        clips=len(matching.clips),
        film=film,
        workers=workers,
        metrics=tuple(rows),
        not_run=tuple(not_run),
        downloads=tuple(_downloads(not_run, options)),
        seconds=sum(timed) / max(workers, 1) if timed else None,
        untimed=tuple(row.name for row in rows if row.seconds is None),
    )


def _origin(rate: Rate | None) -> str:
    return "not timed yet" if rate is None else f"{rate.origin}, {rate.clips:.0f} clips"


def _count(
    benchmark: BenchmarkLike, matching: MatchingLike, plans: Sequence[MetricPlan], out: Path, cache: bool
) -> dict[str, tuple[int, int, int]]:
    """Metric -> (clips, those without meaning for it, those whose outcome is known from journal or cache)."""
    paths = RunPaths(out)
    journal = latest(read_journal(paths.journal)[0])
    memory = MeasurementCache(warn=lambda text: None) if cache else None
    counts = {plan.name: [0, 0, 0] for plan in plans}
    for item in benchmark.items:
        source = matching.clips.get(item.id)
        if source is None:
            continue
        digest, request = weights.sha256_of(source), item.request()
        for plan in plans:
            count, key = counts[plan.name], plan.key(digest, request)
            count[0] += 1
            record = journal.get((item.id, plan.name))
            if unmet_request(plan.needs, request) is not None:
                count[1] += 1
            elif (record is not None and record.key == key) or (memory is not None and memory.path(key).is_file()):
                count[2] += 1
    return {name: (clips, pointless, known) for name, (clips, pointless, known) in counts.items()}


def _downloads(not_run: Sequence[NotRun], options: Mapping[str, Mapping[str, Any]]) -> list[Download]:
    """Missing weights of the metrics that cannot run, each once."""
    found: dict[str, Download] = {}
    for gap in not_run:
        try:
            used = registry.get(gap.metric, **options.get(gap.metric, {})).weights_used()
        except UserError:
            continue
        for name in used:
            if weights.missing(name) is not None:
                found.setdefault(name, Download(name, gap.metric, weights.declared(name).size))
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Width:
    """What a subset buys for one score: half the width of its 95 % interval, None where the scatter is not known.

    times: how many times as wide as with all items.
    """

    score: str
    half_width: float | None
    times: float


@dataclass(frozen=True, slots=True)
class Choice:
    """What fits into a budget. items: ids, in benchmark order. dropped: metric -> why."""

    items: tuple[str, ...]
    metrics: tuple[str, ...]
    dropped: dict[str, str]
    seconds: float
    widths: tuple[Width, ...]


def within_budget(
    benchmark: BenchmarkLike,
    matching: MatchingLike,
    plans: Sequence[MetricPlan],
    *,
    budget: float,
    workers: int,
    device: str,
    protocol: str,
    rates: Rates | None = None,
) -> Choice:
    """Metrics and a stratified subset of items that take no longer than `budget` seconds of wall time.

    All metrics stay as long as at least `FEWEST` items (or all there are) fit; after that the most expensive one goes.
    The subset has the same share of each set and is nested: a larger budget keeps the items of a smaller one.
    Raises UserError where a metric was never timed, and where nothing fits.
    """
    rates = rates if rates is not None else Rates()
    with_clip = [item for item in benchmark.items if item.id in matching.clips]
    film = film_seconds(matching.clips.values())
    if not with_clip or film is None:
        raise UserError("--budget: there is no clip that can be read")
    costs = _costs(plans, rates, film, device)
    kept, dropped = dict(costs), {}
    fewest = min(FEWEST, len(with_clip))
    while sum(kept.values()) * fewest / max(workers, 1) > budget:
        worst = max(kept, key=lambda name: kept[name])
        if len(kept) == 1:
            raise UserError(
                f"--budget: not even {worst} on {fewest} clips fits; it takes about "
                f"{duration(kept[worst] * fewest / max(workers, 1))}"
            )
        dropped[worst] = f"{kept.pop(worst):.1f} s a clip do not fit into the budget with {fewest} items"
    each = sum(kept.values()) / max(workers, 1)
    count = len(with_clip) if each == 0 else min(len(with_clip), math.floor(budget / each))
    chosen = stratified([(item.id, item.set) for item in with_clip], count)
    sets = {item.id: item.set for item in with_clip}
    widths = [
        _width(name, [sets[i] for i in chosen], [*sets.values()], benchmark.name, protocol, rates)
        for plan in plans if plan.name in kept for name in plan.ref.scores
    ]  # fmt: skip
    return Choice(tuple(chosen), tuple(kept), dropped, each * len(chosen), tuple(widths))


def _costs(plans: Sequence[MetricPlan], rates: Rates, film: float, device: str) -> dict[str, float]:
    costs = {}
    for plan in plans:
        rate = rates.of(plan, device)
        if rate is None:
            raise UserError(
                f"--budget: {plan.name} was never timed on this machine; score a few clips first (--limit 5), or "
                "choose --metrics without it"
            )
        costs[plan.name] = rate.per_film_second * film
    return costs


def stratified(items: Sequence[tuple[str, str]], count: int) -> list[str]:
    """`count` of (id, set) pairs, the same share of every set, at least one of each while there is room; ids in order.

    Inside a set the order is that of a digest of the id, so that choices of different sizes are nested there.
    """
    groups: dict[str, list[str]] = {}
    for name, set_ in items:
        groups.setdefault(set_, []).append(name)
    shares = {set_: len(names) * min(count, len(items)) / len(items) for set_, names in groups.items()}
    sizes = {set_: min(len(groups[set_]), max(math.floor(share), 1)) for set_, share in shares.items()}
    rest = sorted(groups, key=lambda set_: (sizes[set_] - shares[set_], set_))
    while sum(sizes.values()) < min(count, len(items)):
        for set_ in rest:
            if sizes[set_] < len(groups[set_]) and sum(sizes.values()) < count:
                sizes[set_] += 1
    while sum(sizes.values()) > count and max(sizes.values()) > 0:
        sizes[max(sizes, key=lambda set_: (sizes[set_] - shares[set_], set_))] -= 1
    chosen = {n for set_, names in groups.items() for n in sorted(names, key=_shuffled)[: sizes[set_]]}
    return [name for name, _ in items if name in chosen]


def _shuffled(name: str) -> str:
    return hashlib.sha256(f"subset {name}".encode()).hexdigest()


def _width(score: str, chosen: list[str], every: list[str], benchmark: str, protocol: str, rates: Rates) -> Width:
    spec = registry.score_specs()[score]
    rule = rule_for(benchmark, protocol, spec)
    error, whole = (_error(sets, rule.kind, rule.sets) for sets in (chosen, every))
    deviation = rates.deviation(score)
    times = error / whole if whole else math.inf
    return Width(score, None if deviation is None or not math.isfinite(error) else _Z95 * deviation * error, times)


def _error(sets: list[str], kind: str, only: tuple[str, ...] | None) -> float:
    """Standard error of an aggregate of clips that scatter by 1: of the mean over all, or of the mean of the sets'."""
    counts = {name: sets.count(name) for name in dict.fromkeys(sets) if only is None or name in only}
    if not counts:
        return math.inf
    if kind == "pooled":
        return 1 / math.sqrt(sum(counts.values()))
    return math.sqrt(sum(1 / n for n in counts.values())) / len(counts)


def duration(seconds: float) -> str:
    """Seconds for people: `40 s`, `12 min`, `3 h 20 min`."""
    if seconds < 99:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 99 else f"{minutes // 60} h {minutes % 60:02d} min"


def seconds_of(text: str) -> float:
    """Seconds of `90s`, `45m`, `2h`, `1h30m`. Raises UserError."""
    import re

    number = r"(\d+(?:\.\d+)?)"
    found = re.fullmatch(rf"(?:{number}h)?(?:{number}m(?:in)?)?(?:{number}s)?", text.strip().replace(" ", ""))
    if found is None or not any(found.groups()):
        raise UserError(f"--budget {text}: write a time such as 2h, 45m or 1h30m")
    hours, minutes, rest = (float(part or 0) for part in found.groups())
    total = 3600 * hours + 60 * minutes + rest
    if total <= 0:
        raise UserError(f"--budget {text}: give more than no time")
    return total
