"""Judgements as arrays: the one input of every rating."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from arena.ratings.scale import Floats, Ints

Bools = NDArray[np.bool_]

LO, TIE, HI, BOTH_BAD = 0, 1, 2, 3
"""Outcomes: the first model won, about equal, the second won, both are bad."""


@dataclass(frozen=True)
class Judgements:
    """n judgements of one campaign and criterion, in order of time.

    models: names [m]. first, second: [n] positions in `models`, first < second. outcome: [n] LO, TIE, HI or BOTH_BAD.
    voter, item: [n] numbers of the clusters, 0 .. count-1. first_left: [n] whether the first model was on the left.
    """

    models: tuple[str, ...]
    first: Ints
    second: Ints
    outcome: Ints
    voter: Ints
    item: Ints
    first_left: Bools

    def __len__(self) -> int:
        return len(self.first)

    @property
    def m(self) -> int:
        return len(self.models)

    @property
    def n_voters(self) -> int:
        return len(np.unique(self.voter))

    @property
    def n_items(self) -> int:
        return len(np.unique(self.item))

    @property
    def score(self) -> Floats:
        """[n] of the first model: 1, 1/2 or 0; "both bad" counts as a tie."""
        return np.array([1.0, 0.5, 0.0, 0.5])[self.outcome]

    @property
    def pair(self) -> Ints:
        """[n] position in the list of all m(m-1)/2 pairs."""
        m = self.m
        return self.first * (2 * m - self.first - 1) // 2 + self.second - self.first - 1

    def take(self, chosen: Bools | Ints) -> Judgements:
        """Some of the judgements, models and cluster numbers unchanged."""
        columns = ("first", "second", "outcome", "voter", "item", "first_left")
        return replace(self, **{name: getattr(self, name)[chosen] for name in columns})


def pairs_of(m: int) -> Ints:
    """[m(m-1)/2, 2] all pairs in the order of `Judgements.pair`."""
    return np.stack(np.triu_indices(m, k=1), axis=1).astype(np.int64)


def outcome_counts(data: Judgements) -> Ints:
    """[P, 4] judgements per pair and outcome."""
    size = data.m * (data.m - 1) // 2
    return np.bincount(data.pair * 4 + data.outcome, minlength=size * 4).reshape(size, 4)


def fingerprint(data: Judgements, number: Ints, criterion: str) -> str:
    """SHA-256 of the judgements as (vote number, criterion, lower name, higher name, outcome), sorted by number.

    The same for the same judgements wherever they come from: a database, or an export of it.
    """
    order = np.argsort(number, kind="stable")
    by_name = np.argsort(np.array(data.models, dtype=np.str_), kind="stable")
    place = np.empty(data.m, dtype=np.int64)
    place[by_name] = np.arange(data.m)
    first, second = place[data.first][order], place[data.second][order]
    outcome = data.outcome[order]
    swapped = first > second
    outcome = np.where(swapped & (outcome % 2 == 0), 2 - outcome, outcome)
    names = sorted({data.models[i] for i in np.unique(np.r_[data.first, data.second])})
    used = np.array([data.models[i] in names for i in by_name], dtype=np.int64)
    rank = np.cumsum(used) - 1  # models without judgements leave no trace
    lower, higher = rank[np.minimum(first, second)], rank[np.maximum(first, second)]
    digest = hashlib.sha256(json.dumps([criterion, names]).encode())
    for column in (number[order], lower, higher, outcome):
        digest.update(np.ascontiguousarray(column, dtype="<i8").tobytes())
    return digest.hexdigest()


def from_sides(
    models: Sequence[str],
    left: Ints,
    right: Ints,
    answer: Ints,
    voter: Ints | None = None,
    item: Ints | None = None,
) -> Judgements:
    """Judgements from what was left and right; answer: [n] 0 left, 1 tie, 2 right, 3 both bad.

    Without voters or items every judgement counts as a cluster of its own.
    """
    swap = left > right
    outcome = np.where(swap & (answer % 2 == 0), 2 - answer, answer)
    alone = np.arange(len(left), dtype=np.int64)
    return Judgements(
        tuple(models),
        np.where(swap, right, left).astype(np.int64),
        np.where(swap, left, right).astype(np.int64),
        outcome.astype(np.int64),
        alone if voter is None else voter,
        alone if item is None else item,
        ~swap,
    )
