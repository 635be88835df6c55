"""Bootstraps beside the sandwich: independent votes, and voters x items ("pigeonhole", Owen 2007)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arena.ratings.bt import PRIOR_SD, fit_many
from arena.ratings.data import Judgements, outcome_counts, pairs_of
from arena.ratings.scale import ELO, Floats, Ints

REPLICATES = 1000


@dataclass(frozen=True)
class BootstrapInterval:
    """lower, upper: [m] 95% percentile limits in Elo around mean 0; theta: [B, m] natural scale, mean 0."""

    lower: Floats
    upper: Floats
    theta: Floats


def iid(
    data: Judgements, *, replicates: int = REPLICATES, seed: int = 0, prior_sd: float = PRIOR_SD
) -> BootstrapInterval:
    """As if votes were independent: outcomes per pair drawn anew from their counts."""
    rng = np.random.default_rng(seed)
    counts = outcome_counts(data).astype(np.float64)
    flat = counts.ravel()
    drawn = rng.multinomial(len(data), flat / flat.sum(), size=replicates).reshape(replicates, *counts.shape)
    return _interval(_fit_counts(data.m, drawn.astype(np.float64), prior_sd))


def pigeonhole(
    data: Judgements, *, replicates: int = REPLICATES, seed: int = 0, prior_sd: float = PRIOR_SD
) -> BootstrapInterval:
    """Voters and items resampled independently; a vote counts as often as its voter times its item was drawn."""
    rng = np.random.default_rng(seed)
    voters, voter = np.unique(data.voter, return_inverse=True)
    items, item = np.unique(data.item, return_inverse=True)
    cell = data.pair * 4 + data.outcome
    size = data.m * (data.m - 1) // 2 * 4
    drawn = np.empty((replicates, size // 4, 4))
    for replicate in range(replicates):
        weight = _multiplicity(rng, len(voters))[voter] * _multiplicity(rng, len(items))[item]
        drawn[replicate] = np.bincount(cell, weights=weight, minlength=size).reshape(-1, 4)
    return _interval(_fit_counts(data.m, drawn, prior_sd))


def _multiplicity(rng: np.random.Generator, n: int) -> Ints:
    return np.bincount(rng.integers(0, n, n), minlength=n)


def _fit_counts(m: int, counts: Floats, prior_sd: float) -> Floats:
    """[B, m] strengths from counts [B, P, 4]."""
    pairs = pairs_of(m)
    n = counts.sum(axis=2)
    score = counts[:, :, 0] + (counts[:, :, 1] + counts[:, :, 3]) / 2
    total, won = np.zeros((len(counts), m, m)), np.zeros((len(counts), m, m))
    first, second = pairs.T
    total[:, first, second] = total[:, second, first] = n
    won[:, first, second], won[:, second, first] = score, n - score
    return fit_many(total, won, prior_sd)


def _interval(theta: Floats) -> BootstrapInterval:
    lower, upper = np.quantile(ELO * theta, (0.025, 0.975), axis=0)
    return BootstrapInterval(lower, upper, theta)
