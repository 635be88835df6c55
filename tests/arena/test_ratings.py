"""Ratings against the published numbers, independent computations, and what must not change them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.errors import ArenaError, ConvergenceError
from arena.ratings import bradley_terry
from arena.ratings.bootstrap import iid, pigeonhole
from arena.ratings.bt import fit_counts
from arena.ratings.clustered import covariances, effective_number
from arena.ratings.data import Judgements, from_sides, outcome_counts, pairs_of
from arena.ratings.elo import elo_online, elo_pass
from arena.ratings.fitting import Anchor, rate
from arena.ratings.multiple import benjamini_hochberg, fisher, holm
from arena.ratings.power import separable_difference, votes_needed
from arena.ratings.scale import ELO, difference_of, expected
from arena.ratings.ties import fit_ties
from arena.simulate import PAPER, Scenario, draw_judgements

PUBLISHED = np.array(list(PAPER.values()))  # MOVA, LTX-2, OVI, WAN + MMAudio
STAR = np.array([[0, 3], [0, 2], [0, 1]])
ROWS = np.array([[71.9, 11.6, 16.4], [70.3, 13.9, 15.8], [51.5, 11.4, 37.1]])


def judgements(seed: int = 0, n: int = 2000, m: int = 5, **changes: float) -> Judgements:
    ratings = {f"m{i}": 1000 + 80.0 * (m / 2 - i) for i in range(m)}
    values = {"items": 60, "voters": 40, "votes": n, "item_sd": 0.4, "voter_sd": 0.2, **changes}
    return draw_judgements(Scenario("t", ratings, **values), np.random.default_rng(seed))  # type: ignore[arg-type]


def table(data: Judgements) -> dict[str, list[str]]:
    left = np.where(data.first_left, data.first, data.second)
    right = np.where(data.first_left, data.second, data.first)
    side = np.where((data.outcome % 2 == 0) & ~data.first_left, 2 - data.outcome, data.outcome)
    winners = ("model_a", "tie", "model_b", "both_bad")
    return {
        "model_a": [data.models[i] for i in left],
        "model_b": [data.models[i] for i in right],
        "winner": [winners[i] for i in side],
        "voter": [f"v{i}" for i in data.voter],
        "item": [f"i{i}" for i in data.item],
    }


def test_the_published_rows_give_the_published_order_and_nearly_the_ratings() -> None:
    rating = 1000 + ELO * fit_counts(4, STAR, ROWS, math.inf).theta  # type: ignore[arg-type]
    assert rating == pytest.approx([1120.1, 1069.7, 907.7, 902.5], abs=0.1)
    score = (ROWS[:, 0] + ROWS[:, 1] / 2) / ROWS.sum(axis=1)
    assert [difference_of(s) for s in score[::-1]] == pytest.approx([50.4, 212.4, 217.6], abs=0.1)
    assert np.abs(rating - PUBLISHED).max() < 18
    assert (np.argsort(-rating) == np.arange(4)).all()
    published = expected(PUBLISHED[0] - PUBLISHED[[3, 2, 1]])
    assert published == pytest.approx([0.787, 0.747, 0.557], abs=0.001)
    assert np.abs(published - score).max() < 0.026


def test_tie_models_on_the_published_rows_are_scales_of_their_own() -> None:
    shares = ROWS / ROWS.sum(axis=1, keepdims=True)
    davidson = fit_ties(4, STAR, shares, "davidson", math.inf)
    assert davidson.rating == pytest.approx([1141.1, 1082.3, 891.5, 885.2], abs=0.1)
    rao_kupper = fit_ties(4, STAR, shares, "rao_kupper", math.inf)
    assert rao_kupper.rating == pytest.approx([1121.0, 1067.6, 910.7, 900.8], abs=0.1)


def test_unpublished_rows_filled_in_from_the_ratings() -> None:
    extra, rows = [], []
    for first, second in ((1, 2), (1, 3), (2, 3)):
        p = float(expected(PUBLISHED[first] - PUBLISHED[second]))
        extra.append([first, second])
        rows.append([100 * (p - 0.06), 12, 100 * (1 - p - 0.06)])
    fit = fit_counts(4, np.vstack([STAR, extra]), np.vstack([ROWS, rows]), math.inf)
    rating = 1000 + ELO * fit.theta
    assert rating == pytest.approx([1120.4, 1071.2, 920.1, 888.3], abs=0.1)
    assert np.abs(rating - PUBLISHED).max() < 7


def test_the_published_interval_is_that_of_online_elo_not_of_bradley_terry() -> None:
    for votes in (1000, 5000):
        data = draw_judgements(Scenario("p", PAPER, votes=votes, item_sd=0, voter_sd=0), np.random.default_rng(1))
        online = elo_online(data, rounds=1000)
        assert ((online.upper - online.lower) / 2 > 24).all()
        assert ((online.upper - online.lower) / 2 < 33).all()
    fitted = rate(data)
    assert ((fitted.upper_iid - fitted.lower_iid) / 2 > 9).all()
    assert ((fitted.upper_iid - fitted.lower_iid) / 2 < 12).all()


def test_equal_to_evalica_and_choix() -> None:
    choix, evalica = pytest.importorskip("choix"), pytest.importorskip("evalica")
    data = judgements(n=3000)
    votes = table(data)
    ours = bradley_terry(votes, prior_sd=math.inf).table.set_index("model")["rating"].sort_index()
    winner = {"model_a": evalica.Winner.X, "model_b": evalica.Winner.Y}
    results = [winner.get(w, evalica.Winner.Draw) for w in votes["winner"]]
    theirs = evalica.bradley_terry(votes["model_a"], votes["model_b"], results, tolerance=1e-12, limit=10_000)
    scores = np.log(theirs.scores.sort_index()) * ELO
    assert np.abs(ours - (scores - scores.mean() + 1000)).max() < 1e-6
    counts = outcome_counts(data)
    won = np.zeros((5, 5))
    for (i, j), (a, t, b, x) in zip(pairs_of(5), counts, strict=True):
        won[i, j], won[j, i] = a + (t + x) / 2, b + (t + x) / 2
    dense = choix.ilsr_pairwise_dense(won, tol=1e-14, max_iter=1000)
    assert np.abs(ELO * (dense - dense.mean()) + 1000 - ours.to_numpy()).max() < 1e-6
    online = evalica.elo(votes["model_a"], votes["model_b"], results, initial=1000, k=4).scores.sort_index()
    assert np.abs(elo_pass(data) - online.to_numpy()).max() < 1e-9


def test_wikipedia_example() -> None:
    """Four teams, games won: the table of the Bradley-Terry article, converged strengths 0.640, 1.043, 0.660, 2.270."""
    won = {
        ("A", "B"): 2,
        ("A", "D"): 1,
        ("B", "A"): 3,
        ("B", "C"): 5,
        ("C", "B"): 3,
        ("C", "D"): 1,
        ("D", "A"): 4,
        ("D", "C"): 3,
    }
    rows = [{"model_a": a, "model_b": b, "winner": "model_a"} for (a, b), n in won.items() for _ in range(n)]
    found = bradley_terry(rows, prior_sd=math.inf).table.set_index("model")["rating"].sort_index()
    strength = np.exp((found - found.mean()) / ELO)
    assert (strength / np.exp(np.log(strength).mean())).to_numpy() == pytest.approx(
        [0.640, 1.043, 0.660, 2.270], abs=1e-3
    )


def test_sandwich_equals_the_formula_written_out_vote_by_vote() -> None:
    data = judgements(n=400)
    fit = fit_counts(
        5,
        pairs_of(5),
        np.stack([outcome_counts(data)[:, 0], outcome_counts(data)[:, [1, 3]].sum(1), outcome_counts(data)[:, 2]], 1),
    )
    found = covariances(data, fit)
    design = np.zeros((400, 5))
    design[np.arange(400), data.first], design[np.arange(400), data.second] = 1, -1
    p = 1 / (1 + np.exp(-design @ fit.theta))
    g = design * (data.score - p)[:, None]
    hessian = design.T @ (design * (p * (1 - p))[:, None]) + np.eye(5) / 4
    bread = np.linalg.pinv(hessian - np.ones((5, 5)) * hessian.sum() / 25 * 0)
    centre = np.eye(5) - 1 / 5
    bread = centre @ bread @ centre
    sums = {
        name: np.stack([g[c == k].sum(0) for k in np.unique(c)]) for name, c in (("v", data.voter), ("i", data.item))
    }
    meat_v, meat_i = (s.T @ s * len(s) / (len(s) - 1) for s in sums.values())
    assert found.iid == pytest.approx(bread @ (g.T @ g) @ bread, abs=1e-10)
    assert found.both == pytest.approx(bread @ (meat_v + meat_i - g.T @ g) @ bread, abs=1e-10)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_swapping_sides_renaming_models_and_the_order_of_rows_change_nothing(seed: int) -> None:
    data = judgements(seed, n=300)
    rows = table(data)
    base = bradley_terry(rows).table.set_index("model")
    flipped = {"model_a": "model_b", "model_b": "model_a"}
    swapped = {
        **rows,
        "model_a": rows["model_b"],
        "model_b": rows["model_a"],
        "winner": [flipped.get(w, w) for w in rows["winner"]],
    }
    order = np.random.default_rng(seed).permutation(300)
    shuffled = {name: [column[i] for i in order] for name, column in rows.items()}
    for other in (swapped, shuffled):
        same = bradley_terry(other).table.set_index("model").loc[base.index]
        assert np.abs(same[["rating", "lower", "upper"]] - base[["rating", "lower", "upper"]]).to_numpy().max() < 1e-7
    names = dict(zip(data.models, ("z", "b", "y", "a", "c"), strict=True))
    renamed = {**rows, **{k: [names[v] for v in rows[k]] for k in ("model_a", "model_b")}}
    again = bradley_terry(renamed).table.set_index("model")["rating"]
    assert max(abs(again[names[m]] - base.loc[m, "rating"]) for m in data.models) < 1e-7


def test_doubling_the_votes_halves_the_variance_of_independent_votes() -> None:
    data = judgements(n=2000)
    twice = data.take(np.r_[np.arange(2000), np.arange(2000)])
    ratio = (rate(twice, prior_sd=math.inf).upper_iid - rate(twice, prior_sd=math.inf).rating) / (
        rate(data, prior_sd=math.inf).upper_iid - rate(data, prior_sd=math.inf).rating
    )
    assert ratio == pytest.approx(np.full(5, math.sqrt(0.5)), rel=1e-6)
    by_voter = [covariances(d, rate(d, prior_sd=math.inf).fit).voter for d in (data, twice)]
    assert by_voter[1] == pytest.approx(by_voter[0], rel=1e-6)  # the same people said the same: nothing new was learnt


def test_sandwich_and_both_bootstraps_agree_where_they_should() -> None:
    data = judgements(n=3000, item_sd=0.0, voter_sd=0.0)
    fitted = rate(data)
    half = (fitted.upper_iid - fitted.lower_iid) / 2
    boot = iid(data, replicates=1000)
    assert (boot.upper - boot.lower) / 2 == pytest.approx(half, rel=0.12)
    hung = judgements(1, n=4000, item_sd=0.8, voter_sd=0.3, voters=150, items=150, activity=60)
    wide = rate(hung)
    hole = pigeonhole(hung, replicates=400)
    # with about one vote per voter and item the pigeonhole counts the votes' own noise three times: wide on purpose
    assert 1.0 < (hole.upper - hole.lower).mean() / (wide.upper - wide.lower).mean() < 1.6
    assert (wide.upper - wide.lower).mean() > 1.3 * (wide.upper_iid - wide.lower_iid).mean()


def test_a_single_vote_and_a_model_with_one_vote() -> None:
    one = bradley_terry({"model_a": ["x"], "model_b": ["y"], "winner": ["model_a"]})
    assert one.table["model"].tolist() == ["x", "y"]
    assert math.isinf(one.table["upper"][0])
    assert any("no upper bound" in note for note in one.notes)
    rows = table(judgements(n=500, m=3))
    for name, value in (("model_a", "new"), ("model_b", "m0"), ("winner", "tie"), ("voter", "v"), ("item", "i")):
        rows[name] = [*rows[name], value]
    found = bradley_terry(rows).table.set_index("model")
    assert found.loc["new", "votes"] == 1
    assert found.loc["new", "upper"] - found.loc["new", "lower"] > 100
    assert np.isfinite(found["rating"]).all()


def test_models_never_compared_are_said_to_be_not_identifiable() -> None:
    rows = [{"model_a": "a", "model_b": "b", "winner": w} for w in ("model_a", "model_b", "tie")] * 3
    rows += [{"model_a": "x", "model_b": "y", "winner": w} for w in ("model_a", "model_b")]
    found = bradley_terry(rows)
    ratings = found.table.set_index("model")["rating"]
    assert np.isfinite(ratings[["a", "b"]]).all()
    assert ratings[["x", "y"]].isna().all()
    assert any("never compared" in note and "x, y" in note for note in found.notes)
    with pytest.raises(ConvergenceError):
        bradley_terry(rows, prior_sd=math.inf)


def test_all_ties_and_always_winning() -> None:
    level = bradley_terry([{"model_a": "a", "model_b": "b", "winner": "tie"}] * 5)
    assert level.table["rating"].tolist() == pytest.approx([1000, 1000])
    rows = [{"model_a": "a", "model_b": b, "winner": "model_a"} for b in "bc"] * 10
    rows += [{"model_a": "b", "model_b": "c", "winner": w} for w in ("model_a", "model_b")] * 10
    found = bradley_terry(rows)
    assert found.table["model"][0] == "a"
    assert math.isinf(found.table["upper"][0])
    assert np.isfinite(found.table["rating"]).all()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"model_a": "a", "model_b": "b"}], "no column 'winner'"),
        ([{"model_a": "a", "model_b": "b", "winner": "left"}], "winner is 'left'"),
        ([{"model_a": "a", "model_b": "a", "winner": "tie"}], "compared with itself"),
        ([{"model_a": None, "model_b": "a", "winner": "tie"}], "names no model"),
        ({"model_a": [], "model_b": [], "winner": []}, "no votes"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_in_words(rows: object, said: str) -> None:
    with pytest.raises(ArenaError, match=said):
        bradley_terry(rows)


def test_an_anchor_fixes_the_scale_and_the_interval_belongs_to_it() -> None:
    data = judgements()
    fitted = rate(data, anchor=Anchor.parse("m0:1113.8"))
    assert fitted.rating[0] == pytest.approx(1113.8)
    assert fitted.se[0] == pytest.approx(0, abs=1e-9)
    free = rate(data)
    assert np.diff(fitted.rating) == pytest.approx(np.diff(free.rating))
    assert free.rating.mean() == pytest.approx(1000)
    for wrong in ("x", "m0:", "nobody:1000"):
        with pytest.raises(ArenaError):
            rate(data, anchor=Anchor.parse(wrong))


def test_effective_voters_count_activity() -> None:
    assert effective_number(np.array([0, 0, 1, 1])) == pytest.approx(2)
    assert effective_number(np.repeat([0, 1, 2], [98, 1, 1])) == pytest.approx(1.041, abs=0.001)


def test_power_calculator() -> None:
    assert [votes_needed(d) for d in (20, 30, 40, 50, 75, 100, 150)] == [2082, 924, 518, 331, 146, 81, 34]
    assert separable_difference(2082) == pytest.approx(20, abs=0.1)
    with pytest.raises(ArenaError):
        votes_needed(0)


def test_many_tests_at_once() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, np.nan])) == pytest.approx([0.03, 0.06, 0.06, np.nan], nan_ok=True)
    assert benjamini_hochberg(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.04, 0.04])
    assert fisher([0.5]) == pytest.approx(0.5)
    assert fisher([]) == 1.0


def test_sides_are_resolved() -> None:
    data = from_sides(["a", "b"], np.array([1, 0, 1]), np.array([0, 1, 0]), np.array([0, 0, 3]))
    assert data.outcome.tolist() == [2, 0, 3]
    assert data.first_left.tolist() == [False, True, False]
    assert replace(data).score.tolist() == [0.0, 1.0, 0.5]
