"""Ratings on the Elo scale with their intervals: fit, anchor, clustered variance, and what cannot be said."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from arena.errors import ArenaError
from arena.ratings.bt import PRIOR_SD, Fit, fit_totals, pair_totals
from arena.ratings.clustered import Covariances, covariances
from arena.ratings.connection import Connection, connection
from arena.ratings.data import BOTH_BAD, TIE, Judgements
from arena.ratings.scale import ELO, MEAN, Floats

Weights = Literal["equal", "pair_balanced"]
PAIR_FLOOR = 50
Z95 = 1.959963984540054


@dataclass(frozen=True)
class Anchor:
    """Where the scale is fixed: the mean of the ranked models at `rating`, or one model."""

    rating: float = MEAN
    model: str | None = None

    @classmethod
    def parse(cls, text: str) -> Anchor:
        """`mean:1000` or `MODEL:RATING`."""
        name, colon, value = text.rpartition(":")
        try:
            rating = float(value)
        except ValueError:
            rating = math.nan
        if not colon or not math.isfinite(rating):
            raise ArenaError(f"'{text}' is no anchor; give mean:1000 or MODEL:RATING")
        return cls(rating, None if name == "mean" else name)

    def __str__(self) -> str:
        return f"{self.model or 'mean'}:{self.rating:g}"


@dataclass(frozen=True)
class Fitted:
    """Ratings of the models [m] (NaN where the data say nothing) with 95% intervals.

    rating, se, lower, upper: clustered. lower_iid, upper_iid: as if votes were independent, for comparison with other
    leaderboards only. contrast: [m, m] row i turns strengths into the anchored rating of model i (natural scale).
    notes: sentences about what cannot be said.
    """

    models: tuple[str, ...]
    rating: Floats
    se: Floats
    lower: Floats
    upper: Floats
    lower_iid: Floats
    upper_iid: Floats
    fit: Fit
    covariances: Covariances
    connection: Connection
    contrast: Floats
    anchor: Anchor
    notes: tuple[str, ...]

    @property
    def quantile(self) -> float:
        return self.covariances.quantile()

    def differences(self, pairs: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """(difference, standard error) in Elo [P] of the first model over the second; NaN where not connected."""
        first, second = pairs.T
        contrasts = np.zeros((len(pairs), len(self.models)))
        contrasts[np.arange(len(pairs)), first] = 1
        contrasts[np.arange(len(pairs)), second] -= 1
        error = ELO * np.sqrt(self.covariances.variance(contrasts))
        gap = self.rating[first] - self.rating[second]
        return gap, np.where(np.isnan(gap), np.nan, error)


def vote_weights(data: Judgements, weights: Weights) -> Floats | None:
    """None for equal weights; `pair_balanced`: 1 / max(n of the pair, 50), with mean 1."""
    if weights == "equal":
        return None
    n = np.bincount(data.pair, minlength=data.m * (data.m - 1) // 2)
    w = 1 / np.maximum(n[data.pair], PAIR_FLOOR)
    return np.asarray(w / w.mean())


def rate(
    data: Judgements,
    *,
    anchor: Anchor | None = None,
    ranked: NDArray[np.bool_] | None = None,
    prior_sd: float = PRIOR_SD,
    ties: Literal["half", "drop"] = "half",
    weights: Weights = "equal",
) -> Fitted:
    """Bradley-Terry ratings with clustered intervals.

    ranked: [m] models whose mean is the anchor (default: all that are connected). ties: "drop" leaves ties and "both
    bad" out, as a sensitivity. Raises ArenaError without judgements, or for an anchor model that is not there.
    """
    if ties == "drop":
        data = data.take((data.outcome != TIE) & (data.outcome != BOTH_BAD))
    if not len(data):
        raise ArenaError("there are no votes to rate")
    anchor, w = anchor or Anchor(), vote_weights(data, weights)
    pairs = np.stack([data.first, data.second], axis=1)
    total, won = pair_totals(data.m, pairs, data.score, np.ones(len(data)) if w is None else w)
    linked = connection(total, won)
    fit = fit_totals(total, won, prior_sd)
    spread = covariances(data, fit, w)
    main = linked.component == 0
    share = _anchor_share(data.models, anchor, main, ranked)
    contrast = np.eye(data.m) - share[None, :]
    rating = np.where(main, anchor.rating + ELO * (contrast @ fit.theta), np.nan)
    se = np.where(main, ELO * np.sqrt(spread.variance(contrast)), np.nan)
    se_iid = np.where(main, ELO * np.sqrt(spread.variance(contrast, "iid")), np.nan)
    half = spread.quantile() * se
    up, down = (np.where(flag, np.inf, 0.0) for flag in (linked.unbounded_up, linked.unbounded_down))
    return Fitted(
        data.models,
        rating,
        se,
        rating - half - down,
        rating + half + up,
        rating - Z95 * se_iid - down,
        rating + Z95 * se_iid + up,
        fit,
        spread,
        linked,
        contrast,
        anchor,
        tuple(_notes(data.models, linked)),
    )


def _anchor_share(
    models: tuple[str, ...], anchor: Anchor, main: NDArray[np.bool_], ranked: NDArray[np.bool_] | None
) -> Floats:
    if anchor.model is not None:
        if anchor.model not in models:
            raise ArenaError(f"the anchor '{anchor.model}' is not among the models: {', '.join(models)}")
        if not main[models.index(anchor.model)]:
            raise ArenaError(f"the anchor '{anchor.model}' was never compared with most of the models")
        return np.array([float(name == anchor.model) for name in models])
    chosen = main if ranked is None or not (main & ranked).any() else main & ranked
    return np.asarray(chosen / chosen.sum())


def _notes(models: tuple[str, ...], linked: Connection) -> list[str]:
    def named(flags: NDArray[np.bool_]) -> str:
        return ", ".join(name for name, flag in zip(models, flags, strict=True) if flag)

    notes = []
    if not linked.connected:
        notes.append(f"never compared with the others, not even through a third model: {named(linked.component > 0)}")
    if linked.unbounded_up.any():
        notes.append(f"lost no comparison with the rest, so the votes set no upper bound: {named(linked.unbounded_up)}")
    if linked.unbounded_down.any():
        notes.append(
            f"won no comparison with the rest, so the votes set no lower bound: {named(linked.unbounded_down)}"
        )
    return notes
