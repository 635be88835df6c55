"""The list of metrics: the suite's own and those that other distributions register.

Everything here is lazy: listing metrics imports their modules' declarations, never a network or a weights file.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metrics.errors import UserError
from metrics.types import Measurement, MetricCard, Request, ScoreSpec

if TYPE_CHECKING:
    from metrics.metric import Metric

ENTRY_POINT_GROUP = "mova_eval.metrics"
OWN = "mova-eval"

_BUILT_IN: dict[str, str] = {
    "loudness": "metrics.loudness:Loudness",
    "dnsmos": "metrics.dnsmos:Dnsmos",
    "av_align": "metrics.av_align:AvAlign",
    "inception_score": "metrics.inception_score.metric:InceptionScore",
    "clap": "metrics.clap.metric:Clap",
    "desync": "metrics.desync.metric:Desync",
    "ib": "metrics.imagebind.metric:IbScore",
    "video_reward": "metrics.video_reward.metric:VideoReward",
    "lip_sync": "metrics.lip_sync.metric:LipSync",
    "wer": "metrics.error_rates:ErrorRates",
    "cpcer": "metrics.cpcer:CpCer",
}


@dataclass(frozen=True, slots=True)
class _Entry:
    target: str
    origin: str


@lru_cache(maxsize=1)
def _entries() -> Mapping[str, _Entry]:
    entries = {name: _Entry(target, OWN) for name, target in _BUILT_IN.items()}
    for point in metadata.entry_points(group=ENTRY_POINT_GROUP):
        origin = point.dist.name if point.dist else "unknown"
        if point.name in entries:
            raise UserError(
                f"two metrics are called '{point.name}': {entries[point.name].target} of {entries[point.name].origin} "
                f"and {point.value} of {origin}; uninstall one of the two distributions or rename its entry point"
            )
        entries[point.name] = _Entry(point.value, origin)
    return entries


def refresh() -> None:
    """Forget the list, so that distributions installed since are seen (for notebooks and tests)."""
    _entries.cache_clear()


def available() -> list[str]:
    """Names of all metrics, the suite's own first."""
    return list(_entries())


def metric_class(name: str) -> type[Metric]:
    """The class of a metric, by its own name or by the name of one of its scores ("lse_d" is given by "lip_sync").

    Raises UserError with the nearest names when there is none, or when a registered class is not a `Metric`.
    """
    from metrics.metric import Metric

    entry = _entries().get(name)
    if entry is None:
        owner = next((n for n in available() if name in {s.name for s in metric_class(n).scores}), None)
        if owner is not None:
            return metric_class(owner)
        raise UserError(_no_such_metric(name))
    module, _, attribute = entry.target.partition(":")
    try:
        loaded = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(f"metric {name} of {entry.origin} cannot be loaded from {entry.target}: {error}") from error
    if not (isinstance(loaded, type) and issubclass(loaded, Metric)):
        raise UserError(f"metric {name} of {entry.origin}: {entry.target} is not a subclass of metrics.Metric")
    return loaded


def _no_such_metric(name: str) -> str:
    known = set(available()) | set(score_specs())
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(available())}"
    return f"no metric or score is called '{name}'; {hint}"


def get(name: str, **options: Any) -> Metric:
    """A metric ready to measure, with its protocol, device and options.

    Raises UserError for an unknown name, protocol or option.
    """
    return metric_class(name)(**options)


def measure(
    name: str, path: str | Path, item: Request | Mapping[str, Any] | None = None, **options: Any
) -> Measurement:
    """Measure one file with one metric: the shortest way from a clip to a number.

    item: what the clip was asked for (prompt, speech ...) as a `Request` or a mapping of its fields.
    Raises UserError for an unknown metric or option and for missing weights; a bad clip is a *failed* measurement.
    """
    from metrics.clip import Clip

    metric = get(name, **options)
    missing = metric.missing()
    if missing:
        raise UserError(missing[0])
    with Clip(path) as clip:
        return metric.measure(clip, item)


def score_specs() -> dict[str, ScoreSpec]:
    """Every score of every metric, by name."""
    return {spec.name: spec for name in available() for spec in metric_class(name).scores}


def missing_parts(metric: Metric) -> list[str]:
    """Packages and weights that this metric lacks here, one sentence each with what to do."""
    from metrics import weights

    gaps = [
        f"{metric.name} needs the package {package}, which is not installed; {weights.install_hint(package)}"
        for package in metric.packages
        if find_spec(package) is None
    ]
    for name in metric.weights_used():
        gap = weights.missing(name)
        if gap:
            gaps.append(f"{metric.name} not run: {gap}")
    return gaps


def origin(name: str) -> str:
    """The distribution that a metric comes from; "mova-eval" for the suite's own."""
    entries = _entries()
    return (entries.get(metric_class(name).name) or entries[name]).origin


def card(name: str) -> MetricCard:
    """What there is to know about a metric before running it."""
    cls = metric_class(name)
    entry = _entries()[cls.name] if cls.name in _entries() else _entries()[name]
    return MetricCard(
        name=cls.name,
        version=cls.version,
        title=cls.title,
        scores=cls.scores,
        needs=cls.needs,
        protocols=tuple(cls.protocols),
        weights=cls.weights,
        packages=cls.packages,
        licence=cls.licence,
        origin=entry.origin,
        missing=tuple(cls().missing()),
    )
