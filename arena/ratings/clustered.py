"""Intervals that know that votes hang together: two-way clustered (voters x items) sandwich.

Votes are not independent: one voter has a taste, and one item suits a model more than another. The usual interval then
covers the truth far too rarely. The variance here adds the spread over voters and the spread over items and takes off
what both count (Cameron, Gelbach and Miller 2011); quantiles come from a t distribution whose degrees of freedom follow
the number of clusters that really carry the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arena.ratings.bt import Fit
from arena.ratings.data import Judgements
from arena.ratings.scale import Floats, Ints

MIN_CLUSTERS = 2.0


@dataclass(frozen=True)
class Covariances:
    """Covariance matrices [m, m] of the strengths (natural scale, mean 0), and the clusters behind them.

    model: inverse information, right if the model is right and votes are independent. iid: sandwich for independent
    votes. voter, item, both: clustered. effective_clusters: min(items, effective voters), at least 2.
    """

    model: Floats
    iid: Floats
    voter: Floats
    item: Floats
    both: Floats
    effective_voters: float
    effective_clusters: float

    @property
    def degrees(self) -> float:
        """Of freedom of the t quantile."""
        return self.effective_clusters - 1

    def quantile(self, level: float = 0.95) -> float:
        from scipy.stats import t

        return float(t.ppf(0.5 + level / 2, self.degrees))

    def variance(self, contrasts: Floats, kind: str = "clustered") -> Floats:
        """[k] variance of k contrasts [k, m] of the strengths.

        kind "clustered": the largest of the four, since each may underestimate; "iid": independent votes.
        """
        if kind == "iid":
            return quadratic(contrasts, self.iid)
        each = [quadratic(contrasts, matrix) for matrix in (self.both, self.voter, self.item, self.iid)]
        return np.asarray(np.max(each, axis=0))


def quadratic(contrasts: Floats, matrix: Floats) -> Floats:
    return np.asarray(np.einsum("km,mn,kn->k", contrasts, matrix, contrasts, optimize=True))


def effective_number(cluster: Ints, weight: Floats | None = None) -> float:
    """1 / sum of squared shares: how many equally active clusters would be worth as much."""
    size = np.bincount(cluster, weights=weight)
    return float(size.sum() ** 2 / (size**2).sum()) if size.sum() else 0.0


def covariances(data: Judgements, fit: Fit, weight: Floats | None = None) -> Covariances:
    """All covariance matrices of a fit; weight: [n], as it was fitted with."""
    w = np.ones(len(data)) if weight is None else weight
    difference = fit.theta[data.first] - fit.theta[data.second]
    residual = w * (data.score - 1 / (1 + np.exp(-difference)))
    iid = _meat_iid(data, residual)
    voter, item = (_meat(data, residual, cluster) for cluster in (data.voter, data.item))
    bread = fit.covariance
    effective = effective_number(data.voter, w)
    return Covariances(
        bread,
        bread @ iid @ bread,
        bread @ voter @ bread,
        bread @ item @ bread,
        bread @ (voter + item - iid) @ bread,
        effective,
        max(MIN_CLUSTERS, min(float(data.n_items), effective)),
    )


def _meat_iid(data: Judgements, residual: Floats) -> Floats:
    m = data.m
    squares = np.bincount(data.first * m + data.second, weights=residual**2, minlength=m * m).reshape(m, m)
    squares = squares + squares.T
    return np.asarray(np.diag(squares.sum(axis=1)) - squares)


def _meat(data: Judgements, residual: Floats, cluster: Ints) -> Floats:
    """Sum over clusters of (sum of scores)(sum of scores)', times G/(G-1)."""
    m = data.m
    count = int(cluster.max()) + 1 if len(cluster) else 0
    sums = np.bincount(cluster * m + data.first, weights=residual, minlength=count * m)
    sums -= np.bincount(cluster * m + data.second, weights=residual, minlength=count * m)
    table = sums.reshape(count, m)
    present = len(np.unique(cluster))
    return np.asarray(table.T @ table * (present / max(present - 1, 1)))
