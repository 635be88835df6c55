"""The difference of two runs in one score, for each of the three ways in which clips become one number.

Every class has the same four answers: the two values on the common items, differences of resamples (for the interval),
differences under random swaps of the two runs within each item (for the p-value), and a standard error.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mova_eval.comparison.resampling import Draws
from mova_eval.statistics import Floats, Indices, Kind

if TYPE_CHECKING:
    from metrics.metric import Metric
    from metrics.types import Feature

LOOPED_DRAWS = 500
"""Resamples of a corpus-level score whose metric computes them one after the other."""
_CORPUS_CHUNK = 250


class Paired(ABC):
    """One score of two runs over the same items, in groups (sets). sizes: items per group, none of them empty."""

    sizes: list[int]
    kind: Kind
    places: list[int]
    """Number of each group's set: the draws of a set are the same in the overall difference and in its own."""

    @property
    def n(self) -> int:
        """Common items."""
        return sum(self.sizes)

    @property
    def weights(self) -> list[float]:
        """What each group's mean counts in the overall number."""
        if self.kind == "mean_of_sets":
            return [1 / len(self.sizes)] * len(self.sizes)
        return [size / self.n for size in self.sizes]

    @property
    def can_resample(self) -> bool:
        """Whether an interval can be had: a group of one item has no spread of its own."""
        return self.n > 1 and (self.kind == "pooled" or min(self.sizes) > 1)

    @abstractmethod
    def values(self) -> tuple[float, float]:
        """Base and head."""

    @abstractmethod
    def resampled(self, draws: Draws) -> Floats:
        """Head minus base in each resample: [B]."""

    @abstractmethod
    def permuted(self, draws: Draws) -> Floats:
        """Head minus base under each random swap: [P]."""

    def standard_error(self, resampled: Floats) -> float:
        """Of head minus base; from the resamples, widened for their missing degrees of freedom."""
        known = resampled[np.isfinite(resampled)]
        return float(known.std()) * (self.n / max(self.n - len(self.sizes), 1)) ** 0.5 if known.size else float("nan")


class PairedMean(Paired):
    """A mean over clips. base, head: one array [n] per group."""

    def __init__(
        self, base: Sequence[Floats], head: Sequence[Floats], kind: Kind, places: Sequence[int] | None = None
    ) -> None:
        if (
            kind == "pooled" and min(map(len, base)) < 2
        ):  # as `statistics.strata_of`: such an item has no group to vary in
            base, head = [np.concatenate(base)], [np.concatenate(head)]
        self.base, self.head, self.kind = list(base), list(head), kind
        self.sizes = [len(group) for group in base]
        self.places = _places(places, self.sizes)
        self.change = [b - a for a, b in zip(self.base, self.head, strict=True)]

    def values(self) -> tuple[float, float]:
        pairs = zip(self.weights, self.base, self.head, strict=True)
        base, head = np.sum([[w * a.mean(), w * b.mean()] for w, a, b in pairs], axis=0)
        return float(base), float(head)

    def resampled(self, draws: Draws) -> Floats:
        parts = [
            weight * (draws.counts(len(d), place) @ d) / len(d)
            for place, weight, d in zip(self.places, self.weights, self.change, strict=True)
        ]
        return np.asarray(sum(parts))

    def permuted(self, draws: Draws) -> Floats:
        parts = [
            weight * (d.sum() - 2 * (draws.swaps(len(d), place) @ d)) / len(d)
            for place, weight, d in zip(self.places, self.weights, self.change, strict=True)
        ]
        return np.asarray(sum(parts))

    def standard_error(self, resampled: Floats) -> float:
        if min(self.sizes) < 2:
            return super().standard_error(resampled)
        parts = zip(self.weights, self.change, strict=True)
        return float(np.sqrt(sum(weight**2 * d.var(ddof=1) / len(d) for weight, d in parts)))


