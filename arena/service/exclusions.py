"""Exclusions: a flag with a reason that keeps rows out of every analysis. Revoked if wrong; never a deletion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.context import Arena
from arena.db.tables import Clip, GoldCheck, Item, Model, Voter
from arena.db.tables_votes import Battle, Exclusion, Vote
from arena.errors import ArenaError
from arena.service import audit

Scope = Literal["vote", "battle", "voter", "clip", "item", "model", "gold_check"]
_TABLES: dict[str, Any] = {
    "vote": Vote,
    "battle": Battle,
    "voter": Voter,
    "clip": Clip,
    "item": Item,
    "model": Model,
    "gold_check": GoldCheck,
}


@dataclass(frozen=True)
class ExclusionView:
    id: int
    scope: str
    target_id: int
    rule: str
    rule_version: int
    reason: str
    evidence: dict[str, Any]
    created_by: str
    created_ms: int
    revoked_ms: int | None
    revoked_by: str | None


def exclude(
    arena: Arena,
    scope: Scope,
    target_id: int,
    *,
    rule: str,
    reason: str,
    actor: str,
    evidence: Mapping[str, Any] | None = None,
    rule_version: int = 1,
) -> int:
    """Keep a vote, battle, voter, clip, item, model or gold pair out of every analysis; returns the exclusion's id.

    The same rule in force on the same target is left as it is. Raises ArenaError for a target that is not there, or
    without a reason.
    """
    if scope not in _TABLES:
        raise ArenaError(f"'{scope}' cannot be excluded; it must be one of {', '.join(_TABLES)}")
    if not reason.strip() or not rule.strip():
        raise ArenaError("an exclusion needs a rule and a reason, which are published in counts")

    def unit(session: Session) -> int:
        if session.get(_TABLES[scope], target_id) is None:
            raise ArenaError(f"there is no {scope} {target_id}")
        there = session.scalar(
            select(Exclusion.id).where(
                Exclusion.scope == scope,
                Exclusion.target_id == target_id,
                Exclusion.rule == rule,
                Exclusion.revoked_ms.is_(None),
            )
        )
        if there is not None:
            return there
        now = arena.clock.now_ms()
        row = Exclusion(
            scope=scope,
            target_id=target_id,
            rule=rule[:40],
            rule_version=rule_version,
            reason=reason[:2000],
            evidence=dict(evidence or {}),
            created_by=actor[:64],
            created_ms=now,
        )
        session.add(row)
        session.flush()
        audit.append(session, now, actor[:64], "excluded", (scope, target_id), {"rule": rule, "reason": reason[:500]})
        return row.id

    made = arena.database.write(unit)
    arena.pools.forget_all()
    return made


def revoke(arena: Arena, exclusion_id: int, *, reason: str, actor: str) -> bool:
    """End an exclusion; False if it had ended before."""

    def unit(session: Session) -> bool:
        row = session.get(Exclusion, exclusion_id)
        if row is None:
            raise ArenaError(f"there is no exclusion {exclusion_id}")
        if row.revoked_ms is not None:
            return False
        row.revoked_ms, row.revoked_by = arena.clock.now_ms(), actor[:64]
        session.flush()
        detail = {"exclusion": exclusion_id, "rule": row.rule, "reason": reason[:500]}
        audit.append(session, row.revoked_ms, actor[:64], "exclusion_revoked", (row.scope, row.target_id), detail)
        return True

    done = arena.database.write(unit)
    arena.pools.forget_all()
    return done


def list_all(arena: Arena, *, in_force: bool = True) -> list[ExclusionView]:
    """Exclusions, the newest first."""
    query = select(Exclusion).order_by(Exclusion.id.desc())
    if in_force:
        query = query.where(Exclusion.revoked_ms.is_(None))
    with arena.database.read() as session:
        return [
            ExclusionView(
                e.id, e.scope, e.target_id, e.rule, e.rule_version, e.reason, e.evidence, e.created_by, e.created_ms,
                e.revoked_ms, e.revoked_by,
            )
            for e in session.scalars(query)
        ]  # fmt: skip
