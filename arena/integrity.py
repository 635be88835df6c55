"""Is this voter judging? Tests per voter over all their votes, and rings of voters; pure functions over arrays.

Each test gives a p-value under "an honest voter with the crowd's opinion". What comes out is a flag for a person to
look at; only deterministic violations and overwhelming favour exclude by rule. Honest voters with a taste of their own
exist, so no test alone decides above p = 1e-6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from arena.ratings.bt import Fit, fit_counts
from arena.ratings.data import HI, LO, Judgements, outcome_counts, pairs_of
from arena.ratings.multiple import benjamini_hochberg, fisher
from arena.ratings.scale import Floats, Ints
from arena.ratings.ties import fit_ties

VERSION = 1
MIN_VOTES = 12
FLAG_Q = 0.05
AUTOMATIC_FAVOUR = 1e-6
GOLD_PASS = 0.9
FAST_SHARE = 0.9
FAST_DECIDE_MS = 400
FAST_DECIDE_SHARE = 0.2
STRAIGHT_LINE = 15
RING_DRAWS = 2000


@dataclass(frozen=True)
class Behaviour:
    """Beside the judgements [n], what the player and the clock saw, and each voter's control battles.

    elapsed_ms, shown_ms: [n] from serving to vote, and length of both clips. decide_ms: [n], -1 unknown. gold: voter
    number -> (seen, passed; a tie counts half). repeats: voter number -> (repeats, reversals). network: voter number ->
    a name shared by voters of one network.
    """

    elapsed_ms: Ints
    shown_ms: Ints
    decide_ms: Ints
    gold: Mapping[int, tuple[int, float]]
    repeats: Mapping[int, tuple[int, int]]
    network: Mapping[int, str]


@dataclass(frozen=True)
class Verdict:
    """voter: number. p: test -> p-value. favoured: position of the model with the most surprising support, -1 none.

    reasons: deterministic findings. fast_votes: positions of votes given before both clips could be watched.
    """

    voter: int
    votes: int
    p: dict[str, float]
    combined: float
    q: float
    favoured: int
    reasons: tuple[str, ...]
    fast_votes: Ints
    automatic: bool


@dataclass(frozen=True)
class Crowd:
    """What the others think: strengths, their covariance, the threshold of ties."""

    fit: Fit
    tie: float


def crowd(data: Judgements) -> Crowd:
    """Fit of all votes with the tie threshold of Rao-Kupper."""
    counts = outcome_counts(data)
    three = np.stack([counts[:, 0], counts[:, 1] + counts[:, 3], counts[:, 2]], axis=1)
    pairs = pairs_of(data.m)
    k = fit_ties(data.m, pairs, three + 0.01, "rao_kupper").tie
    return Crowd(fit_counts(data.m, pairs, three), k)


def outcome_probabilities(difference: Floats, k: float) -> Floats:
    """[n, 3] probability that the first wins, of a tie, that the second wins."""
    first, second = 1 / (1 + np.exp(-(difference - k))), 1 / (1 + np.exp(difference + k))
    return np.stack([first, np.maximum(1 - first - second, 1e-9), second], axis=1)


def examine(data: Judgements, behaviour: Behaviour) -> list[Verdict]:
    """A verdict for every voter with at least 12 votes, and for every voter with a fast vote or failed gold."""
    if not len(data):
        return []
    others = crowd(data)
    crowd_reversal = _crowd_reversal(behaviour)
    order = np.argsort(data.voter, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(data.voter[order]) > 0])
    found = []
    for at in np.split(order, starts[1:]):
        found.append(_examine_one(data, behaviour, others, at, crowd_reversal))
    tested = [i for i, v in enumerate(found) if v.votes >= MIN_VOTES]
    if tested:
        q = benjamini_hochberg(np.array([found[i].combined for i in tested]))
        for i, value in zip(tested, q, strict=True):
            found[i] = _with_q(found[i], float(value))
    return found


def flagged(verdict: Verdict) -> bool:
    """Whether a person should look."""
    return verdict.q <= FLAG_Q or bool(verdict.reasons)


def _with_q(verdict: Verdict, q: float) -> Verdict:
    return replace(verdict, q=q)


def _examine_one(data: Judgements, behaviour: Behaviour, others: Crowd, at: Ints, crowd_reversal: float) -> Verdict:
    own = data.take(at)
    voter = int(own.voter[0])
    favour, favoured = 1.0, -1
    p: dict[str, float] = {}
    if len(own) >= MIN_VOTES:
        probabilities = _without(own, others)
        p["consensus"] = consensus(own, probabilities)
        favour, favoured = favour_test(own, probabilities)
        p["favour"] = favour
        p["left"] = left_test(own)
    seen, passed = behaviour.gold.get(voter, (0, 0.0))
    if seen:
        p["gold"] = gold_test(seen, passed)
    combined = fisher([p[name] for name in ("consensus", "favour", "left", "gold") if name in p])
    shown, reversals = behaviour.repeats.get(voter, (0, 0))
    if shown:
        p["repeat"] = repeat_test(shown, reversals, crowd_reversal)
    fast = at[behaviour.elapsed_ms[at] < FAST_SHARE * behaviour.shown_ms[at]]
    reasons = _reasons(own, behaviour, at, fast, seen, passed)
    return Verdict(
        voter,
        len(own),
        p,
        combined,
        1.0,
        favoured if favour < 0.05 else -1,
        tuple(reasons),
        fast,
        favour < AUTOMATIC_FAVOUR or _failed_early(seen, passed),
    )


def _failed_early(seen: int, passed: float) -> bool:
    return 2 <= seen <= 3 and seen - passed >= 2


def _reasons(own: Judgements, behaviour: Behaviour, at: Ints, fast: Ints, seen: int, passed: float) -> list[str]:
    reasons = []
    if len(fast):
        reasons.append(f"{len(fast)} votes came before both clips could have been watched")
    decided = behaviour.decide_ms[at]
    known = decided[decided >= 0]
    if len(known) >= MIN_VOTES and (known < FAST_DECIDE_MS).mean() > FAST_DECIDE_SHARE:
        reasons.append(f"decided within {FAST_DECIDE_MS} ms in {(known < FAST_DECIDE_MS).mean():.0%} of votes")
    run = longest_run(_side(own))
    if run > STRAIGHT_LINE:
        reasons.append(f"the same answer {run} times running")
    if _failed_early(seen, passed):
        reasons.append(f"failed {seen - passed:g} of the first {seen} gold battles")
    return reasons


def _side(own: Judgements) -> Ints:
    """0 left, 1 tie, 2 right, 3 both bad."""
    decisive = own.outcome % 2 == 0
    return np.where(decisive & ~own.first_left, 2 - own.outcome, own.outcome)


def _without(own: Judgements, others: Crowd) -> Floats:
    """[n, 3] probabilities by a fit without the voter's own votes (one Newton step from the fit with them)."""
    theta = others.fit.theta
    residual = own.score - 1 / (1 + np.exp(theta[own.second] - theta[own.first]))
    m = len(theta)
    pull = np.bincount(own.first, residual, m) - np.bincount(own.second, residual, m)
    left_out = theta - others.fit.covariance @ pull
    return outcome_probabilities(left_out[own.first] - left_out[own.second], others.tie)


