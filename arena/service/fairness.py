"""What a leaderboard prints so that readers can trust it: counts, shares, exclusions by rule, changes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from arena.context import Arena
from arena.db.tables import CampaignItem, CampaignModel, Model
from arena.db.tables_votes import AuditEntry, Battle
from arena.service.campaigns import find
from arena.service.types_results import FairPlay, Progress


def progress(arena: Arena, campaign: str) -> Progress:
    """Counts for the page before there is a ranking."""
    with arena.database.read() as session:
        row = find(session, campaign)
        b = Battle
        voted = (b.campaign_id == row.id, b.status == "voted", b.kind != "practice")
        votes, voters, items = session.execute(
            select(func.count(), func.count(b.voter_id.distinct()), func.count(b.item_id.distinct())).where(*voted)
        ).one()
        battles = session.scalar(select(func.count()).select_from(b).where(b.campaign_id == row.id)) or 0
        all_items = session.scalar(
            select(func.count()).select_from(CampaignItem).where(CampaignItem.campaign_id == row.id)
        )
        models = session.scalar(
            select(func.count()).select_from(CampaignModel).where(CampaignModel.campaign_id == row.id)
        )
        return Progress(votes, voters, battles, items, all_items or 0, models or 0)


def fair_play(arena: Arena, campaign: str) -> FairPlay:
    """What the leaderboard prints so that readers can trust it."""
    with arena.database.read() as session:
        row = find(session, campaign)
        members = session.execute(
            select(Model, CampaignModel)
            .join(CampaignModel, CampaignModel.model_id == Model.id)
            .where(CampaignModel.campaign_id == row.id, Model.role != "gold")
        ).all()
        b = Battle
        counts: dict[int, int] = {}
        for side in (b.model_lo_id, b.model_hi_id):
            query = select(side, func.count()).where(b.campaign_id == row.id, b.kind.in_(("regular", "panel")))
            for model, count in session.execute(query.group_by(side)):
                counts[model] = counts.get(model, 0) + count
        total = sum(counts.get(m.id, 0) for m, _ in members) or 1
        return FairPlay(
            sum(c.declared_private for _, c in members),
            _by_rule(session, row.id),
            {m.slug: counts.get(m.id, 0) / total for m, c in members if not c.declared_private},
            tuple(_changes(session, row.slug)),
            tuple((m.slug, m.retired_ms, m.status_reason) for m, _ in members if m.retired_ms is not None),
        )


def _by_rule(session: Session, campaign_id: int) -> dict[str, int]:
    """Overall judgements that each rule in force keeps out."""
    columns = {
        "vote": "j.vote_id = e.target_id",
        "battle": "j.battle_id = e.target_id",
        "voter": "j.voter_id = e.target_id",
        "clip": "(j.clip_left_id = e.target_id OR j.clip_right_id = e.target_id)",
        "item": "j.item_id = e.target_id",
        "model": "(j.model_lo_id = e.target_id OR j.model_hi_id = e.target_id)",
    }
    found: dict[str, int] = {}
    for scope, condition in columns.items():
        rows = session.execute(
            text(
                f"SELECT e.rule, COUNT(DISTINCT j.vote_id) FROM exclusions e JOIN judgements j ON {condition}"
                " WHERE e.revoked_ms IS NULL AND e.scope = :scope AND j.campaign_id = :campaign"
                " AND j.criterion = 'overall' AND j.kind IN ('regular', 'panel') GROUP BY e.rule"
            ),
            {"scope": scope, "campaign": campaign_id},
        )
        for rule, count in rows:
            found[rule] = found.get(rule, 0) + count
    return found


def _changes(session: Session, slug: str) -> list[tuple[int, str, dict[str, Any]]]:
    wanted = ("campaign_configured", "campaign_opened", "campaign_paused", "campaign_closed", "models_joined")
    rows = session.scalars(
        select(AuditEntry)
        .where(AuditEntry.target_type == "campaign", AuditEntry.target_id == slug, AuditEntry.action.in_(wanted))
        .order_by(AuditEntry.id.desc())
        .limit(100)
    )
    return [(r.at_ms, r.action, r.detail) for r in rows]
