"""Many at once, and killed at any moment: no vote lost, none doubled, on both databases."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from arena_world import WATCHED, World, make_world
from sqlalchemy import text

from arena.clock import SystemClock
from arena.context import Arena
from arena.db.engine import Database
from arena.load import load_test
from arena.service import battles, votes
from arena.service.checks import check_rows
from arena.service.types import Already, BattleView, Recorded

ROOT = Path(__file__).resolve().parents[2]
WIDE = dict.fromkeys(("voter_hour", "voter_day", "voter_campaign", "network_hour", "network_new_voters_hour"), 10**9)
ROUNDS = int(os.environ.get("ARENA_KILL_ROUNDS", "2"))

VOTER = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from arena.clock import SystemClock
from arena.config import ArenaConfig
from arena.context import Arena
from arena.db.engine import Database
from arena.service import battles, votes
from arena_world import SECRET, WATCHED
url, media, voters = sys.argv[1], Path(sys.argv[2]), [int(v) for v in sys.argv[3:]]
clock = SystemClock()
arena = Arena(ArenaConfig(database=url, media_root=media, secret=SECRET), Database(url, clock=clock), clock)
while True:
    for voter in voters:
        shown = battles.current_battle(arena, voter, "main")
        answers = {{"overall": "left", "video": "tie", "audio": "right", "sync": "na", "prompt": "left"}}
        outcome = votes.cast_vote(arena, voter, shown.token, answers, WATCHED)
        print(shown.token, type(outcome).__name__, flush=True)
"""


@pytest.fixture
def busy_world(database_url: str, tmp_path: Path) -> World:
    config = {"limits": WIDE, "max_item_exposure": 50, "item_gap": 1}
    return make_world(database_url, tmp_path / "media", clock=SystemClock(), models=4, items=60, config=config)


def at_once(count: int, work: Callable[[int], object]) -> list[object]:
    """Results of `work` in threads that begin together."""
    barrier, results = threading.Barrier(count), [None] * count

    def run(i: int) -> None:
        barrier.wait()
        try:
            results[i] = work(i)  # type: ignore[call-overload]
        except Exception as error:
            results[i] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return list(results)


def rows(arena: Arena, statement: str) -> int:
    with arena.database.look() as connection:
        return int(connection.execute(text(statement)).scalar() or 0)


def test_many_tabs_open_one_battle_and_record_one_vote(busy_world: World) -> None:
    voter = busy_world.voter()
    shown = at_once(8, lambda _: battles.current_battle(busy_world.arena, voter, "main"))
    assert all(isinstance(s, BattleView) for s in shown), shown
    assert len({s.token for s in shown if isinstance(s, BattleView)}) == 1
    token = shown[0].token  # type: ignore[attr-defined]
    said = at_once(
        8, lambda i: votes.cast_vote(busy_world.arena, voter, token, {"overall": "left" if i % 2 else "tie"}, WATCHED)
    )
    assert sum(isinstance(s, Recorded) for s in said) == 1, said
    assert sum(isinstance(s, Already) for s in said) == 7, said
    assert rows(busy_world.arena, "SELECT COUNT(*) FROM votes") == 1


def test_threads_lose_and_double_nothing(busy_world: World) -> None:
    people = [busy_world.voter() for _ in range(16)]

    def work(i: int) -> int:
        for _ in range(12):
            shown = battles.current_battle(busy_world.arena, people[i], "main")
            assert isinstance(shown, BattleView)
            answers = {"overall": "left", "audio": "right"}
            assert isinstance(votes.cast_vote(busy_world.arena, people[i], shown.token, answers, WATCHED), Recorded)  # type: ignore[arg-type]
        return 12

    assert at_once(16, work) == [12] * 16
    assert rows(busy_world.arena, "SELECT COUNT(*) FROM votes") == 192
    assert rows(busy_world.arena, "SELECT COUNT(*) FROM vote_answers") == 192
    assert rows(busy_world.arena, "SELECT COUNT(DISTINCT battle_id) FROM votes") == 192
    assert check_rows(busy_world.arena) == []
    with busy_world.arena.database.look() as connection:
        sides = connection.execute(
            text(
                "SELECT SUM(CASE WHEN left_is_lo THEN 1 ELSE -1 END) FROM judgements WHERE criterion = 'overall'"
                " AND kind = 'regular' GROUP BY model_lo_id, model_hi_id"
            )
        ).scalars()
        allowed = 2 if busy_world.arena.database.is_sqlite else 4  # a turn is lost when two tabs meet
        assert all(abs(balance) <= allowed for balance in sides)


