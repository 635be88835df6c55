"""How the ratings settled as votes came in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arena.ratings.bt import fit_many, fit_totals, pair_totals
from arena.ratings.clustered import covariances
from arena.ratings.data import Judgements
from arena.ratings.scale import ELO, MEAN, Floats, Ints

POINTS = 20
ORDERS = 50


@dataclass(frozen=True)
class Convergence:
    """n: [K] numbers of votes. rating, half_width: [K, m] with the first n votes.

    low, high: [K, m] the band in which 95% of random orders of the same votes lie (NaN when no order was tried).
    """

    n: Ints
    rating: Floats
    half_width: Floats
    low: Floats
    high: Floats


def convergence(data: Judgements, *, points: int = POINTS, orders: int = ORDERS, seed: int = 0) -> Convergence:
    """Ratings (mean 1000) after geometrically spaced numbers of votes, in the order of time and in random orders."""
    total_n = len(data)
    first_n = min(total_n, max(20, total_n // 200))
    counts = np.unique(np.geomspace(first_n, total_n, points).round().astype(np.int64))
    rng = np.random.default_rng(seed)
    rating, half = np.empty((len(counts), data.m)), np.empty((len(counts), data.m))
    low, high = np.empty_like(rating), np.empty_like(rating)
    orders_of = [rng.permutation(total_n) for _ in range(orders)]
    contrast = np.eye(data.m) - 1 / data.m
    for row, n in enumerate(counts):
        part = data.take(np.arange(n))
        fit = fit_totals(*_totals(part))
        spread = covariances(part, fit)
        rating[row] = MEAN + ELO * fit.theta
        half[row] = spread.quantile() * ELO * np.sqrt(spread.variance(contrast))
        if not orders:
            low[row], high[row] = np.nan, np.nan
            continue
        shuffled = [_totals(data.take(order[:n])) for order in orders_of]
        theta = fit_many(np.stack([t for t, _ in shuffled]), np.stack([w for _, w in shuffled]))
        low[row], high[row] = MEAN + ELO * np.quantile(theta, (0.025, 0.975), axis=0)
    return Convergence(counts, rating, half, low, high)


def _totals(data: Judgements) -> tuple[Floats, Floats]:
    pairs = np.stack([data.first, data.second], axis=1)
    return pair_totals(data.m, pairs, data.score, np.ones(len(data)))
