"""Online Elo and its bootstrap, as leaderboards used it (start 1000, K = 4, median and percentiles of 1000 rounds).

Shown for comparability only. It depends on the order of the votes, and its interval hardly shrinks with more of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arena.ratings.data import Judgements
from arena.ratings.scale import Floats

START = 1000.0
K = 4.0
ROUNDS = 1000


@dataclass(frozen=True)
class OnlineElo:
    """rating: [m] median over the rounds; lower, upper: [m] 2.5 and 97.5 percentiles."""

    rating: Floats
    lower: Floats
    upper: Floats


def elo_pass(data: Judgements, k: float = K, start: float = START) -> Floats:
    """[m] ratings after one pass in the order of the votes: R_i += K (y - E)."""
    return np.asarray(_passes(data, np.arange(len(data))[None, :], k, start)[0])


def elo_online(
    data: Judgements, *, k: float = K, start: float = START, rounds: int = ROUNDS, seed: int = 0
) -> OnlineElo:
    """Bootstrap of online Elo: each round goes through votes drawn with replacement, in the drawn order."""
    rng = np.random.default_rng(seed)
    n = len(data)
    chunk = max(1, min(rounds, 20_000_000 // max(n, 1)))
    parts = [
        _passes(data, rng.integers(0, n, size=(min(chunk, rounds - done), n), dtype=np.int32), k, start)
        for done in range(0, rounds, chunk)
    ]
    ratings = np.concatenate(parts)
    lower, middle, upper = np.quantile(ratings, (0.025, 0.5, 0.975), axis=0)
    return OnlineElo(middle, lower, upper)


def _passes(
    data: Judgements, order: np.ndarray[tuple[int, int], np.dtype[np.integer]], k: float, start: float
) -> Floats:
    """[B, m] ratings after B passes side by side; order: [B, n] positions of the votes."""
    count = len(order)
    ratings = np.full((count, data.m), start)
    rows = np.arange(count)
    first, second, score = data.first, data.second, data.score
    scale = np.log(10) / 400
    for step in range(order.shape[1]):
        at = order[:, step]
        i, j = first[at], second[at]
        change = k * (score[at] - 1 / (1 + np.exp(scale * (ratings[rows, j] - ratings[rows, i]))))
        ratings[rows, i] += change
        ratings[rows, j] -= change
    return ratings
