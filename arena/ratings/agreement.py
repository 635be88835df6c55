"""Do people agree? Krippendorff's alpha on cells that several voters judged, repeats, and the human noise ceiling.

Krippendorff, Content Analysis (2004), chapter 11: alpha = 1 - D_o / D_e from the coincidence matrix of all pairable
values. Values here are lo, tie, hi (in this order for the ordinal difference).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from arena.ratings.scale import Floats, Ints

Level = Literal["nominal", "ordinal"]
REPLICATES = 1000


@dataclass(frozen=True)
class Alpha:
    """alpha with a 95% percentile interval over cells; None where nothing varies or no cell has two voters."""

    alpha: float | None
    lower: float | None
    upper: float | None
    cells: int
    values: int


def value_counts(cell: Ints, value: Ints, values: int = 3) -> Ints:
    """[cells, values] how often each value was given in each cell; cells with fewer than two answers left out."""
    number, count = np.unique(cell, return_inverse=True)
    table = np.bincount(count * values + value, minlength=len(number) * values).reshape(-1, values)
    return np.asarray(table[table.sum(axis=1) >= 2])


def krippendorff(table: Ints, level: Level = "nominal") -> float | None:
    """alpha from `value_counts`; None without variation."""
    return _alpha(_per_cell(table).sum(axis=0), level) if len(table) else None


def _per_cell(table: Ints) -> Floats:
    """[cells, V, V] coincidences of each cell: pairs of different answers, divided by one less than their number."""
    t = table.astype(np.float64)
    pairs = t[:, :, None] * t[:, None, :] - t[:, :, None] * np.eye(t.shape[1])
    return np.asarray(pairs / (t.sum(axis=1) - 1)[:, None, None])


def _alpha(coincidence: Floats, level: Level) -> float | None:
    n_v = coincidence.sum(axis=0)
    n = n_v.sum()
    delta = _delta(n_v, level)
    expected = float((np.outer(n_v, n_v) * delta).sum())
    if n <= 1 or expected <= 0:
        return None
    return float(1 - (n - 1) * (coincidence * delta).sum() / expected)


def _delta(n_v: Floats, level: Level) -> Floats:
    size = len(n_v)
    if level == "nominal":
        return 1 - np.eye(size)
    upto = np.cumsum(n_v)
    delta = np.zeros((size, size))
    for low in range(size):
        for high in range(low + 1, size):
            between = upto[high] - (upto[low - 1] if low else 0)
            delta[low, high] = delta[high, low] = (between - (n_v[low] + n_v[high]) / 2) ** 2
    return delta


def alpha_with_interval(
    cell: Ints, value: Ints, level: Level = "nominal", *, replicates: int = REPLICATES, seed: int = 0
) -> Alpha:
    """alpha and its bootstrap over cells; value: 0 lo, 1 tie, 2 hi."""
    table = value_counts(cell, value)
    point = krippendorff(table, level)
    if point is None:
        return Alpha(None, None, None, len(table), int(table.sum()))
    per_cell, rng = _per_cell(table), np.random.default_rng(seed)
    drawn = rng.multinomial(len(table), np.full(len(table), 1 / len(table)), size=replicates)
    resampled = [_alpha(np.tensordot(weights, per_cell, 1), level) for weights in drawn]
    kept = [a for a in resampled if a is not None]
    lower, upper = np.quantile(kept, (0.025, 0.975)) if kept else (None, None)
    return Alpha(point, _number(lower), _number(upper), len(table), int(table.sum()))


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


@dataclass(frozen=True)
class RepeatAgreement:
    """Own earlier battles shown again with sides swapped. reversals: the other model was preferred the second time."""

    n: int
    identical: float
    reversals: float


def repeats(first: Ints, second: Ints) -> RepeatAgreement | None:
    """first, second: [n] values 0 lo, 1 tie, 2 hi of the same voter, battle for battle."""
    if not len(first):
        return None
    return RepeatAgreement(len(first), float((first == second).mean()), float((np.abs(first - second) == 2).mean()))


def noise_ceiling(cell: Ints, value: Ints, voter: Ints) -> float | None:
    """How often one voter agrees with the majority of the others on a cell: what a perfect predictor could reach.

    Cells where the others are tied count one half. None without a cell that two voters judged.
    """
    del voter  # every voter judges a cell once
    table = value_counts(cell, value)
    if not len(table):
        return None
    hits = total = 0.0
    for row in table:
        for own in np.flatnonzero(row):
            others = row.copy()
            others[own] -= 1
            best = np.flatnonzero(others == others.max())
            hits += row[own] * (1 / len(best) if own in best else 0)
            total += row[own]
    return float(hits / total)
