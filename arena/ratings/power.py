"""How many votes it takes to tell two models apart."""

from __future__ import annotations

import math

from arena.errors import ArenaError
from arena.ratings.scale import expected

DEFAULT_TIES = 0.12
KNOWN_DEFF = {"732 items, 200 voters": 4.0, "132 items, 100 voters": 6.6, "40 items, 50 voters": 14.5}
"""Design effects of simulated campaigns, for those without votes yet."""


def votes_needed(
    difference: float, *, alpha: float = 0.05, power: float = 0.8, ties: float = DEFAULT_TIES, deff: float = 1.0
) -> int:
    """Head-to-head votes that separate two models `difference` Elo apart.

    n = deff (z_{1-a/2} + z_{1-b})^2 (w + t/4 - p^2) / (p - 1/2)^2, p the expected score, t the share of ties,
    w = p - t/2.
    deff: design effect, 1 for independent votes. Raises ArenaError for values that make no sense.
    """
    from scipy.stats import norm

    if not (0 < alpha < 1 and 0 < power < 1 and 0 <= ties < 1 and deff >= 1 and difference != 0):
        raise ArenaError(
            "power needs a difference other than 0, alpha, power and ties between 0 and 1, deff at least 1"
        )
    p = float(expected(abs(difference)))
    w = p - ties / 2
    if w + ties > 1:
        raise ArenaError(f"{ties:.0%} ties are not possible at a difference of {difference:g} Elo")
    z = float(norm.ppf(1 - alpha / 2) + norm.ppf(power))
    return math.ceil(round(deff * z**2 * (w + ties / 4 - p**2) / (p - 0.5) ** 2, 6))


def separable_difference(
    votes: int, *, alpha: float = 0.05, power: float = 0.8, ties: float = DEFAULT_TIES, deff: float = 1.0
) -> float:
    """The smallest Elo difference that so many head-to-head votes separate, to a tenth of a point."""
    low, high = 0.1, 400.0
    if votes_needed(high, alpha=alpha, power=power, ties=ties, deff=deff) > votes:
        return math.inf
    while high - low > 0.05:
        middle = (low + high) / 2
        enough = votes_needed(middle, alpha=alpha, power=power, ties=ties, deff=deff) <= votes
        low, high = (low, middle) if enough else (middle, high)
    return round(high, 1)
