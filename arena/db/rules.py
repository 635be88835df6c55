"""What the database itself holds: triggers of immutability, and the view that every analysis reads.

A batch migration on SQLite rebuilds a table and thereby drops its triggers; every migration therefore ends with
`install_rules`, and a test looks for all of them afterwards.
"""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

import arena.db.tables
import arena.db.tables_results
import arena.db.tables_votes  # noqa: F401 - the three modules fill the metadata
from arena.db.types import Base

APPEND_ONLY = ("votes", "vote_answers", "audit_log", "rating_rows", "rating_pairs")
BATTLE_MAY_CHANGE = {"status", "skip_reason", "closed_ms"}
SNAPSHOT_MAY_CHANGE = {"published"}
VIEW = "judgements"

_RESOLVED = """CASE {answer} WHEN 'left' THEN CASE WHEN left_clip.model_id = b.model_lo_id THEN 'lo' ELSE 'hi' END
 WHEN 'right' THEN CASE WHEN left_clip.model_id = b.model_lo_id THEN 'hi' ELSE 'lo' END ELSE {answer} END"""


def _excluded() -> str:
    columns = {
        "vote": ("v.id",),
        "battle": ("b.id",),
        "voter": ("b.voter_id",),
        "clip": ("b.clip_left_id", "b.clip_right_id"),
        "item": ("b.item_id",),
        "model": ("b.model_lo_id", "b.model_hi_id"),
        "gold_check": ("b.gold_check_id",),
    }
    in_force = "SELECT target_id FROM exclusions WHERE revoked_ms IS NULL AND scope"
    parts = [
        f"COALESCE({column} IN ({in_force} = '{scope}'), FALSE)" for scope, names in columns.items() for column in names
    ]
    return " OR ".join(parts)


def view_sql() -> str:
    """One row per (vote, criterion), the overall answer included, with sides resolved to the models in id order."""

    def part(criterion: str, answer: str, source: str) -> str:
        return f"""SELECT v.id AS vote_id, {criterion} AS criterion, b.id AS battle_id, b.campaign_id AS campaign_id,
 b.kind AS kind, b.item_id AS item_id, b.voter_id AS voter_id, b.seq_no AS seq_no, b.model_lo_id AS model_lo_id,
 b.model_hi_id AS model_hi_id, b.clip_left_id AS clip_left_id, b.clip_right_id AS clip_right_id,
 {_RESOLVED.format(answer=answer)} AS outcome, (left_clip.model_id = b.model_lo_id) AS left_is_lo,
 b.served_ms AS served_ms, v.voted_ms AS voted_ms, ({_excluded()}) AS excluded
 FROM {source} JOIN battles b ON b.id = v.battle_id JOIN clips left_clip ON left_clip.id = b.clip_left_id"""

    return (
        f"CREATE VIEW {VIEW} AS "
        + part("'overall'", "v.choice", "votes v")
        + " UNION ALL "
        + part("a.criterion", "a.answer", "vote_answers a JOIN votes v ON v.id = a.vote_id")
    )


def _frozen(table: str, may_change: set[str]) -> list[str]:
    return [column.name for column in Base.metadata.tables[table].columns if column.name not in may_change]


def trigger_sql(dialect: str) -> dict[str, list[str]]:
    """Trigger name -> statements that create it anew."""
    make = _sqlite if dialect == "sqlite" else _postgresql
    found: dict[str, list[str]] = {}
    for table in (*APPEND_ONLY, "rating_snapshots", "battles"):
        found |= make(f"no_delete_{table}", table, "DELETE", None)
    for table in APPEND_ONLY:
        found |= make(f"no_update_{table}", table, "UPDATE", None)
    found |= make("frozen_snapshot", "rating_snapshots", _update_of("rating_snapshots", SNAPSHOT_MAY_CHANGE), None)
    found |= make("published_stays", "rating_snapshots", "UPDATE", "OLD.published AND NOT NEW.published")
    found |= make("frozen_battle", "battles", _update_of("battles", BATTLE_MAY_CHANGE), None)
    found |= make("battle_closed_once", "battles", "UPDATE", "OLD.status <> 'served'")
    return found


def _update_of(table: str, may_change: set[str]) -> str:
    return "UPDATE OF " + ", ".join(_frozen(table, may_change))


def _sqlite(name: str, table: str, event: str, when: str | None) -> dict[str, list[str]]:
    condition = f" WHEN {when}" if when else ""
    return {
        name: [
            f"DROP TRIGGER IF EXISTS {name}",
            f"CREATE TRIGGER {name} BEFORE {event} ON {table}{condition} "
            f"BEGIN SELECT RAISE(ABORT, '{table} rows are immutable'); END",
        ]
    }


def _postgresql(name: str, table: str, event: str, when: str | None) -> dict[str, list[str]]:
    condition = f" WHEN ({when})" if when else ""
    return {
        name: [
            f"DROP TRIGGER IF EXISTS {name} ON {table}",
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} "
            f"FOR EACH ROW{condition} EXECUTE FUNCTION arena_immutable()",
        ]
    }


_PG_FUNCTION = """CREATE OR REPLACE FUNCTION arena_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% rows are immutable', TG_TABLE_NAME; END $$"""


def install_rules(connection: Connection) -> None:
    """(Re)create the view and every trigger; the tables must be there."""
    drop_view(connection)
    connection.execute(text(view_sql()))
    if connection.dialect.name == "postgresql":
        connection.execute(text(_PG_FUNCTION))
    for statements in trigger_sql(connection.dialect.name).values():
        for statement in statements:
            connection.execute(text(statement))


def drop_view(connection: Connection) -> None:
    """Before a migration touches a table that the view reads."""
    connection.execute(text(f"DROP VIEW IF EXISTS {VIEW}"))


def missing_rules(connection: Connection) -> set[str]:
    """Names of triggers, and the view, that should be in the database and are not."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
    else:
        rows = connection.execute(text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"))
    there = {row[0] for row in rows} | set(inspect(connection).get_view_names())
    return ({VIEW} | set(trigger_sql(connection.dialect.name))) - there
