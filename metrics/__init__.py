"""Metrics for clips with picture and sound.

>>> import metrics
>>> metrics.measure("loudness", "clip.mp4").scores["lufs"]  # doctest: +SKIP
-23.01

Importing this package imports nothing heavy: numpy, scipy, torch and the rest come with the metric that needs them.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metrics.clip import Clip
    from metrics.errors import ClipError, MissingPackage, MissingWeights, NotApplicable, UserError
    from metrics.metric import Metric
    from metrics.registry import available, card, get, measure, metric_class, score_specs
    from metrics.types import Feature, Measurement, MetricCard, Need, Protocol, Ratio, Request, ScoreSpec, Turn

_HOME = {
    "Clip": "clip",
    **dict.fromkeys(("ClipError", "MissingPackage", "MissingWeights", "NotApplicable", "UserError"), "errors"),
    "Metric": "metric",
    **dict.fromkeys(("available", "card", "get", "measure", "metric_class", "score_specs"), "registry"),
    **dict.fromkeys(
        ("Feature", "Measurement", "MetricCard", "Need", "Protocol", "Ratio", "Request", "ScoreSpec", "Turn"), "types"
    ),
}

__all__ = [
    "Clip",
    "ClipError",
    "Feature",
    "Measurement",
    "Metric",
    "MetricCard",
    "MissingPackage",
    "MissingWeights",
    "Need",
    "NotApplicable",
    "Protocol",
    "Ratio",
    "Request",
    "ScoreSpec",
    "Turn",
    "UserError",
    "available",
    "card",
    "get",
    "measure",
    "metric_class",
    "score_specs",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is not None:
        value = getattr(import_module(f"metrics.{home}"), name)
    elif not name.startswith("_") and find_spec(f"metrics.{name}") is not None:
        value = import_module(f"metrics.{name}")  # `metrics.cpcer.cpcer(...)` without importing `metrics.cpcer` first
    else:
        raise AttributeError(f"module 'metrics' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
