"""Votes: recorded once, acknowledged after they are on disk, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from arena.clock import MINUTE_MS
from arena.config import CampaignConfig
from arena.context import Arena
from arena.db.tables import Campaign, Voter
from arena.db.tables_votes import Battle, Exclusion, Vote, VoteAnswer
from arena.db.types import core_table
from arena.service import audit
from arena.service.types import Already, Answer, Recorded, Refused, Telemetry, VoteOutcome
from arena.service.visits import configuration
from arena.tokens import well_formed

GRACE_MS = 30 * MINUTE_MS
"""A battle served before a campaign was paused or closed may still be answered for this long."""
RETRACT_MS = 5 * MINUTE_MS
_MAX_EVIDENCE = 4000
_battles, _votes, _answers = core_table(Battle), core_table(Vote), core_table(VoteAnswer)
_campaigns, _voters = core_table(Campaign), core_table(Voter)
_CHOICES = {"left", "right", "tie", "both_bad"}


def cast_vote(
    arena: Arena,
    voter_id: int,
    token: str,
    answers: Mapping[str, Answer],
    telemetry: Telemetry,
) -> VoteOutcome:
    """Record the answer to a battle; the battle's token is the idempotency key.

    answers: criterion -> answer; "overall" is required and cannot be "na". Recorded means the vote is on disk. A second
    call is Already(same=True) for the same answers, Already(same=False) for others (the stored ones stand, and the
    attempt is audited). Raises DatabaseUnavailable when nothing could be written; call again with the same values.
    """
    if not well_formed(token):
        return Refused("unknown")
    if not _well_asked(answers):
        return Refused("bad_answer")
    try:
        outcome, battle = arena.database.transact(
            lambda connection: _record(arena, connection, voter_id, token, answers, telemetry)
        )
    except IntegrityError:  # another request for this battle was committed in between: compare with what it stored
        outcome, battle = arena.database.transact(
            lambda connection: _record(arena, connection, voter_id, token, answers, telemetry)
        )
    if isinstance(outcome, Recorded) and battle is not None:
        _note(arena, battle, answers["overall"])
    return outcome


def _well_asked(answers: Mapping[str, Answer]) -> bool:
    if answers.get("overall") not in _CHOICES:
        return False
    others = {"video", "audio", "sync", "prompt"}
    return all(name == "overall" or (name in others and a in {*_CHOICES, "na"}) for name, a in answers.items())


_QUERY = (
    select(
        _battles,
        _campaigns.c.status.label("campaign_status"),
        _campaigns.c.config_version,
        _voters.c.state,
        _voters.c.can_hear,
    )
    .join(_campaigns, _campaigns.c.id == _battles.c.campaign_id)
    .join(_voters, _voters.c.id == _battles.c.voter_id)
    .with_for_update(of=_battles)
)


def _record(
    arena: Arena,
    connection: Connection,
    voter_id: int,
    token: str,
    answers: Mapping[str, Answer],
    telemetry: Telemetry,
) -> tuple[VoteOutcome, Any]:
    battle = connection.execute(_QUERY.where(_battles.c.token == token)).one_or_none()
    if battle is None:
        return Refused("unknown"), None
    if battle.voter_id != voter_id:
        return Refused("not_yours"), None
    now = arena.clock.now_ms()
    if battle.status == "voted":
        return _compare(connection, battle, answers, now), None
    config = configuration(arena, connection, battle.campaign_id, battle.config_version)
    refusal = _refusal(config, battle, answers, telemetry, now)
    if refusal is not None:
        return refusal, None
    vote_id = _insert(arena, connection, battle, answers, telemetry, now)
    done = connection.execute(
        update(_battles)
        .where(_battles.c.id == battle.id, _battles.c.status == "served")
        .values(status="voted", closed_ms=max(now, battle.served_ms))
    )
    if done.rowcount != 1:
        raise RuntimeError(f"battle {battle.id} changed under its lock")
    return Recorded(vote_id, token), battle


def _refusal(
    config: CampaignConfig, battle: Any, answers: Mapping[str, Answer], telemetry: Telemetry, now: int
) -> Refused | None:
    if battle.status in {"skipped", "expired", "void"} or battle.expires_ms <= now:
        return Refused("skipped" if battle.status == "skipped" else "expired")
    if battle.state == "blocked":
        return Refused("blocked")
    if battle.campaign_status != "open" and now > battle.served_ms + GRACE_MS:
        return Refused("closed")
    deaf = battle.can_hear is False and any(answers.get(name, "na") != "na" for name in ("audio", "sync"))
    if deaf or not set(answers) <= set(config.criteria):
        return Refused("bad_answer")
    return _watching(config, telemetry)


def _watching(config: CampaignConfig, telemetry: Telemetry) -> Refused | None:
    watched = (telemetry.watched_left, telemetry.watched_right)
    if not all(0 <= fraction <= 1.0001 for fraction in watched):
        return Refused("bad_answer")
    return Refused("not_watched") if min(watched) < config.min_watch - 1e-6 else None


def _insert(
    arena: Arena, session: Connection, battle: Any, answers: Mapping[str, Answer], telemetry: Telemetry, now: int
) -> int:
    others = {name: answer for name, answer in answers.items() if name != "overall"}
    row = {
        "battle_id": battle.id,
        "choice": answers["overall"],
        "voted_ms": max(now, battle.served_ms),
        "server_elapsed_ms": max(now - battle.served_ms, 0),
        "decide_ms": _count(telemetry.decide_ms) if telemetry.decide_ms is not None else None,
        "watched_left": min(telemetry.watched_left, 1.0),
        "watched_right": min(telemetry.watched_right, 1.0),
        "plays_left": _count(telemetry.plays_left, 32_000),
        "plays_right": _count(telemetry.plays_right, 32_000),
        "first_played": telemetry.first_played,
        "hidden_ms": _count(telemetry.hidden_ms),
        "stalled_ms": _count(telemetry.stalled_ms),
        "muted": telemetry.muted,
        "min_volume": telemetry.min_volume,
        "viewport_w": _count(telemetry.viewport_w, 32_000),
        "viewport_h": _count(telemetry.viewport_h, 32_000),
        "fullscreen": telemetry.fullscreen,
        "input": telemetry.input,
        "mode": "detailed" if others else "quick",
        "evidence": _evidence(telemetry.evidence),
        "code_version": arena.config.code_version[:40],
    }
    result = session.execute(insert(_votes).returning(_votes.c.id), row)
    vote_id = int(result.scalar_one())
    if others:
        session.execute(
            insert(_answers), [{"vote_id": vote_id, "criterion": c, "answer": a} for c, a in others.items()]
        )
    return vote_id


def _count(value: float, most: int = 2_000_000_000) -> int:
    """A browser's number as a count that fits its column."""
    return int(min(max(value, 0), most))


