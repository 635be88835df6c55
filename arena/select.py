"""Which pair of models, which item, which side: pure functions over counts.

A campaign is a `Catalogue` of M models and N items; pairs are its P = M(M-1)/2 unordered pairs in lexicographic order.
Every draw comes from a generator whose seed is stored with the battle, together with the probability of the pair.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Kind = Literal["regular", "panel", "gold", "repeat"]

POLICY_VERSION = 1
EARLY = 24
"""Battles in which gold pairs come more often."""
BLOCK = 4
"""Battles of a pair within which both sides come equally often."""


@dataclass(frozen=True)
class Catalogue:
    """What can be compared.

    models: ids [M], ascending. items: ids [N]. clips: clip ids [M, N], -1 where there is none ready. content: [M, N]
    number of the source file's hash (equal files have equal numbers). language: [N] language that a voter must
    understand, "" where the item has no speech. set_of: [N] number of the item's set.
    """

    models: Ints
    items: Ints
    clips: Ints
    content: Ints
    language: NDArray[np.str_]

    @property
    def pairs(self) -> Ints:
        """Positions [P, 2] of the models of each pair, the lower id first."""
        return np.stack(np.triu_indices(len(self.models), k=1), axis=1).astype(np.int64)

    def playable(self) -> Bools:
        """[P, N]: both clips are ready and are not the same file."""
        first, second = self.pairs.T
        there = (self.clips[first] >= 0) & (self.clips[second] >= 0)
        return np.asarray(there & (self.content[first] != self.content[second]), dtype=np.bool_)


@dataclass(frozen=True)
class Met:
    """One earlier battle of a voter: positions in the catalogue (-1: no longer there)."""

    pair: int
    item: int


def seed_for(*parts: object) -> int:
    """A 63-bit seed that depends on the parts alone."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def eligible(
    playable: Bools,
    language: NDArray[np.str_],
    met: Sequence[Met],
    understands: Sequence[str],
    *,
    max_exposure: int,
    gap: int,
) -> Bools:
    """[P, N]: what this voter may be shown: never the same battle twice, no item too often or too soon again.

    met: the voter's battles, oldest first. gap: an item of the last `gap` battles does not come again.
    """
    items_ok = np.isin(language, ["", *understands])
    seen = np.array([m.item for m in met], dtype=np.int64)
    times = np.bincount(seen[seen >= 0], minlength=playable.shape[1])
    items_ok &= times < max_exposure
    recent = seen[-gap:] if gap else seen[:0]
    items_ok[recent[recent >= 0]] = False
    found = playable & items_ok[None, :]
    for m in met:
        if m.pair >= 0 and m.item >= 0:
            found[m.pair, m.item] = False
    return found


def gains(covariance: Floats, theta: Floats, tie_share: float, pairs: Ints) -> Floats:
    """[P] decrease of the trace of the covariance [M, M] of the strengths `theta` (natural scale) by one more vote.

    With e the difference of two unit vectors, I = p(1-p)(1-t) and v = e'Ce: I |Ce|^2 / (1 + I v).
    """
    first, second = pairs.T
    p = 1 / (1 + np.exp(theta[second] - theta[first]))
    information = p * (1 - p) * (1 - tie_share)
    moved = covariance[:, first] - covariance[:, second]
    v = moved[first, np.arange(len(pairs))] - moved[second, np.arange(len(pairs))]
    return np.asarray(information * (moved**2).sum(axis=0) / (1 + information * v))


def lmarena_gains(theta: Floats, n: Ints, pairs: Ints) -> Floats:
    """[P] fall of the standard error of a pair's win rate by one more vote, the rule of Chatbot Arena."""
    first, second = pairs.T
    p = 1 / (1 + np.exp(theta[second] - theta[first]))
    v, n = p * (1 - p), np.maximum(n, 1)
    return np.asarray(np.sqrt(v / n) - np.sqrt(v / (n + 1)))


