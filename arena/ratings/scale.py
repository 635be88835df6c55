"""The Elo scale: P(i beats j) = 1 / (1 + 10^(-(R_i - R_j) / 400))."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ELO = 400 / math.log(10)
"""Elo points per unit of the natural scale (log odds)."""
MEAN = 1000.0


def expected(difference: float | Floats) -> Floats:
    """Expected score of the first model at a difference of ratings in Elo points."""
    return np.asarray(1 / (1 + np.power(10.0, -np.asarray(difference) / 400)))


def difference_of(score: float) -> float:
    """Elo difference at which a score in (0, 1) is expected; infinite at 0 and 1."""
    if score <= 0 or score >= 1:
        return math.copysign(math.inf, score - 0.5)
    return 400 * math.log10(score / (1 - score))
