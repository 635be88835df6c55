"""Many tests at once: Holm for tables, Benjamini-Hochberg for flags, Fisher for one voter's tests together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arena.ratings.scale import Floats


def holm(p: Floats) -> Floats:
    """Adjusted p-values [k] that bound the chance of any false alarm; NaN stays NaN and does not count."""
    p = np.asarray(p, dtype=np.float64)
    adjusted = np.full(len(p), np.nan)
    there = np.flatnonzero(~np.isnan(p))
    order = there[np.argsort(p[there], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def benjamini_hochberg(p: Floats) -> Floats:
    """q-values [k]: flags with q <= 5% are wrong in at most 5% of cases on average."""
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)
    return q


def fisher(p: Sequence[float]) -> float:
    """One p-value from independent ones: -2 sum ln p against chi-square with 2k degrees of freedom."""
    from scipy.stats import chi2

    if not p:
        return 1.0
    statistic = -2 * sum(np.log(max(value, 1e-300)) for value in p)
    return float(chi2.sf(statistic, 2 * len(p)))
