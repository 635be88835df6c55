"""Campaigns: create, configure, open, pause, close, and who and what takes part."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import numpy as np
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from arena.config import CampaignConfig, campaign_config
from arena.context import Arena
from arena.db.tables import Campaign, CampaignItem, CampaignModel, Item, Model, PanelCell
from arena.errors import ArenaError
from arena.select import panel_cells, seed_for
from arena.service import audit
from arena.service.types import CampaignStatus, CampaignView

CONSENT_VERSION = "2026-1"
_NEXT: dict[str, set[str]] = {
    "draft": {"open"},
    "open": {"paused", "closed"},
    "paused": {"open", "closed"},
    "closed": {"open"},
}
_ACTIONS = {"open": "opened", "paused": "paused", "closed": "closed"}


def view_of(row: Campaign) -> CampaignView:
    return CampaignView(
        row.id,
        row.slug,
        row.title_en,
        row.title_zh,
        cast(CampaignStatus, row.status),
        campaign_config(row.config),
        row.config_version,
        row.consent_version,
        row.seed,
        row.opened_ms,
        row.closed_ms,
    )


def find(session: Session, slug: str) -> Campaign:
    """Raises ArenaError, naming what there is."""
    row = session.scalars(select(Campaign).where(Campaign.slug == slug)).one_or_none()
    if row is None:
        known = ", ".join(session.scalars(select(Campaign.slug).order_by(Campaign.id)))
        raise ArenaError(f"there is no campaign '{slug}'; there is {known}" if known else "there is no campaign yet")
    return row


def get(arena: Arena, slug: str) -> CampaignView:
    with arena.database.read() as session:
        return view_of(find(session, slug))


def list_all(arena: Arena) -> list[CampaignView]:
    """All campaigns, the newest first."""
    with arena.database.read() as session:
        return [view_of(row) for row in session.scalars(select(Campaign).order_by(Campaign.id.desc()))]


def default(arena: Arena) -> CampaignView | None:
    """The campaign that pages show unless told otherwise: the newest open one, else the newest that was opened."""
    campaigns = list_all(arena)
    ranked = sorted(campaigns, key=lambda c: ({"open": 0, "paused": 1, "closed": 2, "draft": 3}[c.status], -c.id))
    return ranked[0] if ranked else None


def create(
    arena: Arena,
    slug: str,
    *,
    title_en: str = "",
    title_zh: str = "",
    config: Mapping[str, Any] | CampaignConfig | None = None,
    seed: int | None = None,
    actor: str = "system",
) -> CampaignView:
    """A new campaign in draft. Raises ArenaError for a slug that is taken or malformed."""
    if not slug or len(slug) > 64 or not all(c.isalnum() or c in "-_." for c in slug):
        raise ArenaError(f"'{slug}' is no campaign name: use up to 64 letters, digits, '-', '_' or '.'")
    settings = config if isinstance(config, CampaignConfig) else campaign_config(config or {})

    def unit(session: Session) -> CampaignView:
        if session.scalar(select(Campaign.id).where(Campaign.slug == slug)) is not None:
            raise ArenaError(f"there is a campaign '{slug}' already")
        row = Campaign(
            slug=slug,
            title_en=title_en or slug,
            title_zh=title_zh or title_en or slug,
            config=settings.model_dump(mode="json"),
            config_version=1,
            consent_version=CONSENT_VERSION,
            seed=seed if seed is not None else secrets.randbits(62),
            status="draft",
            created_ms=arena.clock.now_ms(),
        )
        session.add(row)
        session.flush()
        audit.append(session, row.created_ms, actor, "campaign_created", ("campaign", slug), row.config)
        return view_of(row)

    return arena.database.write(unit)


def configure(arena: Arena, slug: str, changes: Mapping[str, Any], actor: str) -> CampaignView:
    """Change configuration keys; the whole new configuration is validated and the change is audited."""

    def unit(session: Session) -> CampaignView:
        row = find(session, slug)
        new = campaign_config({**row.config, **changes}).model_dump(mode="json")
        changed = {key: [row.config.get(key), value] for key, value in new.items() if row.config.get(key) != value}
        if changed:
            row.config, row.config_version = new, row.config_version + 1
            session.flush()
            audit.append(session, arena.clock.now_ms(), actor, "campaign_configured", ("campaign", slug), changed)
        return view_of(row)

    found = arena.database.write(unit)
    arena.pools.forget(found.id)
    return found


def set_status(arena: Arena, slug: str, status: CampaignStatus, actor: str, reason: str = "") -> CampaignView:
    """Open, pause or close. Opening draws the overlap panel once, and needs two models with a common item."""

    def unit(session: Session) -> CampaignView:
        row, now = find(session, slug), arena.clock.now_ms()
        if status == row.status:
            return view_of(row)
        if status not in _NEXT[row.status]:
            raise ArenaError(f"campaign '{slug}' is {row.status}; it cannot become {status}")
        if status == "open":
            _prepare_opening(session, row)
            row.opened_ms = row.opened_ms or now
        row.closed_ms = now if status == "closed" else None
        row.status = status
        session.flush()
        audit.append(session, now, actor, f"campaign_{_ACTIONS[status]}", ("campaign", slug), {"reason": reason})
        return view_of(row)

    found = arena.database.write(unit)
    arena.pools.forget(found.id)
    return found


def _prepare_opening(session: Session, campaign: Campaign) -> None:
    from arena.service.pool import read_catalogue

    catalogue = read_catalogue(session.connection(), campaign.id)
    playable = catalogue.playable()
    if not playable.any():
        raise ArenaError(
            f"campaign '{campaign.slug}' has no two models with different clips for the same item; import clips first"
        )
    if session.scalar(select(PanelCell.item_id).where(PanelCell.campaign_id == campaign.id).limit(1)) is not None:
        return
    rng = np.random.default_rng(seed_for(campaign.seed, "panel"))
    cells = panel_cells(rng, playable, campaign_config(campaign.config).panel_cells)
    rows = [
        {
            "campaign_id": campaign.id,
            "model_lo_id": int(catalogue.models[catalogue.pairs[pair, 0]]),
            "model_hi_id": int(catalogue.models[catalogue.pairs[pair, 1]]),
            "item_id": int(catalogue.items[item]),
        }
        for pair, item in cells
    ]
    if rows:
        session.execute(insert(PanelCell), rows)
        chosen = {row["item_id"] for row in rows}
        session.execute(
            update(CampaignItem)
            .where(CampaignItem.campaign_id == campaign.id, CampaignItem.item_id.in_(chosen))
            .values(in_panel=True)
        )


def add_models(arena: Arena, slug: str, models: Sequence[str], actor: str, *, private: bool = False) -> int:
    """Let models take part; returns how many are new. Raises ArenaError for an unknown one."""

    def unit(session: Session) -> tuple[int, int]:
        campaign, now = find(session, slug), arena.clock.now_ms()
        known = {m.slug: m for m in session.scalars(select(Model).where(Model.slug.in_(models)))}
        for wanted in models:
            if wanted not in known:
                raise ArenaError(f"there is no model '{wanted}'; import its clips first")
        there = set(session.scalars(select(CampaignModel.model_id).where(CampaignModel.campaign_id == campaign.id)))
        new = [known[wanted] for wanted in dict.fromkeys(models) if known[wanted].id not in there]
        for model in new:
            session.add(
                CampaignModel(campaign_id=campaign.id, model_id=model.id, joined_ms=now, declared_private=private)
            )
        if new:
            session.flush()
            audit.append(session, now, actor, "models_joined", ("campaign", slug), {"models": [m.slug for m in new]})
        return campaign.id, len(new)

    campaign_id, count = arena.database.write(unit)
    arena.pools.forget(campaign_id)
    return count


def add_items(arena: Arena, slug: str, actor: str, *, benchmarks: Sequence[str] | None = None) -> int:
    """Put all items (of some benchmarks) that the campaign does not have yet into it; returns how many."""

    def unit(session: Session) -> tuple[int, int]:
        campaign = find(session, slug)
        there = select(CampaignItem.item_id).where(CampaignItem.campaign_id == campaign.id)
        query = select(Item.id).where(Item.id.not_in(there)).order_by(Item.id)
        if benchmarks is not None:
            query = query.where(Item.benchmark.in_(benchmarks))
        new = list(session.scalars(query))
        if new:
            session.execute(
                insert(CampaignItem), [{"campaign_id": campaign.id, "item_id": i, "in_panel": False} for i in new]
            )
            audit.append(session, arena.clock.now_ms(), actor, "items_joined", ("campaign", slug), {"items": len(new)})
        return campaign.id, len(new)

    campaign_id, count = arena.database.write(unit)
    arena.pools.forget(campaign_id)
    return count


def set_model_status(
    arena: Arena, model: str, status: Literal["active", "paused", "retired"], reason: str, actor: str
) -> None:
    """Pause or retire a model everywhere; it stays in every table of the past. A retirement needs a reason."""
    if status == "retired" and not reason.strip():
        raise ArenaError(f"retiring '{model}' needs a reason, which the leaderboard shows")

    def unit(session: Session) -> None:
        row, now = session.scalars(select(Model).where(Model.slug == model)).one_or_none(), arena.clock.now_ms()
        if row is None:
            raise ArenaError(f"there is no model '{model}'")
        before, row.status, row.status_reason = row.status, status, reason
        row.retired_ms = now if status == "retired" else None
        session.flush()
        audit.append(
            session, now, actor, "model_status", ("model", model), {"from": before, "to": status, "reason": reason}
        )

    arena.database.write(unit)
    arena.pools.forget_all()


def contestants(arena: Arena) -> list[str]:
    """All active models that are rated."""
    with arena.database.read() as session:
        query = select(Model.slug).where(Model.role != "gold", Model.status == "active").order_by(Model.id)
        return list(session.scalars(query))