def test_processes_share_a_database(tmp_path: Path) -> None:
    report = load_test(f"sqlite:///{tmp_path / 'load.sqlite'}", writers=4, seconds=2, processes=2)
    assert (report.lost, report.doubled, report.errors) == (0, 0, 0), report
    assert report.votes > 20


def _voters(world: World, url: str, groups: list[list[int]]) -> list[subprocess.Popen[str]]:
    code = VOTER.format(tests=str(ROOT / "tests"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return [
        subprocess.Popen(
            [sys.executable, "-c", code, url, str(world.arena.media_root), *map(str, group)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for group in groups
    ]


def _acknowledged(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    found = []
    for line in process.stdout.read().splitlines():
        words = line.split()
        if len(words) == 2 and len(words[0]) == 26:  # the last line may be cut
            assert words[1] == "Recorded"
            found.append(words[0])
    return found


def test_killed_at_any_moment_no_acknowledged_vote_is_missing(busy_world: World, database_url: str) -> None:
    """ARENA_KILL_ROUNDS=75 is the full measurement."""
    rng, acknowledged = random.Random(0), set[str]()
    for _ in range(ROUNDS):
        groups = [[busy_world.voter() for _ in range(2)] for _ in range(2)]
        processes = _voters(busy_world, database_url, groups)
        for process in processes:  # all have begun to vote
            assert process.stdout is not None
            acknowledged.add(process.stdout.readline().split()[0])
        time.sleep(rng.uniform(0.0, 0.4))
        for process in processes:
            process.send_signal(signal.SIGKILL)
        for process in processes:
            acknowledged.update(_acknowledged(process))
            process.wait()
    arena = busy_world.arena
    with arena.database.look() as connection:
        stored = set(
            connection.execute(
                text("SELECT b.token FROM votes v JOIN battles b ON b.id = v.battle_id WHERE b.status = 'voted'")
            ).scalars()
        )
        halves = connection.execute(
            text("SELECT COUNT(*) FROM votes v WHERE (SELECT COUNT(*) FROM vote_answers a WHERE a.vote_id = v.id) <> 4")
        ).scalar()
    assert len(acknowledged) >= 2 * ROUNDS
    assert acknowledged <= stored
    assert len(stored - acknowledged) <= 2 * ROUNDS  # committed, and killed before it could be said
    assert halves == 0
    assert check_rows(arena) == []
    assert isinstance(battles.current_battle(arena, busy_world.voter(), "main"), BattleView)


def test_the_server_of_the_database_killed_loses_no_acknowledged_vote(
    postgresql, postgresql_template, tmp_path
) -> None:  # type: ignore[no-untyped-def]
    url = postgresql.new_database(postgresql_template)
    config = {"limits": WIDE, "max_item_exposure": 50, "item_gap": 1}
    world = make_world(url, tmp_path / "media", clock=SystemClock(), models=4, items=60, config=config)
    (process,) = _voters(world, url, [[world.voter() for _ in range(2)]])
    assert process.stdout is not None
    first = process.stdout.readline().split()[0]
    time.sleep(0.5)
    postmaster = int((postgresql.data / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    acknowledged = {first, *_acknowledged(process)}
    process.wait()
    time.sleep(1)  # the server's children end, and with them its shared memory
    for lock in (postgresql.data / "postmaster.pid", postgresql.folder / ".s.PGSQL.5432.lock"):
        lock.unlink(
            missing_ok=True
        )  # the dead server's number may still be taken, by itself, where nobody waits for it
    postgresql.start()
    database = Database(url)
    with database.look() as connection:
        stored = set(
            connection.execute(text("SELECT b.token FROM votes v JOIN battles b ON b.id = v.battle_id")).scalars()
        )
    assert acknowledged <= stored
    database.close()
    world.arena.close()
