"""Simulated voters against the real services: reproducible, truthful, and attackers found."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from arena.clock import FakeClock
from arena.config import ArenaConfig
from arena.context import Arena
from arena.db.engine import Database
from arena.db.migrate import upgrade
from arena.errors import ArenaError
from arena.service import snapshots, sweep
from arena.service.checks import check_rows
from arena.simulate import PRESETS, Scenario, Simulator, preset, run
from arena.tokens import seeded_source


def played(folder: Path, scenario: Scenario, seed: int = 0, url: str | None = None) -> tuple[Arena, Simulator]:
    folder.mkdir(exist_ok=True)
    address = url or f"sqlite:///{folder / 'sim.sqlite'}"
    clock = FakeClock()
    database = Database(address, clock=clock, fast=url is None)
    upgrade(database)
    config = ArenaConfig(database=address, media_root=folder / "media", secret="s" * 40)
    arena = Arena(config, database, clock, seeded_source(seed), simulated=True)
    return arena, run(arena, scenario, seed)


def content(arena: Arena) -> str:
    """Hash of every row of every table."""
    path = arena.database.path
    assert path is not None
    with sqlite3.connect(path) as connection:
        return hashlib.sha256("\n".join(connection.iterdump()).replace(str(path.parent), "").encode()).hexdigest()


def test_one_seed_gives_one_database(tmp_path: Path) -> None:
    scenario = preset("paper4", votes=60, items=20, voters=8)
    first, other = (played(tmp_path / name, scenario, seed)[0] for name, seed in (("a", 3), ("c", 4)))
    again = played(tmp_path / "b", scenario, 3)[0]
    assert content(first) == content(again) != content(other)


def test_events_happen_and_break_nothing(database_url: str, tmp_path: Path) -> None:
    scenario = preset("paper4", votes=120, items=30, voters=12)
    from dataclasses import replace

    arena, simulator = played(tmp_path, replace(scenario, events=0.15), url=database_url)
    happened = simulator.played
    assert happened.votes == 120
    assert min(happened.skipped, happened.expired, happened.repeated) > 3
    assert happened.refused == {}
    assert happened.served == 120 + happened.skipped + happened.expired
    assert check_rows(arena) == []
    assert snapshots.compute(arena, "paper4", extras=False).simulated


def test_the_truth_comes_out_and_attackers_are_seen(tmp_path: Path) -> None:
    from dataclasses import replace

    scenario = replace(preset("attack_fan", votes=1200, voters=40, items=60), item_sd=0.3, voter_sd=0.1, activity=6.0)
    arena, simulator = played(tmp_path, scenario, 1)
    fans = {p.voter_id for p in simulator.played.people if p.type == "fan" and p.given >= 24}
    honest = {p.voter_id for p in simulator.played.people if p.type == "honest" and p.voter_id}
    flags = {flag.voter_id for flag in sweep.sweep(arena, scenario.name)}
    assert fans
    assert len(fans & flags) >= 0.7 * len(fans)
    assert len(honest & flags) <= 1 + 0.05 * len(honest)
    board = snapshots.compute(arena, scenario.name, extras=False)
    truth = dict(zip(scenario.models, scenario.truth(), strict=True))
    rows = {row.model: row for row in board.rows}
    assert [r.model for r in board.rows[:2]] == ["MOVA-720p", "LTX-2"]
    close = [abs((rows[m].rating or 0) - truth[m]) < 60 for m in truth]
    assert all(close)


def test_a_late_model_joins_and_is_drawn_more_often(tmp_path: Path) -> None:
    arena, _ = played(tmp_path, preset("late_joiner", votes=500, voters=15, items=60), 2)
    board = snapshots.compute(arena, "late_joiner", extras=False)
    newcomer = next(row for row in board.rows if row.model == "newcomer")
    assert newcomer.n > 0.5 * 100  # of the last hundred votes; an even draw would give 40


def test_effects_flatten_the_truth_and_presets_are_known() -> None:
    scenario = PRESETS["paper4"]
    assert np.ptp(scenario.truth()) < 0.9 * np.ptp(list(scenario.ratings.values()))
    from dataclasses import replace

    plain = replace(scenario, item_sd=0.0, voter_sd=0.0)
    assert plain.truth() == pytest.approx(np.array(list(scenario.ratings.values())) - 0.05, abs=4)
    with pytest.raises(ArenaError, match="no preset"):
        preset("paper5")