def pair_probabilities(
    open_pairs: Bools, n: Ints, gain: Floats | None, *, floor: int, epsilon: float, sharpness: float
) -> tuple[Floats, str]:
    """Probability [P] of each pair and the name of the rule that gave it.

    open_pairs: [P] pairs with at least one eligible item; there must be one. n: [P] votes so far. gain: [P] or None for
    uniform choice. While a pair has fewer than `floor` votes, the pairs with the fewest are drawn.
    """
    if not open_pairs.any():
        raise ValueError("no pair is eligible")
    fewest = n[open_pairs].min()
    if fewest < floor:
        chosen = open_pairs & (n == fewest)
        return chosen / chosen.sum(), "coverage"
    uniform = open_pairs / open_pairs.sum()
    if gain is None:
        return uniform, "uniform"
    weight = np.where(open_pairs, np.maximum(gain, 0), 0)
    if not np.isfinite(weight).all() or weight.max() <= 0:
        return uniform, "uniform"
    weight = (weight / weight.max()) ** sharpness * open_pairs
    return (1 - epsilon) * weight / weight.sum() + epsilon * uniform, "active"


def draw(rng: np.random.Generator, probabilities: Floats) -> int:
    """Position of one draw."""
    total = np.cumsum(probabilities)
    return int(min(np.searchsorted(total, rng.random() * total[-1], side="right"), np.flatnonzero(probabilities)[-1]))


def choose_item(rng: np.random.Generator, allowed: Bools, counts: Ints, weights: Floats | None = None) -> int:
    """Position of the item least used for the pair, ties at random; all [N], weights are wished shares."""
    use = counts if weights is None else counts / weights
    least = use[allowed].min()
    return int(rng.choice(np.flatnonzero(allowed & (use == least))))


def lower_on_left(campaign_seed: int, lower: int, higher: int, nth: int) -> bool:
    """Whether the model with the lower id is shown left in the nth battle (from 0) of a pair.

    Blocks of four hold both sides twice, in an order that only the campaign's seed knows.
    """
    rng = np.random.default_rng(seed_for(campaign_seed, "side", lower, higher, nth // BLOCK))
    return bool(rng.permutation([True, True, False, False])[nth % BLOCK])


def gold_positions(campaign_seed: int, voter: int, upto: int, every: tuple[int, int]) -> set[int]:
    """Places (from 0, practice not counted) of a voter's gold battles before `upto`: one at random in every block."""
    found, start, block = set[int](), 0, 0
    while start <= upto:
        length = every[0] if start < EARLY else every[1]
        first = 2 if start == 0 else 0
        rng = np.random.default_rng(seed_for(campaign_seed, "gold", voter, block))
        found.add(start + int(rng.integers(first, length)))
        start, block = start + length, block + 1
    return found


def repeat_position(campaign_seed: int, voter: int, block: int, every: int, gold: set[int]) -> int | None:
    """Place of the repeat in the voter's nth block of `every` battles; never beside a gold battle, nor very early."""
    places = [
        place
        for place in range(block * every, (block + 1) * every)
        if place >= every // 2 and not {place - 1, place, place + 1} & gold
    ]
    if not places:
        return None
    return int(np.random.default_rng(seed_for(campaign_seed, "repeat", voter, block)).choice(places))


def kind_of_next(
    campaign_seed: int,
    voter: int,
    place: int,
    *,
    gold_every: tuple[int, int],
    repeat_every: int,
    overlap_share: float,
) -> Kind:
    """What the voter's battle at `place` (from 0, practice not counted) is meant to be."""
    gold = gold_positions(campaign_seed, voter, place + max(gold_every) + repeat_every, gold_every)
    if place in gold:
        return "gold"
    if repeat_every and place == repeat_position(campaign_seed, voter, place // repeat_every, repeat_every, gold):
        return "repeat"
    rng = np.random.default_rng(seed_for(campaign_seed, "panel", voter, place))
    return "panel" if rng.random() < overlap_share else "regular"


def panel_cells(rng: np.random.Generator, playable: Bools, count: int) -> list[tuple[int, int]]:
    """Cells (pair, item) of the fixed overlap panel: balanced over the pairs, items spread as far as they go."""
    used = np.zeros(playable.shape[1], dtype=np.int64)
    taken = np.zeros_like(playable)
    cells: list[tuple[int, int]] = []
    while len(cells) < count:
        before = len(cells)
        for pair in rng.permutation(playable.shape[0]):
            allowed = playable[pair] & ~taken[pair]
            if len(cells) < count and allowed.any():
                item = choose_item(rng, allowed, used)
                taken[pair, item] = True
                used[item] += 1
                cells.append((int(pair), item))
        if len(cells) == before:
            break
    return cells
