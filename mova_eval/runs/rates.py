"""How long measuring takes and how much scores scatter, learnt from the runs made on this machine.

One small JSON file in the cache. Per metric, device and variant (weights, recogniser, precision): clips measured,
seconds they took and seconds of film they had; per score: sums for its standard deviation. Nothing here is precious.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from metrics import weights
from mova_eval.runs.paths import write_atomically
from mova_eval.runs.plan import MetricPlan

_MEMORY = 2000
"""Clips after which older ones count for less, so that a faster machine or a new driver shows."""
_SAMPLED = 24
"""Clips whose length is looked up to know how long the film is."""


@dataclass
class Spread:
    """Of one score: how many values, their sum, and the sum of their squares."""

    n: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        self.n, self.total, self.squares = self.n + 1, self.total + value, self.squares + value * value

    @property
    def deviation(self) -> float | None:
        """Standard deviation over clips; None with fewer than three."""
        if self.n < 3:
            return None
        return math.sqrt(max(self.squares / self.n - (self.total / self.n) ** 2, 0.0) * self.n / (self.n - 1))


@dataclass
class Rate:
    """Of one metric on one device: clips measured, the metric's own seconds, and seconds of film."""

    clips: float = 0.0
    seconds: float = 0.0
    film: float = 0.0
    spreads: dict[str, Spread] = field(default_factory=dict)
    origin: str = "measured here"

    @property
    def per_film_second(self) -> float:
        """Seconds of work per second of film."""
        return self.seconds / self.film


def key_of(plan: MetricPlan, device: str) -> str:
    """Under which name the rate of a metric is kept."""
    precision = plan.ref.parameters.get("precision", "")
    kind = device.partition(":")[0]
    protocol = plan.ref.parameters.get("protocol", "")
    return "|".join((plan.name, plan.ref.version, str(protocol), kind, plan.ref.made_with, str(precision)))


class Rates:
    """The rates known here, and, where a metric was never run here, those that the suite ships for another machine."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path if path is not None else weights.cache_dir() / "rates.json"
        self.known: dict[str, Rate] = _read(self.path)

    def of(self, plan: MetricPlan, device: str) -> Rate | None:
        """What is known about a metric; None for one that nobody has ever timed."""
        found = self.known.get(key_of(plan, device))
        if found is not None and found.film > 0:
            return found
        return shipped().get(f"{plan.name}|{device.partition(':')[0]}")

    def deviation(self, score: str) -> float | None:
        """Standard deviation of a score over clips, from all that was measured here."""
        spreads = [rate.spreads[score] for rate in self.known.values() if score in rate.spreads]
        best = max(spreads, key=lambda spread: spread.n, default=None)
        return None if best is None else best.deviation

    def add(
        self, plan: MetricPlan, device: str, measured: Sequence[tuple[float, Mapping[str, float]]], film: float
    ) -> None:
        """Take a run's measurements in. measured: (seconds, scores) of each clip; film: mean seconds of a clip."""
        if not measured or film <= 0:
            return
        rate = self.known.setdefault(key_of(plan, device), Rate())
        if rate.clips > _MEMORY:
            rate.clips, rate.seconds, rate.film = rate.clips / 2, rate.seconds / 2, rate.film / 2
        rate.clips += len(measured)
        rate.seconds += sum(seconds for seconds, _ in measured)
        rate.film += film * len(measured)
        for _, scores in measured:
            for name, value in scores.items():
                rate.spreads.setdefault(name, Spread()).add(value)

    def save(self) -> None:
        """Write the file; a cache that cannot be written only costs the next forecast."""
        content = {
            key: {
                "clips": rate.clips, "seconds": rate.seconds, "film": rate.film,
                "spreads": {name: [s.n, s.total, s.squares] for name, s in rate.spreads.items()},
            }
            for key, rate in sorted(self.known.items())
        }  # fmt: skip
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.path, json.dumps(content, indent=1).encode(), durable=False)


def _read(path: Path) -> dict[str, Rate]:
    try:
        return {key: _rate(row) for key, row in json.loads(path.read_text("utf-8")).items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _rate(row: Mapping[str, Any], origin: str = "measured here") -> Rate:
    spreads = {name: Spread(*map(float, values)) for name, values in row.get("spreads", {}).items()}
    return Rate(float(row["clips"]), float(row["seconds"]), float(row["film"]), spreads, origin)


@lru_cache(maxsize=1)
def shipped() -> dict[str, Rate]:
    """Rates measured by the project: `metric|device` -> rate."""
    content = json.loads((files("mova_eval.runs") / "data" / "rates.json").read_text("utf-8"))
    return {key: _rate(row, f"on {content['machine']}") for key, row in content["rates"].items()}


def film_seconds(clips: Iterable[Path]) -> float | None:
    """Mean length of clips in seconds, from a few of them spread over all; None where none can be read."""
    from metrics.clip import Clip
    from metrics.errors import ClipError

    every = list(clips)
    step = max(1, len(every) // _SAMPLED)
    lengths = []
    for path in every[::step][:_SAMPLED]:
        with suppress(ClipError), Clip(path) as clip:
            lengths.append(float(clip.facts.duration))
    return sum(lengths) / len(lengths) if lengths else None
