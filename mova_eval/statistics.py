"""Bootstrap intervals of aggregates.

The resampling unit is the item, as it is of the aggregates themselves; sets are resampled each for itself, since a
benchmark fixes how many items each set has. Intervals are percentile intervals (Efron and Tibshirani, An Introduction
to the Bootstrap, 1993, chapter 13). Every random draw comes from a generator seeded by the run's seed and the score's
name, so that the same measurements always give the same interval.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Interval = tuple[float, float]

RESAMPLES = 2000
LEVEL = 0.95
_CHUNK = 4_000_000
"""Draws held in memory at a time."""


def generator(seed: int, *names: str) -> np.random.Generator:
    """A random generator that depends on the seed and the names alone."""
    digest = hashlib.sha256("\0".join((str(seed), *names)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def resample_index(rng: np.random.Generator, n: int, resamples: int) -> Indices:
    """Positions of `resamples` samples of size n drawn with replacement from n items: int64 [resamples, n]."""
    return rng.integers(0, n, size=(resamples, n), dtype=np.int64)


def stratified_index(rng: np.random.Generator, sizes: Sequence[int], resamples: int) -> Indices:
    """Resamples of items that lie set after set, each set resampled for itself: int64 [resamples, sum(sizes)]."""
    starts = np.cumsum([0, *sizes[:-1]])
    parts = [resample_index(rng, n, resamples) + start for n, start in zip(sizes, starts, strict=True)]
    return np.concatenate(parts, axis=1)


def interval_of(statistics: Floats, level: float = LEVEL) -> Interval | None:
    """Percentile interval of resampled statistics [B]; NaN entries (0/0 in a resample) are left out.

    None when nothing is left.
    """
    kept = statistics[np.isfinite(statistics)]
    if not kept.size:
        return None
    low, high = np.quantile(kept, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def _resampled_means(rng: np.random.Generator, values: Floats, resamples: int) -> Floats:
    """Means [B] of resamples of values [n, ...] over the first axis: [B, ...]."""
    n = values.shape[0]
    rows = max(1, _CHUNK // n)
    means = [
        values[resample_index(rng, n, min(rows, resamples - start))].mean(axis=1) for start in range(0, resamples, rows)
    ]
    return np.concatenate(means)


def strata_of(groups: Sequence[Floats]) -> list[Floats]:
    """Groups as strata of a pooled aggregate: a single item has no spread of its own and is resampled with the rest."""
    filled = [group for group in groups if len(group)]
    if any(len(group) < 2 for group in filled):
        return [np.concatenate(filled)]
    return filled


def pooled_mean_interval(
    groups: Sequence[Floats], rng: np.random.Generator, resamples: int = RESAMPLES
) -> Interval | None:
    """Interval of the mean over all items; groups: one array [n] per set. None with fewer than two items."""
    strata = strata_of(groups)
    total = sum(len(group) for group in strata)
    if total < 2:
        return None
    sums = sum(len(group) * _resampled_means(rng, group, resamples) for group in strata)
    return interval_of(np.asarray(sums / total))


def mean_of_means_interval(
    groups: Sequence[Floats], rng: np.random.Generator, resamples: int = RESAMPLES
) -> Interval | None:
    """Interval of the unweighted mean of the sets' means. None if a set has fewer than two items."""
    if not groups or any(len(group) < 2 for group in groups):
        return None
    return interval_of(np.mean([_resampled_means(rng, group, resamples) for group in groups], axis=0))


def ratio_interval(groups: Sequence[Floats], rng: np.random.Generator, resamples: int = RESAMPLES) -> Interval | None:
    """Interval of sum(numerators) / sum(denominators); groups: [n, 2] arrays. None with fewer than two items."""
    strata = strata_of(groups)
    if sum(len(group) for group in strata) < 2:
        return None
    sums = np.sum([len(group) * _resampled_means(rng, group, resamples) for group in strata], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return interval_of(sums[:, 0] / sums[:, 1])


CorpusStatistic = Callable[[Indices], Floats]
"""From positions [B, n] in the features of a group to the statistic of each resample [B]."""


def corpus_interval(
    statistic: CorpusStatistic, sizes: Sequence[int], rng: np.random.Generator, resamples: int = RESAMPLES
) -> Interval | None:
    """Interval of a score computed from all items at once; sizes: items of each set, in the order of the features."""
    if sum(sizes) < 2:
        return None
    strata = [n for n in sizes if n]
    index = stratified_index(rng, strata if min(strata) > 1 else [sum(strata)], resamples)
    return interval_of(statistic(index))


def mean_of_corpus_interval(
    statistics: Sequence[CorpusStatistic],
    sizes: Sequence[int],
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Interval | None:
    """Interval of the mean of the sets' corpus scores. None if a set has fewer than two items."""
    if not sizes or min(sizes) < 2:
        return None
    parts = [statistic(resample_index(rng, n, resamples)) for statistic, n in zip(statistics, sizes, strict=True)]
    return interval_of(np.mean(parts, axis=0))


Kind = Literal["pooled", "mean_of_sets"]
"""How an aggregate is made of several sets: over all items, or as the mean of the sets' aggregates."""