class PairedRatio(Paired):
    """Sum of errors over sum of reference lengths. base, head: one array [n, 2] of counts per group."""

    kind: Kind = "pooled"

    def __init__(self, base: Sequence[Floats], head: Sequence[Floats], places: Sequence[int] | None = None) -> None:
        if min(map(len, base)) < 2:
            base, head = [np.concatenate(base)], [np.concatenate(head)]
        self.base, self.head = list(base), list(head)
        self.sizes = [len(group) for group in base]
        self.places = _places(places, self.sizes)

    def values(self) -> tuple[float, float]:
        return _rate(np.concatenate(self.base).sum(axis=0)), _rate(np.concatenate(self.head).sum(axis=0))

    def resampled(self, draws: Draws) -> Floats:
        sums = sum(
            draws.counts(len(a), place) @ np.concatenate([a, b], axis=1)
            for place, a, b in zip(self.places, self.base, self.head, strict=True)
        )
        return _rates(sums[:, 2:]) - _rates(sums[:, :2])

    def permuted(self, draws: Draws) -> Floats:
        moved = sum(
            draws.swaps(len(a), place) @ (a - b) for place, a, b in zip(self.places, self.base, self.head, strict=True)
        )
        base, head = np.concatenate(self.base).sum(axis=0), np.concatenate(self.head).sum(axis=0)
        return _rates(head + moved) - _rates(base - moved)


class PairedCorpus(Paired):
    """A score computed from all clips at once. base, head: the features of each group, in the same order of items."""

    def __init__(
        self,
        metric: Metric,
        name: str,
        base: Sequence[Sequence[Feature]],
        head: Sequence[Sequence[Feature]],
        kind: Kind,
        places: Sequence[int] | None = None,
    ) -> None:
        self.metric, self.name, self.kind = metric, name, kind
        self.base, self.head = [list(group) for group in base], [list(group) for group in head]
        self.sizes = [len(group) for group in base]
        self.places = _places(places, self.sizes)

    @property
    def draws_used(self) -> int | None:
        """How many draws are used at most; None for all of them."""
        from metrics.metric import Metric

        vectorised = type(self.metric).summarise_resampled is not Metric.summarise_resampled
        return None if vectorised else LOOPED_DRAWS

    def values(self) -> tuple[float, float]:
        base, head = (
            [self.metric.summarise(group)[self.name] for group in self._units(side)] for side in (self.base, self.head)
        )
        return float(np.mean(base)), float(np.mean(head))

    def resampled(self, draws: Draws) -> Floats:
        strata = self.sizes if min(self.sizes) > 1 else [self.n]
        if self.kind == "pooled":
            chunks = [
                self._index(draws, n, place) for place, n in zip(_places(self.places, strata), strata, strict=True)
            ]
            starts = np.cumsum([0, *strata[:-1]])
            index = np.concatenate([part + start for part, start in zip(chunks, starts, strict=True)], axis=1)
            (base,), (head,) = self._units(self.base), self._units(self.head)
            return self._many(head, index) - self._many(base, index)
        parts = []
        for place, a, b in zip(self.places, self.base, self.head, strict=True):
            index = self._index(draws, len(a), place)
            parts.append(self._many(b, index) - self._many(a, index))
        return np.asarray(np.mean(parts, axis=0))

    def permuted(self, draws: Draws) -> Floats:
        parts = []
        units = list(zip(self._units(self.base), self._units(self.head), strict=True))
        for place, (base, head) in zip(_places(self.places, units), units, strict=True):
            n, both = len(base), [*base, *head]
            swapped = draws.swaps(n, place)[: self.draws_used].astype(np.int64)
            plain = np.arange(n, dtype=np.int64)
            parts.append(self._many(both, plain + n * (1 - swapped)) - self._many(both, plain + n * swapped))
        return np.asarray(np.mean(parts, axis=0))

    def _units(self, side: Sequence[list[Feature]]) -> list[list[Feature]]:
        """What the score is computed from: each group, or all of them at once."""
        return [[one for group in side for one in group]] if self.kind == "pooled" else list(side)

    def _index(self, draws: Draws, n: int, place: int) -> Indices:
        parts, wanted = [], self.draws_used or draws.resamples
        for part in draws.index(n, place, _CORPUS_CHUNK):
            parts.append(part)
            if sum(map(len, parts)) >= wanted:
                break
        return np.concatenate(parts)[:wanted]

    def _many(self, features: Sequence[Feature], index: Indices) -> Floats:
        chunks = [
            np.asarray(self.metric.summarise_resampled(features, index[i : i + _CORPUS_CHUNK])[self.name])
            for i in range(0, len(index), _CORPUS_CHUNK)
        ]
        return np.concatenate(chunks).astype(np.float64)


def _places(places: Sequence[int] | None, groups: Sequence[object]) -> list[int]:
    """A place for each group: those given, unless the groups were made one."""
    if places is not None and len(places) == len(groups):
        return list(places)
    return list(range(len(groups)))


def _rate(counts: Floats) -> float:
    return float(counts[0] / counts[1]) if counts[1] else float("nan")


def _rates(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(sums[:, 0] / sums[:, 1])
