"""Random draws for paired statistics: resamples of items, and swaps of the two runs within an item.

Draws of one size are shared by all scores that have so many common items: the sums over a resample are then one matrix
product for all of them. They depend on the seed, the size and the place of the group alone, so that the same two runs
always give the same intervals.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mova_eval.statistics import Floats, Indices, Interval, generator, interval_of

_KEPT = 12
"""Matrices kept at a time; one of 10,000 x 600 takes 48 MB."""
_CHUNK = 6_000_000
"""Numbers drawn at a time."""

Role = Literal["resample", "swap"]


@contextmanager
def one_thread() -> Iterator[None]:
    """Products of the draws with one thread: they wait for memory, and a second thread only spins beside the first."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


class Draws:
    """The draws of one comparison.

    resamples: B of the bootstrap. permutations: P of the permutation test. Groups are told apart by `place`, so that
    two sets of the same size are drawn independently of each other.
    """

    def __init__(self, seed: int, resamples: int, permutations: int) -> None:
        self.seed = seed
        self.resamples = resamples
        self.permutations = permutations
        self._kept: OrderedDict[tuple[Role, int, int], Floats] = OrderedDict()

    def counts(self, n: int, place: int) -> Floats:
        """How often each of n items is in each resample: float64 [B, n], rows sum to n."""
        return self._remembered("resample", n, place)

    def swaps(self, n: int, place: int) -> Floats:
        """Which of n items have their two runs swapped: float64 [P, n] of 0 and 1."""
        return self._remembered("swap", n, place)

    def index(self, n: int, place: int, size: int) -> Iterator[Indices]:
        """The resamples of `counts` as positions, at most `size` resamples at a time: int64 [<= size, n]."""
        counts = self.counts(n, place).astype(np.int64)
        for start in range(0, len(counts), size):
            part = counts[start : start + size]
            rows = np.repeat(np.tile(np.arange(n), len(part)), part.ravel())
            yield rows.reshape(len(part), n)

    def _remembered(self, role: Role, n: int, place: int) -> Floats:
        key = (role, n, place)
        if key not in self._kept:
            while len(self._kept) >= _KEPT:
                self._kept.popitem(last=False)
            self._kept[key] = self._drawn(role, n, place)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _drawn(self, role: Role, n: int, place: int) -> Floats:
        rng = generator(self.seed, "compare", role, str(n), str(place))
        total = self.resamples if role == "resample" else self.permutations
        made = np.empty((total, n), dtype=np.float64)
        rows = max(1, _CHUNK // max(n, 1))
        for start in range(0, total, rows):
            part = made[start : start + rows]
            if role == "swap":
                part[:] = rng.integers(0, 2, size=part.shape, dtype=np.int8)
            else:
                part[:] = _tally(rng.integers(0, n, size=part.shape, dtype=np.int32), n)
        return made


def _tally(index: NDArray[np.int32], n: int) -> NDArray[np.int64]:
    """How often each position occurs in each row."""
    flat = index + (np.arange(len(index), dtype=np.int64) * n)[:, None]
    return np.bincount(flat.ravel(), minlength=len(index) * n).reshape(len(index), n)


def widened_level(n: int, groups: int, level: float = 0.95) -> float:
    """The level at which percentile intervals of resamples of n items in `groups` sets cover `level` of the time.

    Resampling n items has (n - 1) / n of the variance it should have, and a normal tail where Student's is due;
    widening the percentiles by both mends it (Hesterberg, What Teachers Should Know About the Bootstrap, 2015, 3.3).
    With many items it changes nothing.
    """
    from scipy import special

    freedom = n - groups
    if freedom < 1:
        return level
    quantile = special.stdtrit(freedom, (1 + level) / 2) * np.sqrt(n / freedom)
    return float(2 * special.ndtr(quantile) - 1)


def paired_interval(statistics: Floats, n: int, groups: int) -> Interval | None:
    """95% percentile interval of resampled differences [B], widened for few items."""
    return interval_of(statistics, widened_level(n, groups))


def permutation_p(observed: float, permuted: Floats) -> float | None:
    """Two-sided p-value: how often a swap of the runs gives a difference as large as the observed one.

    Never 0: the observed arrangement counts as one of the permutations (Phipson and Smyth 2010). None when no
    permutation has a value.
    """
    known = np.abs(permuted[np.isfinite(permuted)])
    if not known.size:
        return None
    tolerance = 1e-9 * max(float(known.max()), abs(observed))
    return float((1 + np.count_nonzero(known >= abs(observed) - tolerance)) / (1 + known.size))


def holm(p_values: list[float | None]) -> list[float | None]:
    """Holm's step-down correction over the p-values that are there; the others stay None."""
    order = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(order):
        highest = max(highest, min(1.0, p * (len(order) - rank)))
        corrected[place] = highest
    return corrected


def mcnemar_p(only_base: int, only_head: int) -> float:
    """Exact two-sided p-value that as many items should have left as have come (McNemar, binomial form)."""
    from scipy import special

    changed = only_base + only_head
    if changed == 0:
        return 1.0
    return min(1.0, 2 * float(special.bdtr(min(only_base, only_head), changed, 0.5)))


def detectable_difference(standard_error: float, freedom: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest true difference that a two-sided test at `alpha` finds with `power`, given its standard error.

    standard_error: of the difference, in the score's unit. freedom: items minus sets. Quantiles of Student's t; for one
    score alone, without the correction for several.
    """
    from scipy import special

    freedom = max(freedom, 1)
    return float((special.stdtrit(freedom, 1 - alpha / 2) + special.stdtrit(freedom, power)) * standard_error)
