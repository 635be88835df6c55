"""Which ratings the data can say anything about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena.ratings.scale import Floats, Ints

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Connection:
    """component: [m] number of the group of models compared with each other, 0 the one with most comparisons.

    unbounded_up: [m] models of the main group that (with their kind) never lost to the rest of it: their rating has no
    upper bound. unbounded_down: the same for never winning.
    """

    component: Ints
    unbounded_up: Bools
    unbounded_down: Bools

    @property
    def connected(self) -> bool:
        return bool((self.component == 0).all())

    @property
    def identified(self) -> bool:
        return self.connected and not (self.unbounded_up | self.unbounded_down).any()


def connection(total: Floats, won: Floats) -> Connection:
    """From matrices [m, m]: weight of comparisons, and summed score of the row model (a tie is half for both)."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    _, weak = connected_components(csr_array(total > 0), directed=False)
    component = _by_weight(weak, total.sum(axis=1))
    _, strong = connected_components(csr_array(won > 0), directed=True, connection="strong")
    main = component == 0
    size = np.bincount(strong, weights=total.sum(axis=1) * main)
    heart = int(size.argmax())
    reach = _reachable(won > 0)
    core = int(np.flatnonzero(strong == heart)[0])
    outside = main & (strong != heart)
    up = outside & reach[:, core]
    down = outside & reach[core, :]
    neither = outside & ~up & ~down
    return Connection(component, up | neither, down | neither)


def _by_weight(labels: Ints, weight: Floats) -> Ints:
    """Labels renamed so that 0 is the group with the most weight (ties: the first model)."""
    totals = np.bincount(labels, weights=weight)
    order = np.argsort(-totals, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[labels]


def _reachable(edges: Bools) -> Bools:
    """[m, m] whether a chain of wins leads from row to column."""
    reach = edges.copy()
    for middle in range(len(edges)):
        reach |= reach[:, middle, None] & reach[None, middle, :]
    return reach
