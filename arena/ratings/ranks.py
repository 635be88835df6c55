"""Ranks with their uncertainty, and how few votes hold up the first place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena.ratings.bt import fit_totals, pair_totals
from arena.ratings.data import Judgements, pairs_of
from arena.ratings.fitting import Fitted
from arena.ratings.multiple import holm
from arena.ratings.scale import Floats, Ints

LEVEL = 0.05
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Ranks:
    """Ranks [m] of the ranked models, 0 for the others. best..worst: places that the data cannot exclude."""

    best: Ints
    worst: Ints
    upper_bound: Ints
    """1 + number of models whose lower limit exceeds this model's upper limit, as in other leaderboards."""


@dataclass(frozen=True)
class Differences:
    """All pairs of models: difference in Elo with 95% limits, Wald p and Holm-adjusted p; [P] each, NaN if unknown."""

    pairs: Ints
    gap: Floats
    lower: Floats
    upper: Floats
    p: Floats
    p_holm: Floats


def differences(fitted: Fitted, ranked: Bools) -> Differences:
    """Wald tests of all pairs; Holm's correction runs over the pairs of ranked models."""
    from scipy.stats import t

    pairs = pairs_of(len(fitted.models))
    gap, error = fitted.differences(pairs)
    unbounded = fitted.connection.unbounded_up | fitted.connection.unbounded_down
    vague = unbounded[pairs].any(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * t.sf(np.abs(gap) / error, fitted.covariances.degrees)
    p = np.where(vague, np.nan, p)
    half = np.where(vague, np.inf, fitted.quantile * error)
    counted = ranked[pairs].all(axis=1)
    return Differences(pairs, gap, gap - half, gap + half, p, holm(np.where(counted, p, np.nan)))


def ranks(fitted: Fitted, ranked: Bools, found: Differences | None = None) -> Ranks:
    """Ranks among the ranked models; the others get none and do not count."""
    found = found or differences(fitted, ranked)
    m = len(fitted.models)
    above, below, beaten = np.zeros(m, np.int64), np.zeros(m, np.int64), np.zeros(m, np.int64)
    for (first, second), gap, p in zip(found.pairs, found.gap, found.p_holm, strict=True):
        if p <= LEVEL:
            high, low = (first, second) if gap > 0 else (second, first)
            above[low] += 1
            below[high] += 1
    places = np.flatnonzero(ranked)
    for i in places:
        beaten[i] = np.count_nonzero(fitted.lower[places] > fitted.upper[i])
    count = len(places)
    return Ranks(np.where(ranked, 1 + above, 0), np.where(ranked, count - below, 0), np.where(ranked, 1 + beaten, 0))


@dataclass(frozen=True)
class Robustness:
    """votes: positions whose removal changes the first place; voters: how many people gave them."""

    leader: int
    rival: int
    votes: Ints
    voters: int


def robustness(data: Judgements, fitted: Fitted, ranked: Bools, limit: float = 0.2) -> Robustness | None:
    """The fewest votes (found greedily) whose removal puts another model first.

    Votes are removed in the order of their one-step influence on the lead over the strongest rival, and a new fit
    confirms the change. None when fewer than two models are ranked or more than `limit` of the votes would have to go.
    """
    places = np.flatnonzero(ranked & ~np.isnan(fitted.rating))
    if len(places) < 2:
        return None
    order = places[np.argsort(-fitted.rating[places], kind="stable")]
    leader, rival = int(order[0]), int(order[1])
    contrast = np.zeros(data.m)
    contrast[leader], contrast[rival] = 1, -1
    pull = fitted.fit.covariance @ contrast
    residual = data.score - 1 / (1 + np.exp(fitted.fit.theta[data.second] - fitted.fit.theta[data.first]))
    influence = residual * (pull[data.first] - pull[data.second])
    candidates = np.argsort(-influence, kind="stable")
    lead = float(fitted.fit.theta[leader] - fitted.fit.theta[rival])
    most = int(limit * len(data))
    count = int(np.searchsorted(np.cumsum(influence[candidates]), lead) + 1)
    while count <= most:
        keep = np.ones(len(data), dtype=bool)
        keep[candidates[:count]] = False
        if _leader(data.take(keep), fitted, places) != leader:
            removed = _shrink(data, fitted, places, candidates, count, leader)
            return Robustness(leader, rival, candidates[:removed], len(np.unique(data.voter[candidates[:removed]])))
        count = count + max(1, count // 20)
    return None


def _leader(data: Judgements, fitted: Fitted, places: Ints) -> int:
    pairs = np.stack([data.first, data.second], axis=1)
    theta = fit_totals(*pair_totals(data.m, pairs, data.score, np.ones(len(data))), fitted.fit.prior_sd).theta
    return int(places[np.argmax(theta[places])])


def _shrink(data: Judgements, fitted: Fitted, places: Ints, candidates: Ints, count: int, leader: int) -> int:
    """Fewest leading candidates that still change the first place, by bisection."""
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        keep = np.ones(len(data), dtype=bool)
        keep[candidates[:middle]] = False
        low, high = (low, middle) if _leader(data.take(keep), fitted, places) != leader else (middle, high)
    return high
