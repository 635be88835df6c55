"""Choosing pairs, items and sides: laws over many seeded draws, and whole voters played through."""

from __future__ import annotations

import numpy as np
import pytest
from arena_world import World
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from arena.ratings.bt import fit_counts
from arena.ratings.data import pairs_of
from arena.select import (
    Catalogue,
    Met,
    choose_item,
    draw,
    eligible,
    gains,
    gold_positions,
    kind_of_next,
    lmarena_gains,
    lower_on_left,
    pair_probabilities,
    panel_cells,
)
from arena.service import campaigns
from arena.service.types import BattleView


def catalogue(models: int = 4, items: int = 6, seed: int = 0) -> Catalogue:
    rng = np.random.default_rng(seed)
    clips = np.arange(models * items).reshape(models, items)
    clips[rng.random((models, items)) < 0.15] = -1
    content = rng.integers(0, 3 * models, (models, items))
    return Catalogue(
        np.arange(models) + 1, np.arange(items) + 1, clips, content, np.array(["", "en", "zh"] * items)[:items]
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_what_is_eligible_is_playable_unseen_understood_and_not_too_often(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cat = catalogue(seed=seed)
    met = [Met(int(rng.integers(-1, 6)), int(rng.integers(-1, 6))) for _ in range(rng.integers(0, 12))]
    allowed = eligible(cat.playable(), cat.language, met, ["en"], max_exposure=2, gap=2)
    for pair, item in zip(*np.nonzero(allowed), strict=True):
        first, second = cat.pairs[pair]
        assert cat.clips[first, item] >= 0 <= cat.clips[second, item]
        assert cat.content[first, item] != cat.content[second, item]
        assert Met(pair, item) not in met
        assert cat.language[item] != "zh"
        assert sum(m.item == item for m in met) < 2
        assert item not in [m.item for m in met[-2:]]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 1), st.floats(0, 4))
def test_pair_probabilities_are_a_distribution_over_open_pairs_with_a_floor(
    seed: int, epsilon: float, sharp: float
) -> None:
    rng = np.random.default_rng(seed)
    is_open = rng.random(10) < 0.6
    is_open[rng.integers(10)] = True
    n = rng.integers(0, 30, 10)
    p, rule = pair_probabilities(is_open, n, rng.random(10), floor=10, epsilon=epsilon, sharpness=sharp)
    assert p.sum() == pytest.approx(1)
    assert (p[~is_open] == 0).all()
    if n[is_open].min() < 10:
        assert rule == "coverage"
        assert set(n[p > 0]) == {n[is_open].min()}
    else:
        assert rule == "active"
        assert (p[is_open] >= epsilon / is_open.sum() - 1e-12).all()
    assert is_open[draw(rng, p)]


def test_draws_follow_the_probabilities() -> None:
    rng = np.random.default_rng(0)
    counts = np.bincount([draw(rng, np.array([0.5, 0, 0.3, 0.2])) for _ in range(10_000)], minlength=4)
    assert counts / 10_000 == pytest.approx([0.5, 0, 0.3, 0.2], abs=0.02)
    with pytest.raises(ValueError, match="no pair"):
        pair_probabilities(np.zeros(3, dtype=bool), np.zeros(3, np.int64), None, floor=1, epsilon=0.1, sharpness=1)


def test_the_gain_of_a_vote_is_the_fall_of_the_trace() -> None:
    """g = I |Ce|^2 / (1 + I v) is exactly what adding I ee' to the information takes off the trace."""
    pairs = pairs_of(4)
    outcomes = np.array([[30, 5, 9], [40, 4, 20], [9, 1, 2], [50, 9, 30], [3, 0, 4], [10, 3, 9]])
    fit = fit_counts(4, pairs, outcomes)
    found = gains(fit.covariance, fit.theta, 0.1, pairs)
    centred = np.eye(4) - 1 / 4
    information = np.linalg.pinv(fit.covariance, hermitian=True, rcond=1e-9)
    for (i, j), gain in zip(pairs, found, strict=True):
        p = 1 / (1 + np.exp(fit.theta[j] - fit.theta[i]))
        e = np.zeros(4)
        e[i], e[j] = 1, -1
        more = np.linalg.pinv(information + p * (1 - p) * 0.9 * np.outer(e, e), hermitian=True, rcond=1e-9)
        assert gain == pytest.approx(np.trace(centred @ (fit.covariance - more)), rel=1e-6)
    assert (lmarena_gains(fit.theta, outcomes.sum(axis=1), pairs) > 0).all()


