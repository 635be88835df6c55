"""Bradley-Terry with nuisance variables: does a model win because its clips are longer, louder or on the left?

Log odds = theta_i - theta_j + x'beta, x the standardised differences of the two clips (loudness, duration, pixels, ...)
and the side. Ties are half a win for each. Beside the main rating, never instead of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from arena.errors import ConvergenceError
from arena.ratings.bt import MAX_ITERATIONS, PRIOR_SD
from arena.ratings.data import Judgements
from arena.ratings.scale import ELO, MEAN, Floats

L2 = 0.5


@dataclass(frozen=True)
class Contextual:
    """adjusted: [m] ratings with the nuisance held equal (mean 1000). coefficient, se: name -> Elo points per standard
    deviation of the difference (for the side: Elo points of being on the left), se clustered by voter.
    """

    adjusted: Floats
    coefficient: dict[str, float]
    se: dict[str, float]


def contextual(data: Judgements, names: Sequence[str], nuisance: Floats) -> Contextual:
    """nuisance: [n, k] first model's clip minus the second's; NaN (unknown) counts as no difference.

    The side is added by itself. A column without variation gets coefficient 0.
    """
    n, m = len(data), data.m
    filled = np.nan_to_num(np.asarray(nuisance, dtype=np.float64).reshape(n, len(names)))
    scale = filled.std(axis=0)
    side = np.where(data.first_left, 0.5, -0.5)[:, None]
    x = np.hstack([np.divide(filled, scale, out=np.zeros_like(filled), where=scale > 1e-12), side])
    k = x.shape[1]
    design = np.zeros((n, m + k))
    design[np.arange(n), data.first] = 1
    design[np.arange(n), data.second] = -1
    design[:, m:] = x
    penalty = np.r_[np.full(m, PRIOR_SD**-2), np.full(k, L2)]
    beta = np.zeros(m + k)
    for _ in range(MAX_ITERATIONS):
        p = 1 / (1 + np.exp(-design @ beta))
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + np.diag(penalty)
        step = np.linalg.solve(hessian, design.T @ (data.score - p) - penalty * beta)
        beta = beta + step * min(1.0, 2.0 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() < 1e-9:
            break
    else:
        raise ConvergenceError("the contextual fit did not converge")
    residual = data.score - 1 / (1 + np.exp(-design @ beta))
    _, voter = np.unique(data.voter, return_inverse=True)
    sums = np.zeros((voter.max() + 1, m + k))
    np.add.at(sums, voter, design * residual[:, None])
    bread = np.linalg.inv(hessian)
    variance = np.diag(bread @ (sums.T @ sums) @ bread)
    labels = [*names, "left"]
    theta = beta[:m] - beta[:m].mean()
    return Contextual(
        MEAN + ELO * theta,
        {name: float(ELO * value) for name, value in zip(labels, beta[m:], strict=True)},
        {name: float(ELO * np.sqrt(value)) for name, value in zip(labels, variance[m:], strict=True)},
    )
