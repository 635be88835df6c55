"""Load: many voters at once against the real services and a real database, counted afterwards row by row."""

from __future__ import annotations

import multiprocessing
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.clock import SystemClock
from arena.config import ArenaConfig, CampaignConfig
from arena.context import Arena
from arena.db.engine import Database
from arena.db.migrate import current, upgrade
from arena.errors import ArenaError
from arena.service import battles, simulation, voters, votes
from arena.service.loadcount import votes_by_battle
from arena.service.types import BattleView, Recorded, Telemetry

CAMPAIGN = "load"
_MODELS = 10
_ITEMS = 120
_SECRET = "not a secret: a database of a load test takes no real votes"
_ANSWERS: dict[str, Any] = {"overall": "left", "video": "tie", "audio": "right", "sync": "left", "prompt": "both_bad"}


@dataclass(frozen=True)
class LoadReport:
    """lost: acknowledged votes that are not in the database. doubled: battles with two votes. errors: exceptions."""

    votes: int
    seconds: float
    per_second: float
    median_ms: float
    p99_ms: float
    lost: int
    doubled: int
    errors: int
    first_error: str


def load_test(
    url: str | None, *, writers: int = 50, seconds: float = 10, think: float = 0, processes: int = 1
) -> LoadReport:
    """Let `writers` people take battles and vote as fast as they can (or with `think` seconds between).

    url: an empty database; None for a temporary SQLite file. Raises ArenaError for a database that holds anything.
    """
    with tempfile.TemporaryDirectory(prefix="arena-load-") as folder:
        address = url or f"sqlite:///{folder}/arena.sqlite"
        people = _prepare(address, Path(folder), writers)
        shares = [people[i::processes] for i in range(processes)]
        started = time.perf_counter()
        if processes == 1:
            parts = [_drive(address, folder, people, seconds, think)]
        else:
            context = multiprocessing.get_context("spawn")
            with context.Pool(processes) as pool:
                parts = pool.starmap(_drive, [(address, folder, share, seconds, think) for share in shares if share])
        wall = time.perf_counter() - started if processes == 1 else max(part[2] for part in parts)
        acknowledged = [token for part in parts for token, _ in part[0]]
        times = sorted(took for part in parts for _, took in part[0])
        errors = [error for part in parts for error in part[1]]
        arena = _arena(address, Path(folder))
        stored = votes_by_battle(arena)
        arena.close()
    return LoadReport(
        len(acknowledged),
        wall,
        len(acknowledged) / wall,
        1000 * times[len(times) // 2] if times else 0.0,
        1000 * times[int(len(times) * 0.99)] if times else 0.0,
        sum(stored.get(token, 0) == 0 for token in acknowledged),
        sum(count > 1 for count in stored.values()) + len(acknowledged) - len(set(acknowledged)),
        len(errors),
        errors[0] if errors else "",
    )


def _arena(url: str, folder: Path) -> Arena:
    clock = SystemClock()
    config = ArenaConfig(database=url, media_root=folder / "media", secret=_SECRET)
    return Arena(config, Database(url, clock=clock), clock, background=True)


def _prepare(url: str, folder: Path, writers: int) -> list[int]:
    arena = _arena(url, folder)
    if current(arena.database) is not None:
        raise ArenaError(f"{arena.database.describe()} holds an arena; a load test needs an empty database")
    upgrade(arena.database)
    wide = 1_000_000_000
    limits = {
        "voter_hour": wide, "voter_day": wide, "voter_campaign": wide, "network_hour": wide,
        "network_new_voters_hour": wide,
    }  # fmt: skip
    config = CampaignConfig.model_validate({"limits": limits, "practice": 0, "max_item_exposure": 45, "item_gap": 5})
    names = [f"model-{i}" for i in range(_MODELS)]
    simulation.build(arena, CAMPAIGN, names, _ITEMS, config=config, seed=1, gold_pairs=20)
    people = []
    for _ in range(writers):
        started = voters.start(arena, CAMPAIGN, kind="simulated")
        assert isinstance(started, voters.Started)
        people.append(started.voter_id)
    arena.close()
    return people


def _drive(
    url: str, folder: str, people: list[int], seconds: float, think: float
) -> tuple[list[tuple[str, float]], list[str], float]:
    """(acknowledged battles with the seconds that vote took, errors, wall seconds)."""
    arena = _arena(url, Path(folder))
    done: list[tuple[str, float]] = []
    errors: list[str] = []
    started = time.perf_counter()

    def work(voter: int) -> None:
        try:
            while time.perf_counter() - started < seconds:
                shown = battles.current_battle(arena, voter, CAMPAIGN)
                if not isinstance(shown, BattleView):
                    return
                begun = time.perf_counter()
                outcome = votes.cast_vote(arena, voter, shown.token, _ANSWERS, Telemetry(1.0, 1.0))
                if isinstance(outcome, Recorded):
                    done.append((shown.token, time.perf_counter() - begun))
                else:
                    errors.append(f"{outcome}")
                if think:
                    time.sleep(think)
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=work, args=(voter,)) for voter in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - started
    arena.close()
    return done, errors, wall
