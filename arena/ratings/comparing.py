"""Two models, and whether the model of ratings fits: permutation tests, lack of fit, bias of the sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arena.ratings.bt import Fit
from arena.ratings.data import HI, LO, Judgements, outcome_counts, pairs_of
from arena.ratings.scale import Floats, Ints

FLIPS = 10_000


def head_to_head(data: Judgements, first: int, second: int, *, flips: int = FLIPS, seed: int = 0) -> float | None:
    """Permutation p-value of the mean score of two models in their own battles; None without any.

    Signs of whole items are flipped, and of whole voters; the larger p is reported, since either may hang together.
    p = (1 + hits) / (1 + flips).
    """
    lower, higher = min(first, second), max(first, second)
    own = data.take((data.first == lower) & (data.second == higher))
    if not len(own):
        return None
    value = own.score - 0.5
    rng = np.random.default_rng(seed)
    return max(_flip(rng, value, cluster, flips) for cluster in (own.item, own.voter))


def _flip(rng: np.random.Generator, value: Floats, cluster: Ints, flips: int) -> float:
    _, number = np.unique(cluster, return_inverse=True)
    sums = np.bincount(number, weights=value)
    observed = abs(sums.sum())
    hits, chunk = 0, max(1, 5_000_000 // len(sums))
    for done in range(0, flips, chunk):
        signs = rng.integers(0, 2, size=(min(chunk, flips - done), len(sums)), dtype=np.int8) * 2 - 1
        hits += int((np.abs(signs @ sums) >= observed - 1e-9).sum())
    return (1 + hits) / (1 + flips)


@dataclass(frozen=True)
class LackOfFit:
    """observed, expected: [P] mean score of the first model; p: chi-square over all pairs (None without freedom)."""

    n: Ints
    observed: Floats
    expected: Floats
    chi_square: float
    degrees: int
    p: float | None


def lack_of_fit(data: Judgements, fit: Fit) -> LackOfFit:
    """Does one strength per model explain the pairs? A small p hints at intransitivity or at effects of context.

    The variance of a pair's score is estimated from its own outcomes (ties make it smaller than p(1-p)).
    """
    from scipy.stats import chi2

    pairs, counts = pairs_of(data.m), outcome_counts(data).astype(np.float64)
    n = counts.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = (counts[:, 0] + (counts[:, 1] + counts[:, 3]) / 2) / n
        expected = 1 / (1 + np.exp(fit.theta[pairs[:, 1]] - fit.theta[pairs[:, 0]]))
        tie = (counts[:, 1] + counts[:, 3]) / n
        variance = np.maximum(expected * (1 - expected) - tie / 4, 1e-3)
        terms = n * (observed - expected) ** 2 / variance
    used = n > 0
    degrees = int(used.sum()) - (data.m - 1)
    statistic = float(terms[used].sum())
    p = float(chi2.sf(statistic, degrees)) if degrees > 0 else None
    return LackOfFit(n.astype(np.int64), observed, expected, statistic, degrees, p)


@dataclass(frozen=True)
class LeftBias:
    """share: of left among decisive votes, with a 95% Wilson interval; p: two-sided binomial against one half."""

    n: int
    share: float
    lower: float
    upper: float
    p: float


def left_bias(data: Judgements) -> LeftBias | None:
    """Do people press "left" more often than "right"? None without decisive votes."""
    from scipy.stats import binomtest

    decisive = (data.outcome == LO) | (data.outcome == HI)
    n = int(decisive.sum())
    if not n:
        return None
    left = int(((data.outcome == LO) == data.first_left)[decisive].sum())
    test = binomtest(left, n)
    interval = test.proportion_ci(method="wilson")
    return LeftBias(n, left / n, float(interval.low), float(interval.high), float(test.pvalue))


def design_effect(clustered: Floats, independent: Floats) -> float:
    """Clustered over independent variance, averaged over models (both standard errors, [m]): how many times more votes
    this campaign needs than independent ones."""
    there = ~np.isnan(clustered) & (independent > 0)
    return float(np.mean((clustered[there] / independent[there]) ** 2)) if there.any() else float("nan")
