"""Ranks, tests of pairs, agreement, contextual fit, convergence, and coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from arena.ratings.agreement import alpha_with_interval, krippendorff, noise_ceiling, repeats, value_counts
from arena.ratings.board import Thresholds, board
from arena.ratings.comparing import head_to_head, lack_of_fit, left_bias
from arena.ratings.contextual import contextual
from arena.ratings.convergence import convergence
from arena.ratings.data import Judgements, fingerprint
from arena.ratings.fitting import rate
from arena.ratings.ranks import differences, ranks, robustness
from arena.simulate import PAPER, Scenario, coverage, draw_judgements

SPREAD = {"a": 1150.0, "b": 1050.0, "c": 950.0, "d": 850.0}


def drawn(seed: int = 0, **changes: object) -> Judgements:
    values = {"items": 60, "voters": 50, "votes": 3000, "item_sd": 0.3, "voter_sd": 0.1, **changes}
    return draw_judgements(Scenario("t", SPREAD, **values), np.random.default_rng(seed))  # type: ignore[arg-type]


def test_ranks_follow_the_tests_and_leave_out_who_is_not_ranked() -> None:
    data = drawn()
    fitted = rate(data)
    everyone = np.ones(4, dtype=bool)
    found = ranks(fitted, everyone)
    assert found.best.tolist() == [1, 2, 3, 4] == found.worst.tolist() == found.upper_bound.tolist()
    some = np.array([True, False, True, True])
    fewer = ranks(fitted, some)
    assert fewer.best.tolist() == [1, 0, 2, 3]
    level = rate(draw_judgements(Scenario("l", dict.fromkeys("abcd", 1000.0), votes=400), np.random.default_rng(1)))
    same = ranks(level, everyone)
    assert same.best.tolist() == [1] * 4
    assert same.worst.tolist() == [4] * 4
    assert np.isnan(differences(fitted, some).p_holm[0])


def test_robustness_names_votes_whose_removal_changes_the_first_place() -> None:
    close = {"a": 1010.0, "b": 1000.0, "c": 900.0}
    data = draw_judgements(Scenario("c", close, votes=2000, item_sd=0.2, voter_sd=0.1), np.random.default_rng(3))
    fitted = rate(data)
    found = robustness(data, fitted, np.ones(3, dtype=bool))
    assert found is not None
    keep = np.ones(len(data), dtype=bool)
    keep[found.votes] = False
    assert np.argmax(rate(data.take(keep)).rating) != found.leader
    assert len(found.votes) < 0.1 * len(data)
    keep[found.votes[-1]] = True
    assert np.argmax(rate(data.take(keep)).rating) == found.leader


def test_head_to_head_is_uniform_without_a_difference_and_small_with_one() -> None:
    data = drawn()
    assert head_to_head(data, 0, 3, flips=2000) == pytest.approx(1 / 2001)
    level = Scenario("l", {"a": 1000.0, "b": 1000.0}, votes=200, voters=30, items=40)
    p = [head_to_head(draw_judgements(level, np.random.default_rng(s)), 0, 1, flips=200) for s in range(60)]
    assert np.mean(np.array(p) < 0.1) < 0.2
    assert head_to_head(data.take(data.second == 1), 2, 3) is None


def test_lack_of_fit_sees_intransitivity() -> None:
    from scipy.stats import kstest

    p = [lack_of_fit(d, rate(d).fit).p for d in (drawn(s, item_sd=0.0, voter_sd=0.0) for s in range(100, 200))]
    assert kstest(np.array(p, dtype=float), "uniform").pvalue > 0.01
    ring = drawn(0)
    stone = (ring.first == 0) & (ring.second == 3)  # the best loses to the worst
    outcome = np.where(stone, 2, ring.outcome)
    from dataclasses import replace

    odd = replace(ring, outcome=outcome)
    assert (lack_of_fit(odd, rate(odd).fit).p or 1) < 1e-6


def test_left_bias_is_measured() -> None:
    fair = left_bias(drawn())
    assert fair is not None
    assert fair.p > 0.001
    biased = left_bias(drawn(left_bias=0.4))
    assert biased is not None
    assert biased.lower > 0.52


def test_alpha_equals_krippendorffs_example_and_evalica() -> None:
    """Four observers, twelve units, categories 1..5: nominal alpha 0.743, ordinal 0.815 (Krippendorff 2011)."""
    nan = -1
    rows = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
            [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan],
        ]
    )
    _, unit = np.indices(rows.shape)
    there = rows >= 0
    counts = value_counts(unit[there], rows[there] - 1, values=5)
    assert krippendorff(counts, "nominal") == pytest.approx(0.743, abs=5e-4)
    assert krippendorff(counts, "ordinal") == pytest.approx(0.815, abs=5e-4)
    evalica = pytest.importorskip("evalica")
    import pandas as pd

    frame = pd.DataFrame(np.where(there, rows, np.nan))
    assert krippendorff(counts, "nominal") == pytest.approx(evalica.alpha(frame, distance="nominal").alpha, abs=1e-9)
    assert krippendorff(counts, "ordinal") == pytest.approx(evalica.alpha(frame, distance="ordinal").alpha, abs=1e-9)


def test_agreement_of_people_who_agree_or_guess() -> None:
    rng = np.random.default_rng(0)
    cell = np.repeat(np.arange(60), 5)
    truth = np.repeat(rng.integers(0, 3, 60), 5)
    same = alpha_with_interval(cell, truth, replicates=200)
    assert same.alpha == pytest.approx(1)
    guessed = alpha_with_interval(cell, rng.integers(0, 3, 300), replicates=300)
    assert guessed.lower is not None
    assert guessed.upper is not None
    assert guessed.lower < 0 < guessed.upper
    assert noise_ceiling(cell, truth, cell) == pytest.approx(1)
    assert alpha_with_interval(np.arange(5), np.zeros(5, np.int64)).alpha is None
    again = repeats(np.array([0, 2, 1, 0]), np.array([0, 0, 1, 1]))
    assert again is not None
    assert (again.identical, again.reversals) == (0.5, 0.25)


def test_contextual_fit_takes_the_loudness_away() -> None:
    data = draw_judgements(
        Scenario("c", {"a": 1000.0, "b": 1000.0, "c": 1000.0}, votes=4000, item_sd=0, voter_sd=0),
        np.random.default_rng(0),
    )
    rng = np.random.default_rng(1)
    louder = np.where(data.first == 0, 3.0, 0.0) + rng.normal(0, 3, len(data))
    wins = rng.random(len(data)) < 1 / (1 + np.exp(-0.3 * louder))
    from dataclasses import replace

    data = replace(data, outcome=np.where(wins, 0, 2))
    plain, fit = rate(data), contextual(data, ["loudness"], louder[:, None])
    assert plain.rating[0] - plain.rating[2] > 60
    assert abs(fit.adjusted[0] - fit.adjusted[2]) < 35
    assert fit.coefficient["loudness"] > 10 * fit.se["loudness"]


def test_convergence_ends_at_the_rating() -> None:
    data = drawn(votes=1000)
    settled = convergence(data, points=6, orders=8)
    assert settled.rating[-1] == pytest.approx(rate(data).rating, abs=1e-6)
    assert settled.low[-1] == pytest.approx(settled.high[-1], abs=1e-6)
    assert (settled.half_width[0] > settled.half_width[-1]).all()


def test_a_board_states_what_it_knows() -> None:
    data = drawn(votes=500)
    numbers = board(data, thresholds=Thresholds(100, 200), retired=np.array([False, False, False, True]))
    assert numbers.states[3] == "retired"
    assert set(numbers.states[:3]) == {"ranked"}
    assert (numbers.n == numbers.wins + numbers.ties + numbers.losses + numbers.both_bad).all()
    assert numbers.rating[:3].mean() == pytest.approx(1000)
    assert board(data, thresholds=Thresholds(10_000, 10_000), extras=False).states == ["unlisted"] * 4
    for method in ("davidson", "rao_kupper", "elo_online", "bt_drop"):
        other = board(data, method=method, extras=False)  # type: ignore[arg-type]
        assert np.argsort(-other.rating).tolist() == [0, 1, 2, 3]


def test_a_fingerprint_does_not_depend_on_the_numbering_of_models() -> None:
    data = drawn(votes=200)
    from arena.ratings.table import read_votes

    names = np.array(data.models)
    rows = {
        "model_a": names[data.second],
        "model_b": names[data.first],
        "winner": np.array(["model_b", "tie", "model_a", "both_bad"])[data.outcome],
    }
    number = np.arange(200)
    assert fingerprint(read_votes(rows), number, "overall") == fingerprint(data, number, "overall")
    assert fingerprint(data, number, "sync") != fingerprint(data, number, "overall")


@pytest.mark.parametrize(("items", "voters"), [(132, 100), (732, 200), (40, 50)], ids=["132x100", "732x200", "40x50"])
def test_clustered_intervals_cover_the_truth_and_plain_ones_do_not(items: int, voters: int) -> None:
    found = coverage(Scenario("c", PAPER, items=items, voters=voters), 100, seed=1)
    assert 0.90 <= found.clustered <= 0.995
    assert found.iid < 0.85
    assert found.half_clustered > found.half_iid


def test_without_effects_both_intervals_cover() -> None:
    found = coverage(Scenario("c", PAPER, item_sd=0, voter_sd=0, votes=2000), 100, seed=2)
    assert 0.92 <= found.clustered <= 0.998
    assert 0.90 <= found.iid <= 0.98
    assert found.order_right >= 0.9