def test_sides_are_balanced_in_every_block_and_not_the_same_for_every_pair() -> None:
    sides = np.array([[lower_on_left(5, 1, b, n) for n in range(400)] for b in range(2, 12)])
    assert (np.abs(np.cumsum(2 * sides - 1, axis=1)) <= 2).all()
    assert (sides.reshape(10, 100, 4).sum(axis=2) == 2).all()
    assert len({tuple(row) for row in sides}) == 10


def test_the_least_used_item_comes_next() -> None:
    rng = np.random.default_rng(0)
    use = np.zeros(7, dtype=np.int64)
    allowed = np.array([True] * 6 + [False])
    for _ in range(60):
        use[choose_item(rng, allowed, use)] += 1
    assert use.tolist() == [10] * 6 + [0]
    weighted = np.zeros(2, dtype=np.int64)
    for _ in range(300):
        weighted[choose_item(rng, np.array([True, True]), weighted, np.array([2.0, 1.0]))] += 1
    assert weighted.tolist() == [200, 100]


def test_the_schedule_puts_gold_early_and_never_beside_a_repeat() -> None:
    for voter in range(60):
        kinds = [
            kind_of_next(3, voter, place, gold_every=(8, 12), repeat_every=24, overlap_share=0.1) for place in range(96)
        ]
        gold = [place for place, kind in enumerate(kinds) if kind == "gold"]
        assert gold[0] >= 2
        assert all(sum(8 * b <= place < 8 * b + 8 for place in gold) == 1 for b in range(3))
        assert all(sum(24 + 12 * b <= place < 36 + 12 * b for place in gold) == 1 for b in range(6))
        again = [place for place, kind in enumerate(kinds) if kind == "repeat"]
        assert 3 <= len(again) <= 4
        assert all(abs(a - g) > 1 for a in again for g in gold)
    assert gold_positions(3, 0, 50, (8, 12)) != gold_positions(3, 1, 50, (8, 12))


def test_the_panel_is_balanced_over_pairs_and_spread_over_items() -> None:
    cells = panel_cells(np.random.default_rng(0), np.ones((6, 20), dtype=bool), 60)
    assert len(set(cells)) == 60
    assert np.bincount([pair for pair, _ in cells]).tolist() == [10] * 6
    assert np.bincount([item for _, item in cells]).max() <= 4
    assert len(panel_cells(np.random.default_rng(0), np.ones((3, 4), dtype=bool), 60)) == 12


def test_coverage_comes_first_and_every_choice_is_stored(small_world: World) -> None:
    campaigns.configure(small_world.arena, "main", {"coverage_floor": 8, "max_item_exposure": 3, "item_gap": 1}, "t")
    people = [small_world.voter() for _ in range(4)]
    for turn in range(60):
        small_world.vote(people[turn % 4], "left")
    with small_world.arena.database.look() as connection:
        battles = connection.execute(
            text(
                "SELECT policy, p_pair, model_lo_id, model_hi_id, item_id, voter_id FROM battles WHERE kind = 'regular' ORDER BY id"
            )
        ).all()
    floor = [b for b in battles if b.policy == "coverage"]
    assert len(floor) >= 3 * 8
    counts = {}
    for b in floor[:24]:
        counts[b.model_lo_id, b.model_hi_id] = counts.get((b.model_lo_id, b.model_hi_id), 0) + 1
    assert set(counts.values()) == {8}
    active = [b for b in battles if b.policy == "variance"]
    assert active
    assert all(0.2 / 3 - 1e-9 <= b.p_pair <= 1 for b in active)
    assert len({(b.voter_id, b.item_id, b.model_lo_id, b.model_hi_id) for b in battles}) == len(battles)


def test_practice_comes_first_on_items_that_are_shown_openly(sqlite_url: str, new_world) -> None:  # type: ignore[no-untyped-def]
    world: World = new_world(sqlite_url, browse=4, config={"practice": 3})
    voter = world.voter()
    kinds = []
    for _ in range(6):
        shown = world.battle(voter)
        assert isinstance(shown, BattleView)
        kinds.append(shown.practice)
        world.vote(voter)
    assert kinds == [True] * 3 + [False] * 3
    with world.arena.database.look() as connection:
        wrong = connection.execute(
            text(
                "SELECT COUNT(*) FROM battles b JOIN items i ON i.id = b.item_id WHERE i.browse <> (b.kind = 'practice')"
            )
        ).scalar()
    assert wrong == 0
