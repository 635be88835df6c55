"""Automatic metrics against votes."""

from __future__ import annotations

import numpy as np
import pytest
from arena_world import World
from scipy.stats import spearmanr
from sqlalchemy import text

from arena.correlate import auc, battle_agreement, model_agreement
from arena.errors import ArenaError
from arena.service import campaigns, correlation, importer
from arena.service.types import NewScore
from arena.simulate import PAPER, Scenario, draw_judgements


def test_a_metric_that_knows_the_votes_agrees_and_noise_does_not() -> None:
    data = draw_judgements(Scenario("c", PAPER, votes=1500), np.random.default_rng(0))
    rng = np.random.default_rng(1)
    truth = data.score - 0.5
    perfect = battle_agreement(data, truth, replicates=200)
    assert (perfect.accuracy, perfect.auc, perfect.tie_accuracy) == (1.0, 1.0, 1.0)
    worst = battle_agreement(data, -truth, replicates=200)
    assert worst.accuracy == 0.0
    noise = battle_agreement(data, rng.normal(size=1500), replicates=400)
    assert noise.lower is not None
    assert noise.upper is not None
    assert noise.lower < 0.5 < noise.upper
    unknown = battle_agreement(data, np.full(1500, np.nan))
    assert (unknown.n, unknown.accuracy) == (0, None)


def test_auc_counts_pairs() -> None:
    value, won = np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, True, False, True])
    assert auc(value, won) == pytest.approx((1 + 0.5 + 1 + 1) / 4)
    assert auc(value, np.ones(4, dtype=bool)) is None


def test_few_models_allow_no_claim() -> None:
    four = model_agreement(np.array([1.0, 2, 3, 4]), np.array([900.0, 950, 1000, 1100]))
    assert four.spearman == pytest.approx(1)
    assert four.p == pytest.approx(2 / 24)
    assert "0.0833" in four.note
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=12), rng.normal(size=12)
    many = model_agreement(x, y)
    assert many.spearman == pytest.approx(spearmanr(x, y).statistic)
    assert many.p == pytest.approx(spearmanr(x, y).pvalue, abs=0.03)
    assert many.note == ""
    assert model_agreement(np.array([1.0, np.nan, 2.0]), np.ones(3)).spearman is None


def test_imported_scores_meet_the_votes(small_world: World) -> None:
    arena = small_world.arena
    campaigns.configure(arena, "main", {"max_item_exposure": 3, "item_gap": 1}, "t")
    voter = small_world.voter()
    for _ in range(12):
        shown = small_world.battle(voter)
        with arena.database.look() as connection:
            left, right = connection.execute(
                text("SELECT l.model_id, r.model_id FROM battles b JOIN clips l ON l.id = b.clip_left_id"
                     " JOIN clips r ON r.id = b.clip_right_id WHERE b.token = :t"), {"t": shown.token}
            ).one()  # fmt: skip
        small_world.vote(voter, "left" if left < right else "right")
    with pytest.raises(ArenaError, match="import-scores"):
        correlation.correlate(arena, "main")
    scores = [NewScore(f"m{m}", "bench", f"i{i}", "lse_d", float(m), False, "lip") for m in range(3) for i in range(12)]
    importer.import_scores(arena, scores)
    (row,) = correlation.correlate(arena, "main")
    assert row.battles.accuracy == 1.0  # lower is better, and lower model numbers were preferred
    assert row.models.spearman == pytest.approx(1)
    assert not row.expected
