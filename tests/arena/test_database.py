"""What the databases themselves hold: migrations, constraints, triggers; and when to try again."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from arena_world import World
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from arena.clock import FakeClock
from arena.config import ArenaConfig
from arena.context import open_arena
from arena.db import engine, migrate, rules
from arena.db.engine import Database
from arena.db.filesystems import remote_kind
from arena.db.types import Base
from arena.errors import ArenaError, DatabaseUnavailable
from arena.service import battles
from arena.service.checks import check_files, check_rows


def test_head_equals_the_tables_of_the_code_and_all_rules_are_there(database_url: str) -> None:
    database = Database(database_url)
    migrate.check_revision(database)
    migrate.upgrade(database)  # a second time changes nothing
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        assert rules.missing_rules(connection) == set()


def test_start_refuses_an_empty_or_foreign_or_newer_database(tmp_path: Path, sqlite_url: str) -> None:
    with pytest.raises(ArenaError, match="is empty"):
        migrate.check_revision(Database(f"sqlite:///{tmp_path / 'new.sqlite'}"))
    with sqlite3.connect(tmp_path / "other.sqlite") as other:
        other.execute("CREATE TABLE notes (x)")
    with pytest.raises(ArenaError, match="not the arena's"):
        migrate.check_revision(Database(f"sqlite:///{tmp_path / 'other.sqlite'}"))
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ArenaError, match="newer version"):
        migrate.check_revision(Database(sqlite_url))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE votes SET choice = 'right'",
        "DELETE FROM votes",
        "UPDATE vote_answers SET answer = 'right'",
        "DELETE FROM vote_answers",
        "UPDATE audit_log SET actor = 'x'",
        "DELETE FROM audit_log",
        "DELETE FROM battles",
        "UPDATE battles SET p_pair = 0.5",
        "UPDATE battles SET status = 'served', closed_ms = NULL WHERE status = 'voted'",
        "UPDATE battles SET voter_id = voter_id + 1",
    ],
)
def test_what_was_written_stays(world: World, statement: str) -> None:
    world.vote(world.voter(), "left", audio="tie")
    with pytest.raises(DBAPIError, match="immutable"):
        world.arena.database.transact(lambda connection: connection.execute(text(statement)))


_BATTLE = (
    "INSERT INTO battles (token, campaign_id, voter_id, seq_no, item_id, clip_left_id, clip_right_id, model_lo_id,"
    " model_hi_id, kind, repeat_no, policy, policy_version, p_pair, rng_seed, media_left, media_right, served_ms,"
    " expires_ms, status, closed_ms) SELECT {token}, campaign_id, voter_id, {seq}, {item}, {left}, clip_right_id,"
    " {lo}, model_hi_id, {kind}, 0, policy, 1, 1, 1, {token}, 'r' || substr({token}, 1, 20), served_ms, expires_ms, {status}, {closed}"
    " FROM battles LIMIT 1"
)
_GOOD = {
    "token": "'t2'", "seq": "2", "item": "item_id + 1", "left": "clip_left_id", "lo": "model_lo_id",
    "kind": "'regular'", "status": "'voted'", "closed": "served_ms",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"status": "'served'", "closed": "NULL"}, "one_open"),
        ({"item": "item_id"}, "no_repeat"),
        ({"seq": "1"}, "seq_no"),
        ({"token": "token"}, "token"),
        ({"left": "clip_right_id"}, "different_clips"),
        ({"lo": "model_hi_id"}, "model_order"),
        ({"kind": "'gold'"}, "gold_check"),
        ({"kind": "'other'"}, "kind"),
        ({"status": "'served'"}, "closed_ms"),
        ({"item": "999999"}, ""),
    ],
)
def test_every_constraint_of_battles_fires(world: World, change: dict[str, str], constraint: str) -> None:
    world.battle(world.voter())
    database = world.arena.database
    database.transact(lambda c: c.execute(text(_BATTLE.format(**_GOOD))))
    again = {**_GOOD, "token": "'t3'", "seq": "3", "item": "item_id + 2", **change}
    with pytest.raises(IntegrityError) as caught:
        database.transact(lambda c: c.execute(text(_BATTLE.format(**again))))
    said = str(caught.value.orig)
    if database.is_sqlite:  # SQLite names the columns of a unique index, not the index
        constraint = {"one_open": "battles.voter_id", "no_repeat": "battles.item_id"}.get(constraint, constraint)
    assert constraint in said


def test_a_second_vote_for_a_battle_is_impossible_in_the_database(world: World) -> None:
    world.vote(world.voter())
    copy = (
        "INSERT INTO votes (battle_id, choice, voted_ms, server_elapsed_ms, watched_left, watched_right, plays_left,"
        " plays_right, hidden_ms, stalled_ms, muted, min_volume, viewport_w, viewport_h, fullscreen, input, mode,"
        " code_version) SELECT battle_id, 'right', voted_ms, 0, 1, 1, 1, 1, 0, 0, muted, 1, 1, 1, fullscreen, input,"
        " mode, code_version FROM votes"
    )
    with pytest.raises(IntegrityError):
        world.arena.database.transact(lambda c: c.execute(text(copy)))


def test_a_locked_database_is_tried_again_and_nothing_is_lost(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_PRAGMAS", (*engine._PRAGMAS[:2], ("busy_timeout", "30"), *engine._PRAGMAS[3:]))
    path = sqlite_url.removeprefix("sqlite:///")
    database = Database(sqlite_url)
    blocker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.15, lambda: blocker.execute("COMMIT"))
    release.start()
    insert = text("INSERT INTO network_keys VALUES (1, 'k')")
    database.transact(lambda c: c.execute(insert))
    release.join()
    blocker.execute("BEGIN IMMEDIATE")
    impatient = Database(sqlite_url, clock=FakeClock())
    with pytest.raises(DatabaseUnavailable, match="nothing was written"):
        impatient.transact(lambda c: c.execute(text("INSERT INTO network_keys VALUES (2, 'k')")))
    blocker.execute("ROLLBACK")
    with database.look() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM network_keys")).scalar() == 1


def test_a_database_that_is_gone_is_said_so_and_comes_back(postgresql, new_world, postgresql_template) -> None:  # type: ignore[no-untyped-def]
    world = new_world(postgresql.new_database(postgresql_template))
    voter = world.voter()
    shown = world.battle(voter)
    postgresql.stop("immediate")
    with pytest.raises(DatabaseUnavailable):
        battles.current_battle(world.arena, voter, "main")
    postgresql.start()
    assert world.battle(voter) == shown


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://x/y", "not supported"),
        ("nonsense", "no database address"),
        ("sqlite://", "needs a database file"),
        ("sqlite:////no/such/folder/a.sqlite", "no folder"),
    ],
)
def test_an_address_that_cannot_work_is_refused(url: str, said: str) -> None:
    with pytest.raises(ArenaError, match=said):
        Database(url)


def test_network_file_systems_are_recognised(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sda / ext4 rw 0 0\nhost:/x /mnt/nas nfs4 rw 0 0\ns /mnt/my\\040disk fuse.sshfs rw 0 0\n")
    assert remote_kind(Path("/home/x"), mounts) is None
    assert remote_kind(Path("/mnt/nas/arena"), mounts) == "nfs4"
    assert remote_kind(Path("/mnt/my disk/a"), mounts) == "fuse.sshfs"
    assert remote_kind(Path("/x"), tmp_path / "absent") is None


def test_the_service_refuses_a_simulations_file_and_a_short_secret(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'sim.sqlite'}"
    migrate.upgrade(Database(url, fast=True))
    config = ArenaConfig(database=url, media_root=tmp_path, secret="x" * 32)
    with pytest.raises(ArenaError, match="simulation"):
        open_arena(config)
    assert open_arena(config, allow_simulated=True).simulated
    with pytest.raises(ArenaError, match="ARENA_SECRET"):
        open_arena(config.model_copy(update={"secret": "short"}))


def test_backup_and_restore_while_in_use(small_world: World, tmp_path: Path) -> None:
    voter = small_world.voter()
    for _ in range(3):
        small_world.vote(voter)
    copy = migrate.backup(small_world.arena.database, tmp_path / "copy.sqlite")
    small_world.vote(voter)
    with pytest.raises(ArenaError, match="never overwrites"):
        migrate.backup(small_world.arena.database, copy)
    restored = tmp_path / "restored.sqlite"
    shutil.copy(copy, restored)
    with Database(f"sqlite:///{restored}").look() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM votes")).scalar() == 3
        assert rules.missing_rules(connection) == set()


def test_check_finds_what_is_wrong(small_world: World) -> None:
    small_world.vote(small_world.voter())
    assert check_rows(small_world.arena) == []
    assert check_files(small_world.arena) == []
    next(small_world.arena.media_root.rglob("*.mp4")).unlink()
    small_world.arena.database.transact(lambda c: c.execute(text("DROP TRIGGER no_update_votes")))
    assert len(check_files(small_world.arena)) == 1
    assert "no_update_votes" in check_rows(small_world.arena)[0]