def _three(own: Judgements) -> Ints:
    return np.where(own.outcome == LO, 0, np.where(own.outcome == HI, 2, 1))


def consensus(own: Judgements, probabilities: Floats) -> float:
    """One-sided p of the sum of log probabilities of the answers: small when they are too unlikely."""
    from scipy.stats import norm

    logs = np.log(probabilities)
    got = float(logs[np.arange(len(own)), _three(own)].sum())
    mean = (probabilities * logs).sum(axis=1)
    variance = float(((probabilities * logs**2).sum(axis=1) - mean**2).sum())
    return float(norm.cdf((got - mean.sum()) / max(np.sqrt(variance), 1e-9)))


def favour_test(own: Judgements, probabilities: Floats) -> tuple[float, int]:
    """Two-sided p, Bonferroni over models, of a model's score above or below what the crowd would give; and which."""
    from scipy.stats import norm

    expected = probabilities[:, 0] + probabilities[:, 1] / 2
    variance = probabilities[:, 0] + probabilities[:, 1] / 4 - expected**2
    surplus = own.score - expected
    m = own.m
    total = np.bincount(own.first, surplus, m) - np.bincount(own.second, surplus, m)
    spread = np.bincount(own.first, variance, m) + np.bincount(own.second, variance, m)
    met = spread > 0
    z = np.divide(np.abs(total), np.sqrt(spread), out=np.zeros(m), where=met)
    at = int(np.argmax(z))
    return min(1.0, float(2 * norm.sf(z[at]) * met.sum())), at


