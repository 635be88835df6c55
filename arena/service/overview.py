"""What an operator looks at: health, traffic, voters, and gaps in the matrix of models and items."""

from __future__ import annotations

import os
import statistics
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, text

from arena.clock import DAY_MS, HOUR_MS
from arena.context import Arena
from arena.db.migrate import current, head
from arena.db.tables import CampaignItem, CampaignModel, Clip, Model, Voter
from arena.db.tables_votes import Battle, Exclusion, Vote
from arena.errors import DatabaseUnavailable
from arena.service.campaigns import find
from arena.service.gold import outcomes
from arena.service.types_results import Health, VoterRow


def health(arena: Arena) -> Health:
    """State of the installation. Never raises for a database that is gone: `writable` says so."""
    media = arena.media_root.is_dir() and os.access(arena.media_root, os.R_OK)
    path = arena.database.path
    size = path.stat().st_size if path is not None and path.is_file() else None
    wal = path.with_name(path.name + "-wal") if path is not None else None
    wal_size = wal.stat().st_size if wal is not None and wal.is_file() else None
    try:
        writable, revision = arena.database.writable(), current(arena.database) == head()
        facts = _facts(arena)
    except DatabaseUnavailable:
        return Health(arena.database.describe(), False, False, media, size, wal_size, 0, 0, 0, 0, 0, None)
    return Health(arena.database.describe(), writable, revision, media, size, wal_size, **facts)


def _facts(arena: Arena) -> dict[str, Any]:
    now = arena.clock.now_ms()
    with arena.database.read() as session:

        def count(*where: Any) -> int:
            return session.scalar(select(func.count()).where(*where)) or 0

        recent = list(session.scalars(select(Vote.server_elapsed_ms).where(Vote.voted_ms > now - DAY_MS).limit(10_000)))
        return {
            "open_battles": count(Battle.status == "served"),
            "votes_last_hour": count(Vote.voted_ms > now - HOUR_MS),
            "votes_last_day": count(Vote.voted_ms > now - DAY_MS),
            "voters_last_day": count(Voter.last_seen_ms > now - DAY_MS),
            "missing_clips": count(Clip.status == "missing"),
            "median_vote_s": statistics.median(recent) / 1000 if recent else None,
        }


def voters(arena: Arena, campaign: str, *, limit: int = 500) -> list[VoterRow]:
    """Voters of a campaign, the most active first."""
    with arena.database.read() as session:
        row = find(session, campaign)
        counts = session.execute(
            text(
                "SELECT voter_id, COUNT(*) AS n, SUM(CASE WHEN v.choice = 'left' THEN 1 ELSE 0 END) AS lefts,"
                " SUM(CASE WHEN v.choice = 'right' THEN 1 ELSE 0 END) AS rights FROM votes v"
                " JOIN battles b ON b.id = v.battle_id WHERE b.campaign_id = :campaign AND b.kind <> 'practice'"
                " GROUP BY voter_id ORDER BY n DESC, voter_id LIMIT :limit"
            ),
            {"campaign": row.id, "limit": limit},
        ).all()
        ids = [r.voter_id for r in counts]
        people = {v.id: v for v in session.scalars(select(Voter).where(Voter.id.in_(ids)))}
        gold: dict[int, list[float]] = {}
        for voter, _, passed, _ in outcomes(session, row.id):
            gold.setdefault(voter, []).append(passed)
        times: dict[int, list[int]] = {}
        query = select(Battle.voter_id, Vote.server_elapsed_ms).join(Battle, Battle.id == Vote.battle_id)
        for voter, elapsed in session.execute(query.where(Battle.campaign_id == row.id, Battle.voter_id.in_(ids))):
            times.setdefault(voter, []).append(elapsed)
        out = set(
            session.scalars(
                select(Exclusion.target_id).where(Exclusion.scope == "voter", Exclusion.revoked_ms.is_(None))
            )
        )
        return [_voter_row(people[r.voter_id], r, gold, times, out) for r in counts]


def _voter_row(v: Voter, r: Any, gold: dict[int, list[float]], times: dict[int, list[int]], out: set[int]) -> VoterRow:
    seen = gold.get(v.id, [])
    decisive = r.lefts + r.rights
    median = statistics.median(times[v.id]) / 1000 if v.id in times else None
    return VoterRow(
        v.id, v.kind, v.cohort, v.state, v.device, r.n, sum(p == 0 for p in seen), len(seen),
        r.lefts / decisive if decisive else None, median, v.last_seen_ms, v.id in out,
    )  # fmt: skip


@dataclass(frozen=True)
class Hour:
    start_ms: int
    votes: int


def traffic(arena: Arena, campaign: str, *, hours: int = 48) -> list[Hour]:
    """Votes per hour, oldest first; hours without votes are there with 0."""
    now = arena.clock.now_ms()
    first = (now // HOUR_MS - hours + 1) * HOUR_MS
    with arena.database.read() as session:
        row = find(session, campaign)
        query = select(Vote.voted_ms).join(Battle, Battle.id == Vote.battle_id)
        times = session.scalars(query.where(Battle.campaign_id == row.id, Vote.voted_ms >= first))
        counts = [0] * hours
        for at in times:
            counts[min((at - first) // HOUR_MS, hours - 1)] += 1
    return [Hour(first + i * HOUR_MS, n) for i, n in enumerate(counts)]


@dataclass(frozen=True)
class ModelCells:
    """How many of a campaign's items a model has ready, missing or broken clips for."""

    model: str
    display_name: str
    status: str
    ready: int
    missing: int
    broken: int
    absent: int
    loudness_min: float | None
    loudness_max: float | None


def cells(arena: Arena, campaign: str) -> list[ModelCells]:
    """Import state of every model of a campaign."""
    with arena.database.read() as session:
        row = find(session, campaign)
        members = select(CampaignItem.item_id).where(CampaignItem.campaign_id == row.id)
        total = session.scalar(select(func.count()).select_from(members.subquery())) or 0
        models = session.scalars(
            select(Model)
            .join(CampaignModel, CampaignModel.model_id == Model.id)
            .where(CampaignModel.campaign_id == row.id)
            .order_by(Model.slug)
        )
        found = []
        for model in models:
            rows = session.execute(
                select(Clip.status, func.count(), func.min(Clip.served_lufs), func.max(Clip.served_lufs))
                .where(Clip.model_id == model.id, Clip.item_id.in_(members), Clip.take == 0)
                .group_by(Clip.status)
            ).all()
            by = {r[0]: r for r in rows}
            count = {status: by[status][1] if status in by else 0 for status in ("ready", "missing", "broken")}
            ready = by.get("ready", (None, 0, None, None))
            found.append(
                ModelCells(
                    model.slug, model.display_name, model.status, count["ready"], count["missing"], count["broken"],
                    total - sum(r[1] for r in rows), ready[2], ready[3],
                )
            )  # fmt: skip
        return found
