"""The statistics of a comparison, checked by simulation and against values worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from trial_metrics import Variety

from metrics.types import Feature
from mova_eval.comparison.comparing import corrected, difference_of
from mova_eval.comparison.paired import Paired, PairedCorpus, PairedMean, PairedRatio
from mova_eval.comparison.records import Comparison, Coverage, ProtocolCard, ScoreComparison, Side
from mova_eval.comparison.resampling import Draws, detectable_difference, holm, mcnemar_p, permutation_p, widened_level
from mova_eval.gates import GateFile, decide
from mova_eval.statistics import Floats

SIMULATIONS = 400


def draws(seed: int = 0, resamples: int = 499) -> Draws:
    return Draws(seed, resamples, resamples)


def groups(
    rng: np.random.Generator, sizes: tuple[int, ...], shift: float, skewed: bool = False
) -> tuple[list[Floats], list[Floats]]:
    """Two runs whose items correlate; `skewed` changes have a long tail."""
    base, head = [], []
    for n in sizes:
        quality = rng.normal(size=n)
        noise = (rng.exponential(1.0, n) - 1.0) if skewed else rng.normal(size=n)
        base.append(quality + 0.6 * rng.normal(size=n))
        head.append(quality + 0.6 * noise + shift)
    return base, head


def covered(make: Callable[[np.random.Generator], tuple[Paired, float]]) -> float:
    """How often the interval holds the true difference."""
    hits = 0
    for seed in range(SIMULATIONS):
        paired, truth = make(np.random.default_rng(seed))
        low, high = difference_of(paired, draws(seed, 999))["interval"]  # type: ignore[misc]
        hits += low <= truth <= high
    return hits / SIMULATIONS


def test_intervals_of_a_mean_cover_the_truth() -> None:
    assert 0.93 <= covered(lambda rng: (PairedMean(*groups(rng, (100,), 0.3, skewed=True), "pooled"), 0.3)) <= 0.97


def test_intervals_of_a_mean_of_small_sets_cover_the_truth() -> None:
    assert 0.93 <= covered(lambda rng: (PairedMean(*groups(rng, (12, 25, 40), 0.3), "mean_of_sets"), 0.3)) <= 0.97


def test_intervals_of_an_error_rate_cover_the_truth() -> None:
    def make(rng: np.random.Generator) -> tuple[Paired, float]:
        words = rng.integers(5, 30, 80)
        sides = [np.stack([rng.binomial(words, rate), words], axis=1).astype(float) for rate in (0.2, 0.25)]
        return PairedRatio([sides[0]], [sides[1]]), 0.05

    assert 0.93 <= covered(make) <= 0.97


def features(rng: np.random.Generator, n: int, share: Floats) -> tuple[list[Feature], list[Feature]]:
    """Class probabilities of n clips in two runs that share their classes, but not their sureness."""
    classes = rng.choice(len(share), n, p=share)
    sides = []
    for _ in range(2):
        p = rng.dirichlet(np.full(len(share), 0.6), n) * 0.5
        p[np.arange(n), classes] += 0.5
        sides.append([Feature(str(i), "set", {"p": row}) for i, row in enumerate(p)])
    return sides[0], sides[1]


class FastVariety(Variety):
    """The same score, with all resamples at once."""

    def summarise_resampled(self, features: Any, index: Any) -> Any:
        p = np.stack([feature.arrays["p"] for feature in features])
        chosen = p[index]
        inner = np.sum(chosen * (np.log(chosen) - np.log(chosen.mean(axis=1, keepdims=True))), axis=2)
        return {"variety": np.exp(inner.mean(axis=1))}


def test_intervals_of_a_corpus_score_cover_the_truth() -> None:
    share = np.array([0.4, 0.3, 0.2, 0.1])

    def make(rng: np.random.Generator) -> tuple[Paired, float]:
        base, head = features(rng, 60, share)
        return PairedCorpus(FastVariety(), "variety", [base], [head], "pooled"), 0.0

    assert 0.93 <= covered(make) <= 0.97


def test_a_corpus_score_looped_and_vectorised_agree() -> None:
    base, head = features(np.random.default_rng(0), 20, np.full(4, 0.25))
    sides = ([base[:8], base[8:]], [head[:8], head[8:]])
    for kind in ("pooled", "mean_of_sets"):
        plain = PairedCorpus(Variety(), "variety", *sides, kind)  # type: ignore[arg-type]
        fast = PairedCorpus(FastVariety(), "variety", *sides, kind)  # type: ignore[arg-type]
        assert plain.values() == pytest.approx(fast.values())
        np.testing.assert_allclose(plain.resampled(draws()), fast.resampled(draws()))
        np.testing.assert_allclose(plain.permuted(draws()), fast.permuted(draws()))


def told(name: str, paired: Paired, coverage: Coverage, seed: int) -> ScoreComparison:
    plain = ScoreComparison(
        name=name, title=name, metric=name, direction="lower", unit="", range=(None, None), decimals=3,
        protocol="official", rule="mean", n=paired.n, coverage=coverage,
    )  # fmt: skip
    return plain.model_copy(update=difference_of(paired, draws(seed)))


def comparison_of(scores: list[ScoreComparison]) -> Comparison:
    card = ProtocolCard(
        benchmark="b",
        benchmark_sha256="0",
        prompt_variant="official",
        sets=["s"],
        n_items=1,
        protocol="official",
        generator={},
        metrics={},
    )
    side = Side(path="p", run="r", model="m", created="", commit=None, complete=True, n_items=1, card=card)
    return Comparison(
        base=side,
        head=side,
        benchmark="b",
        n_common=1,
        scores=corrected(scores),
        items=[],
        resamples=1,
        permutations=1,
        seed=0,
    )


def simulated(rng: np.random.Generator, seed: int, shift: float, n_scores: int = 8) -> Comparison:
    """A pair of runs of one model (or of a model that lost `shift` in its first score): items, faces and noise drawn anew."""
    scores = []
    for place in range(n_scores):
        quality = rng.normal(size=80)
        sides = [quality + rng.normal(size=80), quality + rng.normal(size=80) + (shift if place == 0 else 0.0)]
        seen = rng.random((2, 80)) < 0.9
        lost, gained = int((seen[0] & ~seen[1]).sum()), int((seen[1] & ~seen[0]).sum())
        both = seen.all(axis=0)
        coverage = Coverage(
            expected=80, base=int(seen[0].sum()), head=int(seen[1].sum()), common=int(both.sum()), only_base=lost,
            only_head=gained, p=mcnemar_p(lost, gained),
        )  # fmt: skip
        paired = PairedMean([sides[0][both]], [sides[1][both]], "pooled")
        scores.append(told(f"score{place}", paired, coverage, seed))
    return comparison_of(scores)


def test_the_gate_fires_in_at_most_five_percent_of_equal_pairs() -> None:
    """With no tolerance at all, so that nothing but the evidence holds it back."""
    gate = GateFile.model_validate({"default": {"tolerance": 0.0, "fail_if": "interval beyond tolerance"}})
    fired = sum(
        decide(simulated(np.random.default_rng(seed), seed, 0.0), gate).outcome == "fail" for seed in range(SIMULATIONS)
    )
    assert fired <= 0.05 * SIMULATIONS


def test_the_gate_fires_when_a_loss_is_large() -> None:
    gate = GateFile.model_validate({"default": {"tolerance": 0.1, "fail_if": "interval beyond tolerance"}})
    results = [decide(simulated(np.random.default_rng(seed), seed, 1.0), gate) for seed in range(20)]
    assert all(result.outcome == "fail" for result in results)
    assert all(result.having("fail")[0].name == "score0" for result in results)


def test_the_stated_detectable_difference_is_found_with_power_three_quarters() -> None:
    found, tried = 0, 0
    for pilot in range(8):
        base, head = groups(np.random.default_rng(10_000 + pilot), (30, 50), 0.0)
        stated = difference_of(PairedMean(base, head, "mean_of_sets"), draws(pilot))["detectable"]
        for seed in range(SIMULATIONS // 8):
            rng = np.random.default_rng([pilot, seed])
            again = PairedMean(*groups(rng, (30, 50), float(stated)), "mean_of_sets")  # type: ignore[arg-type]
            found += difference_of(again, draws(seed))["p"] <= 0.05  # type: ignore[operator]
            tried += 1
    assert tried == SIMULATIONS
    assert 0.75 <= found / tried <= 0.87


def test_permutation_p_is_uniform_under_the_null() -> None:
    p = [
        difference_of(PairedMean(*groups(np.random.default_rng(s), (40,), 0.0), "pooled"), draws(s))["p"]
        for s in range(200)
    ]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_permutation_p_equals_the_enumeration() -> None:
    change = np.array([0.5, 1.5, -0.25, 2.0, 1.0, 0.75, 1.25])
    signs = np.array(np.meshgrid(*[[1, -1]] * 7)).reshape(7, -1).T
    exact = np.mean(np.abs(signs @ change) >= change.sum() - 1e-12)
    p = difference_of(PairedMean([np.zeros(7)], [change], "pooled"), draws(0, 20_000))["p"]
    assert p == pytest.approx(exact, abs=0.004)
    assert p == pytest.approx(
        stats.permutation_test((change,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue, abs=0.004
    )


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, None, 0.03]) == pytest.approx([0.03, 0.06, None, 0.06], nan_ok=True)
    assert holm([]) == []
    assert holm([0.6, 0.9]) == [1.0, 1.0]


def test_mcnemar_is_the_binomial_test() -> None:
    for a, b in ((0, 5), (3, 9), (4, 4), (0, 0)):
        assert mcnemar_p(a, b) == pytest.approx(stats.binomtest(a, a + b, 0.5).pvalue if a + b else 1.0)


def test_the_detectable_difference_is_that_of_the_t_test() -> None:
    n, sd = 60, 1.7
    d = detectable_difference(sd / np.sqrt(n), n - 1)
    critical = stats.t.ppf(0.975, n - 1)
    power = 1 - stats.nct.cdf(critical, n - 1, d / sd * np.sqrt(n))
    assert power == pytest.approx(0.8, abs=0.01)


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(2, 400), st.integers(1, 3))
def test_intervals_are_only_ever_widened(n: int, sets: int) -> None:
    level = widened_level(n, sets)
    assert 0.95 <= level <= 1.0
    assert widened_level(10**6, 1) == pytest.approx(0.95, abs=1e-4)


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30))
def test_swapping_the_runs_turns_the_difference_round(values: list[float]) -> None:
    a, b = np.array(values), np.array(values[::-1]) + 1.0
    forth, back = (PairedMean([x], [y], "pooled") for x, y in ((a, b), (b, a)))
    np.testing.assert_allclose(forth.resampled(draws()), -back.resampled(draws()), atol=1e-12)
    p = [permutation_p(y - x, side.permuted(draws())) for side in (forth, back) for x, y in [side.values()]]
    assert p[0] == pytest.approx(p[1])


def test_draws_are_shared_by_scores_and_apart_for_sets() -> None:
    one = draws()
    np.testing.assert_array_equal(one.counts(20, 0), draws().counts(20, 0))
    assert (one.counts(20, 0) != one.counts(20, 1)).any()
    assert (one.counts(20, 0).sum(axis=1) == 20).all()
    index = np.concatenate(list(one.index(20, 0, 100)))
    np.testing.assert_array_equal(np.stack([np.bincount(row, minlength=20) for row in index]), one.counts(20, 0))