def left_test(own: Judgements) -> float:
    """Two-sided binomial of left among decisive votes."""
    from scipy.stats import binomtest

    side = _side(own)
    decisive = int(((side == 0) | (side == 2)).sum())
    return float(binomtest(int((side == 0).sum()), decisive).pvalue) if decisive else 1.0


def gold_test(seen: int, passed: float) -> float:
    """Chance of passing so few if nine in ten are passed."""
    from scipy.stats import binom

    return float(binom.cdf(np.floor(passed), seen, GOLD_PASS))


def repeat_test(shown: int, reversals: int, rate: float) -> float:
    """Chance of so many reversals at the crowd's rate."""
    from scipy.stats import binom

    return float(binom.sf(reversals - 1, shown, rate))


def _crowd_reversal(behaviour: Behaviour) -> float:
    shown = sum(n for n, _ in behaviour.repeats.values())
    reversals = sum(r for _, r in behaviour.repeats.values())
    return (reversals + 1) / (shown + 10)  # starts at one in ten


def longest_run(values: Ints) -> int:
    """Length of the longest stretch of equal values."""
    if not len(values):
        return 0
    edges = np.flatnonzero(np.r_[True, np.diff(values) != 0, True])
    return int(np.diff(edges).max())


@dataclass(frozen=True)
class Ring:
    """Voters of one network who favour the same model. p: permutation over groups of as many voters."""

    voters: tuple[int, ...]
    model: int
    p: float


def rings(data: Judgements, behaviour: Behaviour, *, draws: int = RING_DRAWS, seed: int = 0) -> list[Ring]:
    """Groups of at least three voters of one network whose joint surplus for one model is unlikely by chance."""
    groups: dict[str, list[int]] = {}
    for voter, name in behaviour.network.items():
        groups.setdefault(name, []).append(voter)
    large = [sorted(voters) for voters in groups.values() if len(voters) >= 3]
    if not large or not len(data):
        return []
    surplus = _surplus(data)
    rng = np.random.default_rng(seed)
    active = np.unique(data.voter)
    found = []
    for voters in large:
        members = [v for v in voters if v in set(active.tolist())]
        if len(members) < 3:
            continue
        sums = surplus[members].sum(axis=0)
        model = int(np.argmax(sums))
        drawn = np.array(
            [surplus[rng.choice(active, len(members), replace=False)].sum(axis=0).max() for _ in range(draws)]
        )
        p = float((1 + (drawn >= sums[model]).sum()) / (1 + draws))
        found.append(Ring(tuple(members), model, p))
    return found


def _surplus(data: Judgements) -> Floats:
    """[voters, m] summed score above expectation."""
    others = crowd(data)
    p = outcome_probabilities(others.fit.theta[data.first] - others.fit.theta[data.second], others.tie)
    over = data.score - (p[:, 0] + p[:, 1] / 2)
    count, m = int(data.voter.max()) + 1, data.m
    gained = np.bincount(data.voter * m + data.first, over, count * m)
    lost = np.bincount(data.voter * m + data.second, over, count * m)
    return np.asarray(gained - lost, dtype=np.float64).reshape(count, m)
