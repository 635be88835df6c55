"""Do models stand in the same order by a score and by votes?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

import numpy as np

ENUMERATED = 8
"""Models up to which the p-value of a rank correlation is computed over all orders."""


def correlations(
    values: Mapping[str, float], ratings: Mapping[str, float]
) -> tuple[float | None, float | None, float | None]:
    """Kendall's tau-b, Spearman's rho and its two-sided p over the models that both have; None below three models, or
    where all values are equal."""
    from scipy import stats

    models = sorted(set(values) & set(ratings))
    a, b = (np.array([side[model] for model in models]) for side in (values, ratings))
    if len(models) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None, None, None
    tau, rho = float(stats.kendalltau(a, b).statistic), float(stats.spearmanr(a, b).statistic)
    if len(models) > ENUMERATED:
        return tau, rho, float(stats.spearmanr(a, b).pvalue)
    ranks = [stats.rankdata(side) - (len(models) + 1) / 2 for side in (a, b)]
    orders = np.array(list(permutations(range(len(models)))))
    sums = ranks[1][orders] @ ranks[0]
    observed = abs(float(ranks[0] @ ranks[1]))
    return tau, rho, float(np.mean(np.abs(sums) >= observed - 1e-9))
