"""Bradley-Terry by maximum likelihood, a tie as half a win for each side.

Objective: weighted log likelihood minus |theta|^2 / (2 s^2), theta in natural units (log odds). The prior s = 2
(347 Elo) keeps a model that never lost finite; it pulls a model with 100 votes by about 1 %. Newton's method on counts
per pair, so that the work of a fit does not grow with the number of votes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from arena.errors import ConvergenceError
from arena.ratings.connection import connection
from arena.ratings.scale import Floats, Ints

PRIOR_SD = 2.0
MAX_STEP = 1e-10
MAX_ITERATIONS = 50


@dataclass(frozen=True)
class Fit:
    """theta: [m] strengths with mean 0, natural scale. hessian: [m, m] of the likelihood (no prior), singular along 1.

    covariance: [m, m] inverse information, prior included, without the direction along 1.
    """

    theta: Floats
    hessian: Floats
    covariance: Floats
    log_likelihood: float
    iterations: int
    prior_sd: float


def pair_totals(m: int, pairs: Ints, score: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Matrices [m, m] of weight and of summed score of the row model; pairs: [k, 2], score: of the first, in [0, 1]."""
    flat = pairs[:, 0] * m + pairs[:, 1]
    total: Floats = np.bincount(flat, weights=weight, minlength=m * m).reshape(m, m).astype(np.float64)
    won: Floats = np.bincount(flat, weights=weight * score, minlength=m * m).reshape(m, m).astype(np.float64)
    return total + total.T, won + (total - won).T


def fit_totals(total: Floats, won: Floats, prior_sd: float = PRIOR_SD) -> Fit:
    """Fit from matrices: total[i, j] weight of comparisons (symmetric), won[i, j] summed score of i against j.

    Without a prior (`prior_sd=inf`) the strengths must be identifiable: every model connected, and none unbeaten.
    Raises ConvergenceError otherwise.
    """
    m = len(total)
    theta, precision = np.zeros(m), 0.0 if math.isinf(prior_sd) else prior_sd**-2
    if not precision and not connection(total, won).identified:
        raise ConvergenceError(
            "the ratings are not identifiable without a prior: some models were never compared, or never lost or won"
        )
    for iteration in range(1, MAX_ITERATIONS + 1):
        p = 1 / (1 + np.exp(theta[None, :] - theta[:, None]))
        gradient = (won - total * p).sum(axis=1) - precision * theta
        hessian = _laplacian(total * p * (1 - p))
        step = _inverse(hessian, precision) @ gradient
        step *= min(1.0, 2.0 / max(np.abs(step).max(), 1e-300))  # far from the maximum Newton may overshoot
        theta = theta + step
        theta -= theta.mean()
        if np.abs(step).max() < MAX_STEP:
            return _fit(theta, total, won, prior_sd, iteration)
        if not np.isfinite(theta).all():
            break
    raise ConvergenceError("the ratings did not converge: some model won or lost every comparison; use a finite prior")


def fit_many(total: Floats, won: Floats, prior_sd: float = PRIOR_SD, start: Floats | None = None) -> Floats:
    """Strengths [B, m] of B data sets at once; total, won: [B, m, m] as in `fit_totals`. The prior must be finite."""
    m, precision = total.shape[-1], prior_sd**-2
    theta = np.zeros(total.shape[:2]) if start is None else np.broadcast_to(start, total.shape[:2]).copy()
    eye = np.eye(m)
    for _ in range(MAX_ITERATIONS):
        p = 1 / (1 + np.exp(theta[:, None, :] - theta[:, :, None]))
        gradient = (won - total * p).sum(axis=2) - precision * theta
        w = total * p * (1 - p)
        hessian = w.sum(axis=2)[:, :, None] * eye - w + precision * eye
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        size = np.abs(step).max(axis=1, keepdims=True)
        theta = theta + step * np.minimum(1.0, 2.0 / np.maximum(size, 1e-300))
        if size.max() < 1e-8:
            return np.asarray(theta - theta.mean(axis=1, keepdims=True))
    raise ConvergenceError("a resample of the votes did not converge")


def _fit(theta: Floats, total: Floats, won: Floats, prior_sd: float, iterations: int) -> Fit:
    precision = 0.0 if math.isinf(prior_sd) else prior_sd**-2
    difference = theta[:, None] - theta[None, :]
    p = 1 / (1 + np.exp(-difference))
    hessian = _laplacian(total * p * (1 - p))
    log_p = -np.logaddexp(0, -difference)
    return Fit(theta, hessian, _inverse(hessian, precision), float((won * log_p).sum()), iterations, prior_sd)


def _laplacian(w: Floats) -> Floats:
    return np.asarray(np.diag(w.sum(axis=1)) - w)


def _inverse(hessian: Floats, precision: float) -> Floats:
    """Inverse on the space of vectors that sum to zero.

    (H + c 11')^-1 - 11'/(c m^2) with c = trace(H)/m^2: a pseudo-inverse with a default tolerance is useless here, since
    the smallest real eigenvalue may be small beside rounding of the largest.
    """
    m = len(hessian)
    h = hessian + precision * (np.eye(m) - 1 / m)
    c = max(np.trace(h), 1e-12) / m**2
    inverse = np.linalg.inv(h + c)
    return np.asarray(inverse - 1 / (c * m**2))


def fit_counts(m: int, pairs: Ints, outcomes: Ints, prior_sd: float = PRIOR_SD) -> Fit:
    """Fit from outcomes [P, 3] per pair [P, 2]: first won, tie, second won. Ties count half."""
    weight = outcomes.sum(axis=1).astype(np.float64)
    wins = outcomes[:, 0] + outcomes[:, 1] / 2
    score = np.divide(wins, weight, out=np.full(len(weight), 0.5), where=weight > 0)
    return fit_totals(*pair_totals(m, pairs, score, weight), prior_sd)
