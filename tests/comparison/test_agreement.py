"""Automatic scores against votes: shares by hand and by simulation, rankings, and the arena's own export."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from compare_runs import voted
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metrics.errors import UserError
from mova_eval.agreement import Agreement, agree, write_agreement
from mova_eval.agreement.predicting import Judged, best_threshold, decisive_share, predicted, share, tied_share
from mova_eval.agreement.ranking import correlations
from mova_eval.comparison.resampling import Draws


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    return voted(tmp_path_factory.mktemp("votes"))


@pytest.fixture(scope="module")
def found(world: tuple[Path, list[Path]]) -> Agreement:
    return agree(*world)


def test_a_score_that_follows_quality_predicts_and_one_that_does_not_is_a_coin(found: Agreement) -> None:
    whole = {p.score: p for p in found.overall("sync")}
    assert set(whole) == {"lse_c", "lse_d", "dnsmos_p808"}
    for name in ("lse_c", "lse_d"):
        one = whole[name].decisive
        assert one is not None
        assert one.interval is not None
        assert one.interval[0] > 0.65
        assert whole[name].expected
    coin = whole["dnsmos_p808"].decisive
    assert coin is not None
    assert coin.interval is not None
    assert coin.interval[0] < 0.5 < coin.interval[1]
    assert not whole["dnsmos_p808"].expected


def test_categories_criteria_and_the_voters_own_agreement(found: Agreement) -> None:
    parts = {(p.score, p.category): p.n for p in found.predictions}
    assert parts["dnsmos_p808", "set1"] + parts["dnsmos_p808", "set3"] == parts["dnsmos_p808", None] == 80 * 6 * 2
    (criterion,) = found.criteria
    assert criterion.n_shared == 80 * 6
    assert criterion.voters_decisive is not None
    assert criterion.voters_with_ties is not None
    assert 0.5 < criterion.voters_with_ties < criterion.voters_decisive < 1.0


def test_models_rank_as_the_votes_say(found: Agreement) -> None:
    ranks = {r.score: r for r in found.rankings}
    assert ranks["lse_c"].spearman == pytest.approx(1.0)
    assert ranks["lse_d"].kendall == pytest.approx(1.0)
    assert ranks["lse_c"].p == pytest.approx(2 / 24)  # the smallest there is with four models
    ratings = ranks["lse_c"].ratings
    assert max(ratings, key=ratings.__getitem__) == "MOVA-720p"
    assert any("4 models" in note for note in found.notes)


def test_shares_by_hand() -> None:
    judged = Judged(np.array([1.0, -1.0, 0.0, 2.0, 0.5]), np.array([1, 1, -1, 0, -1]), np.array([0, 0, 1, 2, 3]))
    told = decisive_share(judged, Draws(0, 200, 1))
    assert told is not None
    assert told.value == pytest.approx((1 + 0 + 0.5 + 0) / 4)


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(st.integers(-4, 4), st.sampled_from([-1, 0, 1])), min_size=1, max_size=25))
def test_the_threshold_is_the_best_there_is(pairs: list[tuple[int, int]]) -> None:
    difference, outcome = np.array([float(p[0]) for p in pairs]), np.array([p[1] for p in pairs])

    def right(threshold: float) -> int:
        return int((predicted(difference, threshold) == outcome).sum())

    best = best_threshold(difference, outcome)
    assert right(best) == max(right(t) for t in (-1.0, *np.abs(difference)))


def test_a_threshold_helps_where_ties_are_small_differences() -> None:
    rng = np.random.default_rng(0)
    difference = rng.normal(size=400)
    outcome = np.where(np.abs(difference) < 0.5, 0, np.sign(difference)).astype(np.int64)
    told, threshold = tied_share(Judged(difference, outcome, np.arange(400) // 2), 0, Draws(0, 200, 1))
    assert told is not None
    assert told.value > 0.98
    assert threshold == pytest.approx(0.5, abs=0.05)


def test_intervals_over_items_cover_the_truth() -> None:
    hits = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        chance = rng.beta(6, 4, 60)  # items differ, and each has five votes
        right = (rng.random((60, 5)) < chance[:, None]).astype(float)
        told = share(right.ravel(), np.repeat(np.arange(60), 5), Draws(seed, 600, 1))
        assert told.interval is not None
        hits += told.interval[0] <= 0.6 <= told.interval[1]
    assert 0.93 <= hits / 400 <= 0.97


def test_rank_correlations_are_scipys() -> None:
    rng = np.random.default_rng(0)
    for n in (3, 6, 10):
        a, b = ({f"m{i}": float(v) for i, v in enumerate(rng.normal(size=n).round(1))} for _ in range(2))
        tau, rho, p = correlations(a, b)
        assert tau == pytest.approx(stats.kendalltau(list(a.values()), list(b.values())).statistic)
        assert rho == pytest.approx(stats.spearmanr(list(a.values()), list(b.values())).statistic)
        assert p is not None
    assert correlations({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.0}) == (None, None, None)
    assert correlations(dict.fromkeys("abc", 1.0), {"a": 1.0, "b": 2.0, "c": 3.0}) == (None, None, None)


def test_what_does_not_count_is_left_out_and_counted(world: tuple[Path, list[Path]], tmp_path: Path) -> None:
    rows = list(csv.DictReader(world[0].open()))
    rows[0]["kind"] = "gold"
    rows[1]["excluded"] = "too_fast"
    rows[2]["winner"] = "na"
    rows[3]["item"] = "unknown"
    rows[4]["model_b"] = "Sora"
    rows[5]["winner"] = "both_bad"
    path = tmp_path / "votes.jsonl"
    path.write_text("".join(json.dumps({**row, "item_key": row.pop("item")}) + "\n" for row in rows))
    found = agree(path, world[1], resamples=100)
    assert found.left_out == {
        "gold battles": 1, "excluded by the arena": 1, "question does not apply": 1, "on models without a run": 1,
        "on items that no run has": 1,
    }  # fmt: skip
    assert any("no run of Sora" in note for note in found.notes)


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        ("item,model_a,winner", "1,a,tie", "no column 'model_b'"),
        ("model_a,model_b,winner", "a,b,tie", "no column 'item'"),
        ("item,model_a,model_b,winner", "1,a,b,left", "row 1: winner is 'left'"),
        ("item,model_a,model_b,winner", "1,a,a,tie", "'a' is compared with itself"),
        ("item,model_a,model_b,winner", ",a,b,tie", "row 1 names no item"),
        ("item,model_a,model_b,winner", "", "holds no votes"),
        ("item,model_a,model_b,winner", "1,a,b,tie", "fewer than two models are in both"),
    ],
)
def test_votes_that_are_wrong_say_where(
    world: tuple[Path, list[Path]], tmp_path: Path, header: str, row: str, said: str
) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(f"{header}\n{row}\n")
    with pytest.raises(UserError) as error:
        agree(path, world[1])
    assert said in str(error.value)


def test_runs_that_do_not_fit_are_refused(world: tuple[Path, list[Path]], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="are both runs of 'LTX-2'"):
        agree(world[0], [*world[1], world[1][1]])
    votes, runs = voted(tmp_path, protocol="direct")
    with pytest.raises(UserError, match="protocol: official in base, direct in head"):
        agree(world[0], [*world[1][:3], runs[3]])
    with pytest.raises(UserError, match="is not there"):
        agree(tmp_path / "none.csv", runs)
    with pytest.raises(UserError, match="no vote names a model 'Sora'"):
        agree(votes, runs, names={"Sora": "run1"})


def test_names_may_be_told(world: tuple[Path, list[Path]], tmp_path: Path) -> None:
    text = world[0].read_text().replace("MOVA-720p", "system-a").replace("LTX-2", "system-b")
    (tmp_path / "votes.csv").write_text(text)
    found = agree(tmp_path / "votes.csv", world[1], names={"system-a": "MOVA-720p", "system-b": "run1"}, resamples=100)
    assert set(found.runs) == {"system-a", "system-b", "Ovi", "WAN2.1 + MMAudio"}


def test_the_arenas_export_reads_as_the_arena_reads_it(world: tuple[Path, list[Path]], tmp_path: Path) -> None:
    export = pytest.importorskip("arena.service.export", reason="the arena's extra is not installed")
    from mova_eval.agreement.votes import read_votes

    rows = list(csv.DictReader(world[0].open()))[:60]
    rows[0]["kind"], rows[1]["excluded"] = "repeat", "outlier"
    plain = dict.fromkeys(export.COLUMNS, "")
    made = [{**plain, **row, "vote": place} for place, row in enumerate(rows)]
    with open(tmp_path / "votes.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(export.COLUMNS))
        writer.writeheader()
        writer.writerows(made)
    theirs = export.counted(export.read_export(tmp_path / "votes.csv"), "sync")
    ours, left_out = read_votes(tmp_path / "votes.csv")
    assert [(v.item, v.model_a, v.model_b) for v in ours] == list(
        zip(theirs["item"].astype(str).str.zfill(8), theirs["model_a"], theirs["model_b"], strict=True)
    )
    assert left_out == {"repeat battles": 1, "excluded by the arena": 1}


def test_the_command_writes_page_markdown_and_json(world: tuple[Path, list[Path]], tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("mova-eval")
    done = subprocess.run(
        [program, "agree", world[0], *world[1], "--out", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "lse_c *" in done.stdout
    told = Agreement.model_validate_json((tmp_path / "agree.json").read_bytes())
    assert told == agree(*world)
    assert "| `lse_c` |" in (tmp_path / "agree.md").read_text(encoding="utf-8")
    assert "Automatic scores against votes" in (tmp_path / "agree.html").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="no format"):
        write_agreement(told, tmp_path, ["pdf"])
    assert set(told.to_pandas()["score"]) == {"lse_c", "lse_d", "dnsmos_p808"}
