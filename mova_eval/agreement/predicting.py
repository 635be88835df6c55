"""How often a score predicts votes: arrays in, shares out.

With ties handled as in Deutsch, Foster and Freitag (Ties Matter, 2023): a score predicts a tie where two clips differ
by at most a threshold. The threshold is chosen on one half of the items and used on the other, and the other way round,
so that no vote is judged by a threshold it helped to choose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mova_eval.agreement.records import Share
from mova_eval.comparison.resampling import Draws, paired_interval
from mova_eval.statistics import Floats, generator

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Judged:
    """Votes with a score on both sides. difference: better of a minus better of b, positive where a is better.
    outcome: 1, 0, -1. item: number of the item, from 0, no gaps. Arrays are [n].
    """

    difference: Floats
    outcome: Ints
    item: Ints

    @property
    def n_items(self) -> int:
        return int(self.item.max()) + 1 if len(self.item) else 0


def decisive_share(judged: Judged, draws: Draws) -> Share | None:
    """Share of votes with a winner that the sign of the difference predicts; equal scores count one half."""
    kept = judged.outcome != 0
    if not kept.any():
        return None
    right = np.where(judged.difference == 0, 0.5, np.sign(judged.difference) == judged.outcome)
    return share(right[kept].astype(np.float64), judged.item[kept], draws)


def tied_share(judged: Judged, seed: int, draws: Draws) -> tuple[Share | None, float | None]:
    """Share of all votes predicted, ties included, and the mean of both thresholds; None with fewer than two items."""
    if judged.n_items < 2:
        return None, None
    first = generator(seed, "agree", "halves", str(judged.n_items)).permutation(judged.n_items) % 2 == 0
    half = first[judged.item]
    if half.all() or not half.any():
        return None, None
    right = np.zeros(len(judged.outcome))
    thresholds = []
    for chosen in (half, ~half):
        threshold = best_threshold(judged.difference[chosen], judged.outcome[chosen])
        thresholds.append(threshold)
        right[~chosen] = predicted(judged.difference[~chosen], threshold) == judged.outcome[~chosen]
    return share(right, judged.item, draws), float(np.mean(thresholds))


def predicted(difference: Floats, threshold: float) -> Ints:
    """1, 0 or -1: a tie where the difference is at most the threshold."""
    return np.where(np.abs(difference) <= threshold, 0, np.sign(difference)).astype(np.int64)


def best_threshold(difference: Floats, outcome: Ints) -> float:
    """The smallest threshold with the most votes predicted; -1 stands for never predicting a tie."""
    size = np.abs(difference)
    order = np.argsort(size, kind="stable")
    size, outcome = size[order], outcome[order]
    sign_right = (np.sign(difference[order]) == outcome) & (outcome != 0)
    ties_won = np.concatenate([[0], np.cumsum(outcome == 0)])
    signs_kept = sign_right.sum() - np.concatenate([[0], np.cumsum(sign_right)])
    correct = ties_won + signs_kept
    ends = np.concatenate([[True], np.append(size[1:] > size[:-1], True)])  # a threshold takes all equal differences
    best = int(np.argmax(np.where(ends, correct, -1)))
    return -1.0 if best == 0 else float(size[best - 1])


def share(right: Floats, item: Ints, draws: Draws) -> Share:
    """The mean of `right` [n] with its interval over items: votes of one item stay together."""
    value = float(right.mean())
    _, place = np.unique(item, return_inverse=True)
    n = int(place.max()) + 1
    if n < 2:
        return Share(value=value, interval=None)
    sums = np.stack([np.bincount(place, right, n), np.bincount(place, minlength=n)], axis=1)
    drawn = draws.counts(n, 0) @ sums
    interval = paired_interval(drawn[:, 0] / drawn[:, 1], n, 1)
    return Share(value=value, interval=interval and (max(interval[0], 0.0), min(interval[1], 1.0)))
