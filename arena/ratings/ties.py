"""Models with ties of their own: Davidson (1970) and Rao-Kupper (1967). Sensitivity beside the main rating.

Davidson: P(i) = pi_i / D, P(tie) = nu sqrt(pi_i pi_j) / D, D = pi_i + pi_j + nu sqrt(pi_i pi_j).
Rao-Kupper: P(i) = 1 / (1 + exp(-(d - k))), P(j) = 1 / (1 + exp(d + k)), the rest is a tie; d the difference, k > 0.
Their scales differ from the half-tie scale (Davidson's is wider), so they never share a table with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from arena.errors import ConvergenceError
from arena.ratings.bt import PRIOR_SD
from arena.ratings.scale import ELO, MEAN, Floats, Ints

TieModel = Literal["davidson", "rao_kupper"]
_Value = tuple[float, Floats, float]


@dataclass(frozen=True)
class TieFit:
    """rating: [m] Elo with mean 1000. tie: nu of Davidson, k of Rao-Kupper."""

    rating: Floats
    theta: Floats
    tie: float
    log_likelihood: float


def fit_ties(m: int, pairs: Ints, outcomes: Floats | Ints, model: TieModel, prior_sd: float = PRIOR_SD) -> TieFit:
    """Maximum likelihood by L-BFGS; outcomes: [P, 3] first won, tie, second won (may be fractions)."""
    from scipy.optimize import minimize

    counts = np.asarray(outcomes, dtype=np.float64)
    total = max(counts.sum(), 1e-300)
    precision = 0.0 if math.isinf(prior_sd) else prior_sd**-2
    value = _davidson if model == "davidson" else _rao_kupper
    first, second = pairs.T

    def objective(x: Floats) -> tuple[float, Floats]:
        theta, tie = x[:m], x[m]
        log_likelihood, by_difference, by_tie = value(theta[first] - theta[second], float(tie), counts)
        gradient = np.zeros(m + 1)
        gradient[:m] = np.bincount(first, by_difference, m) - np.bincount(second, by_difference, m) - precision * theta
        gradient[m] = by_tie
        return -(log_likelihood - precision * float(theta @ theta) / 2) / total, -gradient / total

    start = np.zeros(m + 1)
    start[m] = math.log(max(2 * counts[:, 1].sum() / total, 1e-3))
    found = minimize(
        objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-10}
    )
    if not np.isfinite(found.x).all() or np.abs(found.jac).max() > 1e-5:
        raise ConvergenceError(f"the {model.replace('_', '-')} fit did not converge: {found.message}")
    theta = found.x[:m] - found.x[:m].mean()
    return TieFit(MEAN + ELO * theta, theta, float(math.exp(found.x[m])), float(-found.fun * total))


def _davidson(d: Floats, log_nu: float, counts: Floats) -> _Value:
    logits = np.stack([d / 2, np.full_like(d, log_nu), -d / 2])
    top = np.logaddexp.reduce(logits, axis=0)
    p = np.exp(logits - top)
    n = counts.sum(axis=1)
    log_likelihood = float((counts.T * (logits - top)).sum())
    by_difference = (counts[:, 0] - counts[:, 2]) / 2 - n * (p[0] - p[2]) / 2
    return log_likelihood, by_difference, float((counts[:, 1] - n * p[1]).sum())


def _rao_kupper(d: Floats, log_k: float, counts: Floats) -> _Value:
    k = math.exp(log_k)
    a, b = d - k, -d - k  # log odds of either side winning
    log_a, log_b = -np.logaddexp(0, -a), -np.logaddexp(0, -b)
    p_a, p_b = np.exp(log_a), np.exp(log_b)
    # 1 - s(a) - s(b) = s(a) s(b) (e^{2k} - 1), since a + b = -2k
    log_tie = log_a + log_b + math.log(math.expm1(2 * k))
    log_likelihood = float((counts * np.stack([log_a, log_tie, log_b], axis=1)).sum())
    wins, ties, losses = counts.T
    slope_a, slope_b = (wins + ties) * (1 - p_a), (losses + ties) * (1 - p_b)
    by_k = -(slope_a + slope_b).sum() + ties.sum() * 2 * math.exp(2 * k) / math.expm1(2 * k)
    return log_likelihood, slope_a - slope_b, float(by_k * k)
