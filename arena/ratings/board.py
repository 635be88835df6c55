"""Everything a board shows, from judgements: states, ratings, ranks, pairs, and how far to trust them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from arena.errors import ArenaError, ConvergenceError
from arena.ratings.comparing import design_effect, head_to_head, lack_of_fit, left_bias
from arena.ratings.convergence import convergence
from arena.ratings.data import Judgements, outcome_counts, pairs_of
from arena.ratings.elo import elo_online
from arena.ratings.fitting import Anchor, Fitted, rate
from arena.ratings.ranks import Differences, Ranks, differences, ranks, robustness
from arena.ratings.scale import Floats, Ints
from arena.ratings.ties import fit_ties

Method = Literal["bt_half", "bt_drop", "davidson", "rao_kupper", "elo_online"]
METHODS: tuple[Method, ...] = ("bt_half", "bt_drop", "davidson", "rao_kupper", "elo_online")
_ONLINE_LIMIT = 50_000
_ORDERS = ((20_000, 50), (200_000, 10))


@dataclass(frozen=True)
class Thresholds:
    listed: int = 100
    ranked: int = 300


@dataclass
class BoardNumbers:
    """Per model [m] and per pair [P]; NaN where nothing can be said. fit: what `Board.fit` holds, JSON-ready."""

    states: list[str]
    rating: Floats
    se: Floats
    lower: Floats
    upper: Floats
    lower_iid: Floats
    upper_iid: Floats
    ranks: Ranks
    n: Ints
    wins: Ints
    ties: Ints
    losses: Ints
    both_bad: Ints
    left_share: Floats
    pair_counts: Ints
    pairs: Differences
    p_head_to_head: Floats
    n_voters: int
    effective_voters: float
    n_items: int
    fit: dict[str, Any] = field(default_factory=dict)


def board(
    data: Judgements,
    *,
    retired: NDArray[np.bool_] | None = None,
    thresholds: Thresholds = Thresholds(),
    anchor: Anchor | None = None,
    method: Method = "bt_half",
    seed: int = 0,
    extras: bool = True,
) -> BoardNumbers:
    """All numbers of a board. Raises ArenaError without judgements. extras: also what takes longer (convergence,
    permutations, online Elo, robustness).
    """
    if method not in METHODS:
        raise ArenaError(f"there is no rating method '{method}'; there is {', '.join(METHODS)}")
    if not len(data):
        raise ArenaError("there are no votes to rate")
    gone = np.zeros(data.m, dtype=bool) if retired is None else retired
    n, table = _model_counts(data)
    wins, tied, lost, bad = table.T
    enough = (n >= thresholds.ranked) & ~gone
    ties: Literal["half", "drop"] = "drop" if method == "bt_drop" else "half"
    fitted = rate(data, anchor=anchor, ranked=enough, ties=ties)
    main = fitted.connection.component == 0
    ranked = enough & main
    found = differences(fitted, ranked)
    numbers = BoardNumbers(
        _states(n, gone, main, thresholds),
        fitted.rating,
        fitted.se,
        fitted.lower,
        fitted.upper,
        fitted.lower_iid,
        fitted.upper_iid,
        ranks(fitted, ranked, found),
        n,
        wins,
        tied,
        lost,
        bad,
        _left_share(data, n),
        outcome_counts(data),
        found,
        np.full(len(found.pairs), np.nan),
        data.n_voters,
        fitted.covariances.effective_voters,
        data.n_items,
    )
    numbers.fit = _fit_facts(data, fitted)
    if method in {"davidson", "rao_kupper", "elo_online"}:
        _replace_scale(numbers, data, method, seed)
    if extras:
        _add_extras(numbers, data, fitted, ranked, seed)
    numbers.fit = clean(numbers.fit)
    return numbers


def _model_counts(data: Judgements) -> tuple[Ints, Ints]:
    """n [m] and (wins, ties, losses, both bad) [m, 4]."""
    table = np.zeros((data.m, 4), dtype=np.int64)
    for (first, second), (won, tie, lost, bad) in zip(pairs_of(data.m), outcome_counts(data), strict=True):
        table[first] += (won, tie, lost, bad)
        table[second] += (lost, tie, won, bad)
    return table.sum(axis=1), table


def _states(n: Ints, gone: NDArray[np.bool_], main: NDArray[np.bool_], limits: Thresholds) -> list[str]:
    def state(i: int) -> str:
        if gone[i]:
            return "retired"
        if n[i] < limits.listed or not main[i]:
            return "unlisted"
        return "ranked" if n[i] >= limits.ranked else "preliminary"

    return [state(i) for i in range(len(n))]


def _left_share(data: Judgements, n: Ints) -> Floats:
    left = np.bincount(np.where(data.first_left, data.first, data.second), minlength=data.m)
    return np.asarray(np.divide(left, n, out=np.full(data.m, np.nan), where=n > 0))


def _fit_facts(data: Judgements, fitted: Fitted) -> dict[str, Any]:
    lack, bias = lack_of_fit(data, fitted.fit), left_bias(data)
    share = float(((data.outcome == 1) | (data.outcome == 3)).mean())
    facts: dict[str, Any] = {
        "notes": list(fitted.notes),
        "connected": fitted.connection.connected,
        "identified": fitted.connection.identified,
        "log_likelihood": fitted.fit.log_likelihood,
        "tie_share": share,
        "lack_of_fit_p": lack.p,
        "deff": design_effect(fitted.se, (fitted.upper_iid - fitted.lower_iid) / 2 / 1.959963984540054),
        "effective_clusters": fitted.covariances.effective_clusters,
        "t_quantile": fitted.quantile,
    }
    if bias is not None:
        facts |= {"left_share": bias.share, "left_lo": bias.lower, "left_hi": bias.upper, "left_bias_p": bias.p}
    return facts


def _replace_scale(numbers: BoardNumbers, data: Judgements, method: str, seed: int) -> None:
    """Ratings of another model are another scale: no ranks, no clustered interval, no differences."""
    nothing = np.full(data.m, np.nan)
    numbers.se = numbers.lower_iid = numbers.upper_iid = nothing
    numbers.ranks = Ranks(*(np.zeros(data.m, dtype=np.int64) for _ in range(3)))
    if method == "elo_online":
        online = elo_online(data, seed=seed)
        numbers.rating, numbers.lower, numbers.upper = online.rating, online.lower, online.upper
        return
    counts = outcome_counts(data)
    three = np.stack([counts[:, 0], counts[:, 1] + counts[:, 3], counts[:, 2]], axis=1)
    fit = fit_ties(data.m, pairs_of(data.m), three, "davidson" if method == "davidson" else "rao_kupper")
    numbers.rating, numbers.lower, numbers.upper = fit.rating, nothing, nothing
    numbers.fit["tie_parameter"] = fit.tie


def _add_extras(numbers: BoardNumbers, data: Judgements, fitted: Fitted, ranked: NDArray[np.bool_], seed: int) -> None:
    for at, (first, second) in enumerate(numbers.pairs.pairs):
        p = head_to_head(data, int(first), int(second), seed=seed)
        numbers.p_head_to_head[at] = math.nan if p is None else p
    weakest = robustness(data, fitted, ranked)
    if weakest is not None:
        numbers.fit["robustness"] = {
            "votes": len(weakest.votes),
            "voters": weakest.voters,
            "share": len(weakest.votes) / len(data),
            "leader": data.models[weakest.leader],
            "rival": data.models[weakest.rival],
        }
    orders = next((count for limit, count in _ORDERS if len(data) <= limit), 0)
    try:
        settled = convergence(data, orders=orders, seed=seed)
        numbers.fit["convergence"] = {
            "models": list(data.models),
            "n": settled.n,
            "rating": settled.rating,
            "half_width": settled.half_width,
            "low": settled.low,
            "high": settled.high,
        }
    except ConvergenceError as error:
        numbers.fit["notes"].append(f"no convergence plot: {error}")
    if len(data) <= _ONLINE_LIMIT:
        online = elo_online(data, seed=seed)
        numbers.fit["elo_online"] = {
            name: [online.rating[i], online.lower[i], online.upper[i]] for i, name in enumerate(data.models)
        }


def clean(value: Any) -> Any:
    """JSON-ready: arrays become lists, NaN and infinity become None."""
    if isinstance(value, dict):
        return {str(key): clean(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [clean(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
