"""Revisions of the database: compare, upgrade, back up."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from arena.db.engine import Database
from arena.errors import ArenaError

FOLDER = Path(__file__).parent / "migrations"
FAST_APPLICATION_ID = 0x51D0
"""Stamped into SQLite files of simulations, which are written without flushing to disk."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def head() -> str:
    """The newest revision that this code knows."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


def current(database: Database) -> str | None:
    """Revision of a database; None for an empty one."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database to a revision, in one transaction. A second call changes nothing."""
    config = _config()
    with database.engine.connect() as connection:
        if database.is_sqlite:
            _sqlite_pragmas(connection, foreign_keys="OFF", fast=database.fast)  # batch migrations rebuild tables
        with connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
        if database.is_sqlite:
            _sqlite_pragmas(connection, foreign_keys="ON", fast=False)


def _sqlite_pragmas(connection: Connection, *, foreign_keys: str, fast: bool) -> None:
    raw = connection.connection.dbapi_connection
    assert raw is not None
    raw.cursor().execute(f"PRAGMA foreign_keys={foreign_keys}")  # has no effect inside a transaction
    if fast:
        raw.cursor().execute(f"PRAGMA application_id={FAST_APPLICATION_ID}")


def check_revision(database: Database) -> None:
    """Raises ArenaError unless the database has exactly the revision of this code."""
    found, wanted = current(database), head()
    if found == wanted:
        return
    if found is None:
        with database.engine.connect() as connection:
            foreign = inspect(connection).get_table_names()
        if foreign:
            raise ArenaError(
                f"{database.describe()} holds tables that are not the arena's; give it a database of its own"
            )
        raise ArenaError(f"{database.describe()} is empty; make its tables with: mova-eval arena init")
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found in known:
        raise ArenaError(
            f"{database.describe()} has revision {found}, this version needs {wanted}: mova-eval arena migrate"
        )
    raise ArenaError(
        f"{database.describe()} has revision {found}, made by a newer version of mova-eval; update the program"
    )


def is_fast_file(path: Path) -> bool:
    """Whether a SQLite file was written without flushing to disk (a simulation's)."""
    with closing(sqlite3.connect(path)) as connection:
        return bool(connection.execute("PRAGMA application_id").fetchone()[0] == FAST_APPLICATION_ID)


def backup(database: Database, target: Path) -> Path:
    """Copy a SQLite database while it is in use, and verify the copy (quick_check, row counts of every table).

    Raises ArenaError on PostgreSQL (which has pg_dump), when the target exists, or when the copy is not sound.
    """
    source = database.path
    if source is None:
        raise ArenaError("back up PostgreSQL with its own tool: pg_dump --format=custom NAME > FILE")
    if target.exists():
        raise ArenaError(f"{target} exists; a backup never overwrites")
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(partial)) as copy:
        live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        said = copy.execute("PRAGMA quick_check").fetchone()[0]
        counts = {name: _count(copy, name) for name in _tables(copy)}
    if said != "ok" or not counts:
        raise ArenaError(f"the backup of {source} is not sound ({said}); {partial} is kept for a look")
    partial.rename(target)
    return target


def _tables(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return [row[0] for row in rows]


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f'SELECT COUNT(*) FROM "{table}"').fetchone()[0])
