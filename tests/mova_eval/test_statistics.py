"""Bootstrap intervals: exact where they can be, and right about 95 times in a hundred."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from mova_eval import statistics

Floats = NDArray[np.float64]
GROUPS = st.lists(arrays(np.float64, st.integers(2, 8), elements=st.floats(-100, 100)), min_size=1, max_size=3)


def rng(name: str = "x") -> np.random.Generator:
    return statistics.generator(0, name)


Draw = Callable[[np.random.Generator], list[Floats]]


def coverage(draw: Draw, interval: Callable[..., object], truth: float) -> float:
    hits = 0
    world = np.random.default_rng(7)
    for trial in range(400):
        found = interval(draw(world), rng(str(trial)), 500)
        assert isinstance(found, tuple)
        hits += found[0] <= truth <= found[1]
    return hits / 400


def test_coverage_of_a_mean() -> None:
    rate = coverage(lambda w: [w.normal(3.0, 2.0, 60)], statistics.pooled_mean_interval, 3.0)
    assert 0.91 <= rate <= 0.98


def test_coverage_of_a_pooled_mean_over_sets() -> None:
    # Strata with far apart means: resampling them together would give far too wide intervals.
    def draw(world: np.random.Generator) -> list[Floats]:
        return [world.normal(0.0, 1.0, 40), world.normal(50.0, 1.0, 20)]

    rate = coverage(draw, statistics.pooled_mean_interval, (40 * 0.0 + 20 * 50.0) / 60)
    assert 0.91 <= rate <= 0.98


def test_coverage_of_a_mean_of_means() -> None:
    def draw(world: np.random.Generator) -> list[Floats]:
        return [world.normal(1.0, 1.0, 20), world.normal(2.0, 3.0, 40), world.exponential(3.0, 60)]

    rate = coverage(draw, statistics.mean_of_means_interval, 2.0)
    assert 0.91 <= rate <= 0.98


def test_coverage_of_an_error_rate() -> None:
    def draw(world: np.random.Generator) -> list[Floats]:
        words = world.integers(5, 30, 60)
        return [np.stack([world.binomial(words, 0.2), words], axis=1).astype(np.float64)]

    rate = coverage(draw, statistics.ratio_interval, 0.2)
    assert 0.91 <= rate <= 0.98


@given(GROUPS)
def test_intervals_lie_within_the_values(groups: list[Floats]) -> None:
    found = statistics.pooled_mean_interval(groups, rng(), 50)
    assert found is not None
    values = np.concatenate(groups)
    assert values.min() - 1e-9 <= found[0] <= found[1] <= values.max() + 1e-9


@given(GROUPS, st.floats(-50, 50))
def test_intervals_move_with_the_values(groups: list[Floats], shift: float) -> None:
    for interval in (statistics.pooled_mean_interval, statistics.mean_of_means_interval):
        here = interval(groups, rng(), 50)
        there = interval([group + shift for group in groups], rng(), 50)
        assert here is not None
        assert there is not None
        assert there == pytest.approx((here[0] + shift, here[1] + shift), abs=1e-9)


def test_equal_values_have_no_spread() -> None:
    assert statistics.pooled_mean_interval([np.full(9, 2.0)], rng()) == (2.0, 2.0)
    assert statistics.ratio_interval([np.tile([1.0, 4.0], (9, 1))], rng()) == (0.25, 0.25)


def test_too_few_items_have_no_interval() -> None:
    one, two = np.array([1.0]), np.array([1.0, 2.0])
    assert statistics.pooled_mean_interval([one], rng()) is None
    assert statistics.pooled_mean_interval([], rng()) is None
    assert statistics.mean_of_means_interval([two, one], rng()) is None
    assert statistics.mean_of_means_interval([], rng()) is None
    assert statistics.ratio_interval([np.array([[1.0, 2.0]])], rng()) is None
    assert statistics.corpus_interval(lambda i: i.mean(axis=1), [1], rng()) is None
    assert statistics.mean_of_corpus_interval([], [], rng()) is None


def test_a_single_item_of_a_set_still_counts_in_a_pooled_interval() -> None:
    found = statistics.pooled_mean_interval([np.array([0.0]), np.array([1.0])], rng())
    assert found == (0.0, 1.0)


def test_the_same_seed_and_name_give_the_same_interval() -> None:
    values = [np.random.default_rng(1).normal(size=30)]
    first = statistics.pooled_mean_interval(values, statistics.generator(3, "lse_d", "set1"))
    assert first == statistics.pooled_mean_interval(values, statistics.generator(3, "lse_d", "set1"))
    for other in ((4, "lse_d", "set1"), (3, "lse_c", "set1"), (3, "lse_d", "set2")):
        assert first != statistics.pooled_mean_interval(values, statistics.generator(*other))


def test_large_groups_go_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [np.random.default_rng(1).normal(size=50)]
    monkeypatch.setattr(statistics, "_CHUNK", 120)
    found = statistics.pooled_mean_interval(values, rng(), 2000)
    spread = 1.96 * values[0].std() / np.sqrt(50)
    assert found is not None
    assert found == pytest.approx((values[0].mean() - spread, values[0].mean() + spread), abs=0.03)


def test_a_corpus_score_that_is_a_mean_has_the_interval_of_a_mean() -> None:
    values = np.random.default_rng(2).normal(size=60)
    corpus = statistics.corpus_interval(lambda index: values[index].mean(axis=1), [40, 20], rng(), 4000)
    pooled = statistics.pooled_mean_interval([values[:40], values[40:]], rng("y"), 4000)
    assert corpus == pytest.approx(pooled, abs=0.02)


@given(st.lists(st.integers(2, 6), min_size=1, max_size=4))
def test_resamples_keep_the_size_of_every_set(sizes: list[int]) -> None:
    index = statistics.stratified_index(rng(), sizes, 20)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    assert (owner[index] == owner).all()
