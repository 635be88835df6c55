"""The audit log: a hash chain over what was changed by people and by the machine."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, text
from sqlalchemy.orm import Session

from arena.context import Arena
from arena.db.tables_votes import AuditEntry
from arena.db.types import core_table

START = "0" * 64
_log = core_table(AuditEntry)
_ADVISORY_LOCK = 0x41524E41


@dataclass(frozen=True)
class AuditRow:
    id: int
    at_ms: int
    actor: str
    action: str
    target_type: str
    target_id: str
    detail: dict[str, Any]


@dataclass(frozen=True)
class ChainCheck:
    """broken_at: id of the first entry that does not follow from the one before; None when all do."""

    entries: int
    broken_at: int | None


def canonical(value: object) -> str:
    """JSON with sorted keys and no blanks: the same text for the same content."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def append(
    session: Session | Connection,
    at_ms: int,
    actor: str,
    action: str,
    target: tuple[str, object],
    detail: dict[str, Any] | None = None,
) -> None:
    """Add an entry inside the caller's unit of work (a session, or a bare connection).

    actor: "system", "voter", or the hash of an administrator. target: (kind of thing, its id).
    """
    dialect = session.dialect if isinstance(session, Connection) else session.get_bind().dialect
    if dialect.name == "postgresql":
        session.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
    last = session.execute(select(_log.c.hash).order_by(_log.c.id.desc()).limit(1)).scalar()
    row = {
        "at_ms": at_ms,
        "actor": actor,
        "action": action,
        "target_type": target[0],
        "target_id": str(target[1]),
        "detail": detail or {},
    }
    previous = last or START
    session.execute(insert(_log).values(**row, prev_hash=previous, hash=_link(previous, row)))


def _link(previous: str, row: dict[str, Any]) -> str:
    return hashlib.sha256((previous + canonical(row)).encode()).hexdigest()


def record(
    arena: Arena, actor: str, action: str, target: tuple[str, object], detail: dict[str, Any] | None = None
) -> None:
    """Add an entry as a unit of work of its own (log-ins, exports)."""
    arena.database.write(lambda session: append(session, arena.clock.now_ms(), actor, action, target, detail))


def newest(arena: Arena, limit: int = 200) -> list[AuditRow]:
    """The newest entries, newest first."""
    with arena.database.read() as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit))
        return [AuditRow(r.id, r.at_ms, r.actor, r.action, r.target_type, r.target_id, r.detail) for r in rows]


def verify(arena: Arena) -> ChainCheck:
    """Walk the whole chain."""
    count, previous = 0, START
    with arena.database.read() as session:
        for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id).execution_options(yield_per=1000)):
            row = {
                name: getattr(entry, name)
                for name in ("at_ms", "actor", "action", "target_type", "target_id", "detail")
            }
            if entry.prev_hash != previous or entry.hash != _link(previous, row):
                return ChainCheck(count, entry.id)
            previous, count = entry.hash, count + 1
    return ChainCheck(count, None)
