"""What the pages ask about one visit: how far a voter is, the first frame of his battle, whom an invitation is from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from arena.clock import DAY_MS
from arena.config import campaign_config
from arena.context import Arena
from arena.db.tables import Campaign, Clip, Invite, Item, Model
from arena.db.tables_votes import Battle
from arena.service.types import MediaFile, MediaRefused
from arena.tokens import keyed_hash, well_formed

_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}


@dataclass(frozen=True)
class Activity:
    """Answers of a voter in one campaign. total, today (the last 24 hours): without practice."""

    total: int = 0
    today: int = 0
    practice: int = 0
    skipped: int = 0


def activity(arena: Arena, voter_id: int, campaign: str) -> Activity:
    """How much a voter has done in a campaign."""
    practice, voted = Battle.kind == "practice", Battle.status == "voted"
    recent = Battle.closed_ms > arena.clock.now_ms() - DAY_MS
    with arena.database.read() as session:
        row = session.execute(
            select(
                func.count().filter(voted & ~practice),
                func.count().filter(voted & ~practice & recent),
                func.count().filter(voted & practice),
                func.count().filter(Battle.status == "skipped"),
            )
            .join(Campaign, Campaign.id == Battle.campaign_id)
            .where(Battle.voter_id == voter_id, Campaign.slug == campaign)
        ).one()
    return Activity(*row)


def revealed(arena: Arena, voter_id: int, token: str) -> tuple[str, str] | None:
    """Display names (left, right) of the voter's own answered battle, where the campaign tells them after each vote."""
    with arena.database.read() as session:
        battle = session.scalars(select(Battle).where(Battle.token == token)).one_or_none()
        if battle is None or battle.voter_id != voter_id or battle.status != "voted" or battle.kind == "gold":
            return None
        campaign = session.get_one(Campaign, battle.campaign_id)
        if campaign_config(campaign.config).reveal != "after_vote":
            return None
        names = dict(
            session.execute(
                select(Clip.id, Model.display_name)
                .join(Model, Model.id == Clip.model_id)
                .where(Clip.id.in_((battle.clip_left_id, battle.clip_right_id)))
            )
            .tuples()
            .all()
        )
    return names[battle.clip_left_id], names[battle.clip_right_id]


def ended_as(arena: Arena, voter_id: int, token: str) -> str | None:
    """Status of the voter's own battle: "served" while it is open; None for any other battle."""
    with arena.database.read() as session:
        return session.scalar(select(Battle.status).where(Battle.token == token, Battle.voter_id == voter_id))


def first_frame(arena: Arena, voter_id: int | None, token: str) -> MediaFile | MediaRefused:
    """The first frame of the voter's own battle. 404: none, 403: somebody else's."""
    if not well_formed(token):
        return MediaRefused(404)
    with arena.database.read() as session:
        row = session.execute(
            select(Battle.voter_id, Item.first_frame_path)
            .join(Item, Item.id == Battle.item_id)
            .where(Battle.token == token)
        ).one_or_none()
    if row is None or row.first_frame_path is None:
        return MediaRefused(404)
    if voter_id is None or row.voter_id != voter_id:
        return MediaRefused(403)
    return picture(arena.media_root, row.first_frame_path)


def picture(media_root: Path, place: str) -> MediaFile | MediaRefused:
    """A picture below the media root; 404 for anything else."""
    root = media_root.resolve()
    path = (root / place).resolve()
    kind = _TYPES.get(path.suffix.lower())
    if kind is None or not path.is_relative_to(root) or not path.is_file():
        return MediaRefused(404)
    return MediaFile(path, path.stat().st_size, kind)


def campaign_of_invite(arena: Arena, token: str) -> str | None:
    """The campaign that a private link is for; None for a token that no link has."""
    if not well_formed(token):
        return None
    digest = keyed_hash(arena.config.secret, "invite", token)
    with arena.database.read() as session:
        return session.scalar(
            select(Campaign.slug).join(Invite, Invite.campaign_id == Campaign.id).where(Invite.token_hash == digest)
        )
