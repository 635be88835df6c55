"""Automatic metrics against votes: does a metric prefer what people prefer?

Pure functions over arrays. Battle level: does the sign of the score difference agree with decisive votes. Model level:
do model means line up with ratings (with few models hardly anything can be claimed, and the result says so).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from arena.ratings.data import HI, LO, Judgements
from arena.ratings.scale import Floats, Ints

REPLICATES = 1000
FEW_MODELS = 8
MAX_EXACT = 7
DRAWS = 10_000
EXPECTED: dict[str, tuple[str, ...]] = {
    "sync": ("lse_d", "lse_c", "desync"),
    "audio": ("dnsmos_ovrl", "dnsmos_p808", "ce", "cu", "pc", "pq"),
    "prompt": ("clap", "ib", "ta"),
    "video": ("vq", "mq", "as"),
}
"""Which metric was expected to go with which question before any vote was looked at; the rest is exploratory."""


@dataclass(frozen=True)
class BattleAgreement:
    """n: judgements with both scores. decisive: those that are no tie.

    accuracy: share of decisive votes that the sign of the difference predicts, equal scores counting half, with a 95%
    interval over items. auc: chance that a won comparison has a higher difference than a lost one. tie_accuracy:
    three-way accuracy with a tie band chosen on one half of the items and measured on the other (Deutsch et al. 2023).
    None where nothing can be computed.
    """

    n: int
    decisive: int
    accuracy: float | None
    lower: float | None
    upper: float | None
    auc: float | None
    tie_accuracy: float | None
    tie_band: float | None


def battle_agreement(
    data: Judgements, difference: Floats, *, replicates: int = REPLICATES, seed: int = 0
) -> BattleAgreement:
    """difference: [n] score of the first model's clip minus the second's, higher is better; NaN: not scored."""
    known = ~np.isnan(difference)
    own, d = data.take(known), difference[known]
    decisive = (own.outcome == LO) | (own.outcome == HI)
    if not decisive.any():
        return BattleAgreement(len(own), 0, None, None, None, None, None, None)
    won = own.outcome[decisive] == LO
    right = np.where(d[decisive] == 0, 0.5, (d[decisive] > 0) == won)
    _, item = np.unique(own.item[decisive], return_inverse=True)
    sums, counts = np.bincount(item, right), np.bincount(item)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=replicates)
    lower, upper = np.quantile((drawn @ sums) / (drawn @ counts), (0.025, 0.975))
    band, tied = tie_calibrated(own, d, rng)
    return BattleAgreement(
        len(own), int(decisive.sum()), float(right.mean()), float(lower), float(upper), auc(d[decisive], won), tied,
        band,
    )  # fmt: skip


def auc(value: Floats, positive: Ints | np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float | None:
    """Area under the ROC curve (Mann-Whitney, ties count half); None with one class only."""
    from scipy.stats import rankdata

    flags = np.asarray(positive, dtype=bool)
    n1, n0 = int(flags.sum()), int((~flags).sum())
    if not n1 or not n0:
        return None
    return float((rankdata(value)[flags].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def tie_calibrated(data: Judgements, d: Floats, rng: np.random.Generator) -> tuple[float | None, float | None]:
    """(tie band, three-way accuracy): the band |d| <= band that fits one half of the items best, on the other half."""
    items = np.unique(data.item)
    if len(items) < 2:
        return None, None
    half = rng.permutation(items)[: len(items) // 2]
    fitting = np.isin(data.item, half)
    answer = np.where(data.outcome == LO, 1, np.where(data.outcome == HI, -1, 0))
    bands = np.unique(np.r_[0.0, np.abs(d[fitting])])
    bands = bands[np.linspace(0, len(bands) - 1, min(200, len(bands))).astype(int)]

    def accuracy(band: float, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
        said = np.where(np.abs(d[rows]) <= band, 0, np.sign(d[rows]))
        return float((said == answer[rows]).mean())

    best = max(bands, key=lambda band: accuracy(float(band), fitting))
    return float(best), accuracy(float(best), ~fitting)


@dataclass(frozen=True)
class ModelAgreement:
    """Correlations of model means with ratings over m models. p: two-sided permutation p of Spearman's rho, exact up to
    7 models. note: set when there are too few models for any claim.
    """

    m: int
    pearson: float | None
    spearman: float | None
    kendall: float | None
    p: float | None
    note: str


def model_agreement(score: Floats, rating: Floats, *, seed: int = 0) -> ModelAgreement:
    """score, rating: [m], higher is better; models with NaN in either are left out."""
    from scipy.stats import kendalltau, pearsonr, rankdata

    both = ~np.isnan(score) & ~np.isnan(rating)
    x, y = score[both], rating[both]
    m = len(x)
    if m < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return ModelAgreement(m, None, None, None, None, f"{m} models say nothing about a correlation")
    rx, ry = rankdata(x), rankdata(y)
    rho = float(pearsonr(rx, ry).statistic)
    smallest = 2 / math.factorial(m)
    note = "" if m >= FEW_MODELS else f"only {m} models: the smallest possible p is {smallest:.3g}"
    p = _permutation_p(rx, ry, abs(rho), seed)
    return ModelAgreement(m, float(pearsonr(x, y).statistic), rho, float(kendalltau(x, y).statistic), p, note)


def _permutation_p(rx: Floats, ry: Floats, observed: float, seed: int) -> float:
    x, y = rx - rx.mean(), ry - ry.mean()
    scale = math.sqrt(float(x @ x) * float(y @ y))
    m = len(x)
    if m <= MAX_EXACT:
        orders = np.array(list(permutations(range(m))))
        return float((np.abs(y[orders] @ x) / scale >= observed - 1e-9).mean())
    rng = np.random.default_rng(seed)
    orders = rng.permuted(np.tile(np.arange(m), (DRAWS, 1)), axis=1)
    hits = int((np.abs(y[orders] @ x) / scale >= observed - 1e-9).sum())
    return (1 + hits) / (1 + DRAWS)
