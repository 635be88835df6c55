"""What every visit asks first, in one statement: the campaign, the voter, and the voter's open battle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, select

from arena.config import CampaignConfig, campaign_config
from arena.context import Arena
from arena.db.tables import Campaign, Voter
from arena.db.tables_votes import Battle
from arena.db.types import core_table
from arena.errors import ArenaError
from arena.service.types import CampaignStatus

_campaigns, _voters, _battles = core_table(Campaign), core_table(Voter), core_table(Battle)
_OPEN = tuple(column for column in _battles.c)


@dataclass(frozen=True)
class Visit:
    """battle: the open one's columns, or None."""

    campaign_id: int
    slug: str
    status: CampaignStatus
    seed: int
    config: CampaignConfig
    config_version: int
    voter_id: int
    state: str
    understands: tuple[str, ...]
    net_hash: str | None
    invite_id: int | None
    battle: Any
    now: int


_QUERY = (
    select(
        _campaigns.c.id.label("campaign"), _campaigns.c.slug, _campaigns.c.status.label("campaign_status"),
        _campaigns.c.seed, _campaigns.c.config_version, _voters.c.id.label("voter"), _voters.c.state,
        _voters.c.understands, _voters.c.net_hash, _voters.c.invite_id, *_OPEN,
    )
    .select_from(_campaigns)
    .join(_voters, _voters.c.id.is_not(None))
    .outerjoin(
        _battles,
        (_battles.c.campaign_id == _campaigns.c.id)
        & (_battles.c.voter_id == _voters.c.id)
        & (_battles.c.status == "served"),
    )
)  # fmt: skip


def visit(arena: Arena, connection: Connection, voter_id: int, campaign: str) -> Visit:
    """Raises ArenaError for a campaign or voter that is not there."""
    row = connection.execute(_QUERY.where(_campaigns.c.slug == campaign, _voters.c.id == voter_id)).one_or_none()
    if row is None:
        raise ArenaError(f"there is no campaign '{campaign}', or no voter {voter_id}")
    return Visit(
        row.campaign, row.slug, cast(CampaignStatus, row.campaign_status), row.seed,
        configuration(arena, connection, row.campaign, row.config_version), row.config_version, row.voter, row.state,
        tuple(row.understands or ()), row.net_hash, row.invite_id, row if row.token is not None else None,
        arena.clock.now_ms(),
    )  # fmt: skip


def configuration(arena: Arena, connection: Connection, campaign_id: int, version: int) -> CampaignConfig:
    """A campaign's configuration, validated once per version."""
    known = arena.configurations.get((campaign_id, version))
    if known is None:
        stored = connection.execute(select(_campaigns.c.config).where(_campaigns.c.id == campaign_id)).scalar_one()
        known = arena.configurations[campaign_id, version] = campaign_config(stored)
    return known
