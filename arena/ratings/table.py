"""`bradley_terry(votes)`: from a table of votes to a table of ratings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from arena.errors import ArenaError
from arena.ratings.bt import PRIOR_SD
from arena.ratings.data import Judgements, from_sides
from arena.ratings.fitting import Anchor, Fitted, Weights, rate
from arena.ratings.scale import MEAN

if TYPE_CHECKING:
    import pandas as pd

WINNERS = ("model_a", "tie", "model_b", "both_bad")
"""In the order of answers: left, tie, right, both bad."""


@dataclass(frozen=True)
class Ratings:
    """table: one row per model, best first, with columns `model`, `rating`, `lower`, `upper` (95%, clustered by voter
    and item where these are given), `se`, `lower_iid`, `upper_iid`, `votes`. notes: what the votes cannot say.
    """

    table: pd.DataFrame
    fitted: Fitted
    votes: Judgements

    @property
    def notes(self) -> tuple[str, ...]:
        return self.fitted.notes


def read_votes(votes: Any) -> Judgements:
    """A table (DataFrame, mapping of columns, or list of rows) with columns model_a, model_b, winner as judgements.

    winner: "model_a", "model_b", "tie" or "both_bad". Columns `voter` and `item`, if there, are the clusters. model_a
    is taken for the left one. Raises ArenaError for a missing column, another winner, or a model against itself.
    """
    import pandas as pd

    table = votes if isinstance(votes, pd.DataFrame) else pd.DataFrame(votes)
    missing = [name for name in ("model_a", "model_b", "winner") if name not in table.columns]
    if missing:
        raise ArenaError(f"the table of votes has no column '{missing[0]}'; it needs model_a, model_b, winner")
    if not len(table):
        raise ArenaError("there are no votes to rate")
    codes, names = pd.factorize(pd.concat([table["model_a"], table["model_b"]], ignore_index=True), sort=True)
    left, right = codes[: len(table)].astype(np.int64), codes[len(table) :].astype(np.int64)
    if (codes < 0).any():
        raise ArenaError(f"row {int(np.flatnonzero(codes < 0)[0]) % len(table)} of the votes names no model")
    answer = pd.Index(WINNERS).get_indexer(table["winner"])
    if (answer < 0).any():
        row = int(np.flatnonzero(answer < 0)[0])
        raise ArenaError(f"row {row}: winner is '{table['winner'].iloc[row]}', not one of {', '.join(WINNERS)}")
    if (left == right).any():
        row = int(np.flatnonzero(left == right)[0])
        raise ArenaError(f"row {row}: '{names[left[row]]}' is compared with itself")
    clusters = [pd.factorize(table[c])[0].astype(np.int64) if c in table.columns else None for c in ("voter", "item")]
    if any(c is not None and (c < 0).any() for c in clusters):
        raise ArenaError("some votes have no voter or no item; fill the column or leave it out")
    return from_sides([str(name) for name in names], left, right, answer.astype(np.int64), *clusters)


def bradley_terry(
    votes: Any,
    *,
    anchor: str | float = MEAN,
    prior_sd: float = PRIOR_SD,
    ties: Literal["half", "drop"] = "half",
    weights: Weights = "equal",
) -> Ratings:
    """Ratings by maximum likelihood on the Elo scale, ties as half a win, with 95% intervals.

    votes: see `read_votes`. anchor: mean rating, or `MODEL:RATING`. prior_sd: of the strengths in natural units
    (1 = 174 Elo); `math.inf` for plain maximum likelihood. Raises ArenaError for a table that does not fit, and
    ConvergenceError without a prior when some model never lost or was never compared.

    >>> votes = [{"model_a": "x", "model_b": "y", "winner": w} for w in ("model_a", "model_a", "model_b", "tie")]
    >>> bradley_terry(votes).table["model"].tolist()
    ['x', 'y']
    """
    import pandas as pd

    data = read_votes(votes)
    fixed = Anchor.parse(anchor) if isinstance(anchor, str) else Anchor(float(anchor))
    fitted = rate(data, anchor=fixed, prior_sd=prior_sd, ties=ties, weights=weights)
    count = np.bincount(data.first, minlength=data.m) + np.bincount(data.second, minlength=data.m)
    table = pd.DataFrame(
        {
            "model": list(data.models),
            "rating": fitted.rating,
            "lower": fitted.lower,
            "upper": fitted.upper,
            "se": fitted.se,
            "lower_iid": fitted.lower_iid,
            "upper_iid": fitted.upper_iid,
            "votes": count,
        }
    )
    return Ratings(table.sort_values("rating", ascending=False, ignore_index=True), fitted, data)
