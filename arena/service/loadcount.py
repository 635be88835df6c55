"""Counting after a load test."""

from __future__ import annotations

from sqlalchemy import func, select

from arena.context import Arena
from arena.db.tables_votes import Battle, Vote


def votes_by_battle(arena: Arena) -> dict[str, int]:
    """Token of every voted battle -> its number of votes."""
    with arena.database.look() as connection:
        query = select(Battle.token, func.count()).join(Vote, Vote.battle_id == Battle.id).group_by(Battle.token)
        return dict(connection.execute(query).all())
