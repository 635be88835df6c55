"""Speed of the arena: ratings of a million votes, the next battle in a large campaign, votes per second.

CPU seconds where one process works, since other programs on the machine do not count there.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sqlalchemy")

from arena_world import World, make_world
from sqlalchemy import text

from arena.clock import SystemClock
from arena.db.engine import Database
from arena.db.migrate import upgrade
from arena.load import load_test
from arena.ratings import bradley_terry
from arena.service import battles, snapshots
from arena.service.types import BattleView
from arena.simulate import Scenario, draw_judgements

pytestmark = pytest.mark.benchmark
VOTES = 100_000


def test_a_million_votes_of_twenty_models_are_rated_in_five_seconds() -> None:
    ratings = {f"m{i:02d}": 1200.0 - 20 * i for i in range(20)}
    data = draw_judgements(Scenario("b", ratings, items=732, voters=10_000, votes=1_000_000), np.random.default_rng(0))
    names = np.array(data.models)
    winner = np.array(["model_a", "tie", "model_b", "both_bad"])[data.outcome]
    table = {
        "model_a": names[data.first],
        "model_b": names[data.second],
        "winner": winner,
        "voter": data.voter,
        "item": data.item,
    }
    started = time.process_time()
    found = bradley_terry(table)
    seconds = time.process_time() - started
    print(f"\na million votes, 20 models, clustered intervals: {seconds:.2f} CPU s")
    assert found.table["lower"].notna().all()
    assert seconds < 5


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> World:
    """10 models x 600 items and 100,000 votes, written straight into the tables."""
    folder = tmp_path_factory.mktemp("large")
    url = f"sqlite:///{folder / 'arena.sqlite'}"
    upgrade(Database(url))
    world = make_world(
        url, folder / "media", clock=SystemClock(), models=10, items=600, config={"max_item_exposure": 9}
    )
    people = [world.voter() for _ in range(500)]
    world.arena.database.transact(lambda c: _fill(c, people))
    return world


def _fill(connection, people: list[int]) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    clips = {(m, i): c for c, m, i in connection.execute(text("SELECT id, model_id, item_id FROM clips"))}
    models = sorted({m for m, _ in clips})
    items = sorted({i for _, i in clips})
    now = int(time.time() * 1000) - 10 * 86_400_000
    battles_, votes_ = [], []
    for n in range(VOTES):
        voter, seq = people[n % len(people)], n // len(people) + 1
        low, high = sorted(rng.choice(len(models), 2, replace=False))
        item = items[(n * 7 + seq) % len(items)]
        left, right = (low, high) if n % 2 else (high, low)
        battles_.append(
            {
                "id": n + 1, "token": f"t{n:025d}", "voter": voter, "seq": seq, "item": item,
                "left": clips[models[left], item], "right": clips[models[right], item], "lo": models[low],
                "hi": models[high], "ml": f"l{n:025d}", "mr": f"r{n:025d}", "at": now + n,
            }
        )  # fmt: skip
        votes_.append({"b": n + 1, "c": ("left", "right", "tie")[int(rng.integers(3))], "at": now + n + 20_000})
    connection.execute(
        text(
            "INSERT OR IGNORE INTO battles (id, token, campaign_id, voter_id, seq_no, item_id, clip_left_id,"
            " clip_right_id, model_lo_id, model_hi_id, kind, repeat_no, policy, policy_version, p_pair, rng_seed,"
            " media_left, media_right, served_ms, expires_ms, status, closed_ms) VALUES (:id, :token, 1, :voter, :seq,"
            " :item, :left, :right, :lo, :hi, 'regular', 0, 'x', 1, 1, 1, :ml, :mr, :at, :at, 'voted', :at)"
        ),
        battles_,
    )
    connection.execute(
        text(
            "INSERT INTO votes (battle_id, choice, voted_ms, server_elapsed_ms, watched_left, watched_right, plays_left,"
            " plays_right, hidden_ms, stalled_ms, muted, min_volume, viewport_w, viewport_h, fullscreen, input, mode,"
            " code_version) SELECT :b, :c, :at, 20000, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 'api', 'quick', ''"
            " WHERE EXISTS (SELECT 1 FROM battles WHERE id = :b)"
        ),
        votes_,
    )


def test_the_next_battle_with_a_hundred_thousand_votes(large: World) -> None:
    fresh = [large.voter() for _ in range(40)]
    large.arena.pools.forget_all()
    large.arena.background = True
    times = []
    for voter in fresh:
        started = time.process_time()
        assert isinstance(battles.current_battle(large.arena, voter, "main"), BattleView)
        times.append(1000 * (time.process_time() - started))
        time.sleep(0.05)
    print(
        f"\nnext battle: first {times[0]:.0f} ms, then median {np.median(times[1:]):.1f} ms, worst {max(times[1:]):.0f} ms (CPU)"
    )
    assert np.median(times[1:]) < 50


def test_a_board_of_a_hundred_thousand_votes(large: World) -> None:
    started = time.process_time()
    board = snapshots.compute(large.arena, "main", extras=False)
    quick = time.process_time() - started
    print(f"\nboard of {board.n_votes} votes from the database: {quick:.1f} CPU s")
    assert quick < 5


@pytest.mark.parametrize("writers", [1, 50])
def test_votes_per_second_on_sqlite(tmp_path: Path, writers: int) -> None:
    report = load_test(f"sqlite:///{tmp_path / 'load.sqlite'}", writers=writers, seconds=8)
    print(f"\n{writers} writers: {report}")
    assert (report.lost, report.doubled, report.errors) == (0, 0, 0)
