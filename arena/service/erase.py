"""A voter's own data: what is stored, and forgetting. Votes stay, and can no longer be linked to anybody."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from arena.context import Arena
from arena.db.tables import Voter
from arena.db.tables_votes import Battle, Vote, VoteAnswer
from arena.service import audit
from arena.service.types_results import MyData

_TOLD = (
    "kind", "cohort", "ui_language", "understands", "device", "sound", "sound_check_ms", "can_see", "can_hear",
    "consent_version", "consent_ms", "state", "created_ms", "last_seen_ms",
)  # fmt: skip


def my_data(arena: Arena, voter_id: int) -> MyData:
    """Everything stored about a voter that is not a keyed hash; whether the network's hash is still kept is said."""
    with arena.database.read() as session:
        row = session.get_one(Voter, voter_id)
        voter: dict[str, Any] = {name: getattr(row, name) for name in _TOLD}
        voter["network_hash_kept"] = row.net_hash is not None
        battles = session.scalar(select(func.count()).select_from(Battle).where(Battle.voter_id == voter_id)) or 0
        answers: dict[int, dict[str, str]] = {}
        own = select(Vote.id).join(Battle, Battle.id == Vote.battle_id).where(Battle.voter_id == voter_id)
        for answer in session.scalars(select(VoteAnswer).where(VoteAnswer.vote_id.in_(own))):
            answers.setdefault(answer.vote_id, {})[answer.criterion] = answer.answer
        rows = session.execute(
            select(Vote, Battle.item_id)
            .join(Battle, Battle.id == Vote.battle_id)
            .where(Battle.voter_id == voter_id)
            .order_by(Vote.id)
        )
        votes = tuple(
            {
                "voted_ms": vote.voted_ms,
                "item": item,
                "answers": {"overall": vote.choice, **answers.get(vote.id, {})},
                "seconds": vote.server_elapsed_ms / 1000,
                "watched": [vote.watched_left, vote.watched_right],
                "viewport": [vote.viewport_w, vote.viewport_h],
                "input": vote.input,
                "evidence": vote.evidence,
            }
            for vote, item in rows
        )
    return MyData(voter, battles, votes)


def forget_me(arena: Arena, voter_id: int, actor: str = "voter") -> None:
    """Cut the link between a person and their votes: hashes replaced by random values, what they told removed.

    The open battle, if any, ends. A second call changes nothing.
    """

    def unit(session: Session) -> None:
        row, now = session.get_one(Voter, voter_id), arena.clock.now_ms()
        if row.erased_ms is not None:
            return
        row.token_hash = secrets.token_hex(32)
        row.login_hash = secrets.token_hex(32) if row.login_hash else None
        row.net_hash = row.net_hash_day = row.ui_language = row.understands = None
        row.device, row.sound, row.sound_check_ms = "unknown", "unknown", None
        row.can_see = row.can_hear = None
        row.erased_ms = now
        session.flush()
        session.execute(
            update(Battle)
            .where(Battle.voter_id == voter_id, Battle.status == "served")
            .values(status="expired", closed_ms=now)
        )
        audit.append(session, now, actor, "voter_erased", ("voter", voter_id))

    arena.database.write(unit)