def _evidence(given: dict[str, Any] | None) -> dict[str, Any] | None:
    if given is None:
        return None
    return given if len(audit.canonical(given)) <= _MAX_EVIDENCE else {"dropped": "too large"}


def _compare(session: Connection, battle: Any, answers: Mapping[str, Answer], now: int) -> Already:
    vote_id, choice = session.execute(select(_votes.c.id, _votes.c.choice).where(_votes.c.battle_id == battle.id)).one()
    stored = dict(
        session.execute(select(_answers.c.criterion, _answers.c.answer).where(_answers.c.vote_id == vote_id)).all()
    )
    same = {**stored, "overall": choice} == dict(answers)
    if not same:
        detail = {"stored": choice, "given": answers["overall"]}
        audit.append(session, now, "voter", "second_answer", ("vote", vote_id), detail)
    return Already(same, choice)


def _note(arena: Arena, battle: Any, choice: str) -> None:
    pool = arena.pools.loaded(battle.campaign_id)
    if pool is None or battle.kind not in {"regular", "panel"}:
        return
    if choice in {"tie", "both_bad"}:
        outcome = "tie"
    else:
        pair = pool.pair_of(battle.model_lo_id, battle.model_hi_id)
        item = pool.item_of(battle.item_id)
        if pair < 0 or item < 0:
            return
        lower_left = pool.catalogue.clips[pool.pairs[pair, 0], item] == battle.clip_left_id
        outcome = "lo" if (choice == "left") == lower_left else "hi"
    pool.note_vote(battle.model_lo_id, battle.model_hi_id, outcome)


def retract(arena: Arena, voter_id: int) -> bool:
    """Take the voter's own last vote out of every analysis, within five minutes of it; the row stays.

    False when there is none, it is too old, or it was retracted before.
    """

    def unit(session: Session) -> int | None:
        now = arena.clock.now_ms()
        row = session.execute(
            select(_votes.c.id, _votes.c.voted_ms, _battles.c.campaign_id)
            .join(_battles, _battles.c.id == _votes.c.battle_id)
            .where(_battles.c.voter_id == voter_id)
            .order_by(_votes.c.id.desc())
            .limit(1)
        ).one_or_none()
        if row is None or now - row.voted_ms > RETRACT_MS:
            return None
        there = select(Exclusion.id).where(
            Exclusion.scope == "vote", Exclusion.target_id == row.id, Exclusion.rule == "voter_retracted"
        )
        if session.scalar(there) is not None:
            return None
        session.add(
            Exclusion(
                scope="vote",
                target_id=row.id,
                rule="voter_retracted",
                rule_version=1,
                reason="the voter reported a mistake",
                evidence={},
                created_by="voter",
                created_ms=now,
            )
        )
        session.flush()
        audit.append(session, now, "voter", "vote_retracted", ("vote", row.id))
        return int(row.campaign_id)

    campaign_id = arena.database.write(unit)
    if campaign_id is None:
        return False
    arena.pools.forget(campaign_id)
    return True
