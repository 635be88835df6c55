"""Looking at clips by name: only items that are in no battle, or everything once a campaign is closed."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import Session

from arena.context import Arena
from arena.db.tables import Campaign, CampaignItem, CampaignModel, Clip, Item, Model
from arena.db.tables_results import ExternalScore
from arena.errors import NotAllowed
from arena.service.campaigns import find, view_of
from arena.service.types import MediaFile, MediaRefused
from arena.service.types_results import BrowseClip, BrowseItem, BrowsePage


def _released(campaign: Campaign) -> bool:
    """Whether all items may be seen by name."""
    return campaign.status == "closed" and view_of(campaign).config.reveal != "never"


def _visible(campaign: Campaign) -> ColumnElement[bool]:
    members = select(CampaignItem.item_id).where(CampaignItem.campaign_id == campaign.id)
    shown = Item.id.in_(members) & (Item.status == "active")
    if _released(campaign):
        return shown
    # an item with `browse` is in no battle of any campaign, whatever its status
    return shown & Item.browse


def items(arena: Arena, campaign: str, *, category: str | None = None, set_name: str | None = None) -> list[BrowseItem]:
    """Items that may be looked at, by benchmark and key. Items whose licence forbids it are left out."""
    with arena.database.read() as session:
        row = find(session, campaign)
        clips = select(Clip.item_id, func.count().label("n")).where(Clip.status == "ready").group_by(Clip.item_id)
        ready = clips.subquery()
        query = (
            select(Item, ready.c.n)
            .join(ready, ready.c.item_id == Item.id)
            .where(_visible(row))
            .order_by(Item.benchmark, Item.item_key)
        )
        if category is not None:
            query = query.where(Item.category == category)
        if set_name is not None:
            query = query.where(Item.set_name == set_name)
        return [_item(item, n) for item, n in session.execute(query) if item.content_flags.get("public") is not False]


def _item(item: Item, n: int) -> BrowseItem:
    return BrowseItem(
        item.id, item.benchmark, item.item_key, item.set_name, item.category, item.language, item.prompt_en,
        item.prompt_zh, item.first_frame_path, n,
    )  # fmt: skip


def item(arena: Arena, campaign: str, item_id: int) -> BrowsePage:
    """All clips of an item side by side, by name, with automatic scores and what people said.

    Raises NotAllowed for an item that is (or may come) in a battle.
    """
    with arena.database.read() as session:
        row = find(session, campaign)
        found = session.scalars(select(Item).where(Item.id == item_id, _visible(row))).one_or_none()
        if found is None or found.content_flags.get("public") is False:
            raise NotAllowed("this item cannot be looked at by name while it is in battles")
        members = select(CampaignModel.model_id).where(
            CampaignModel.campaign_id == row.id, CampaignModel.declared_private.is_(False)
        )
        clips = session.execute(
            select(Clip, Model)
            .join(Model, Model.id == Clip.model_id)
            .where(Clip.item_id == item_id, Clip.take == 0, Clip.model_id.in_(members), Model.role != "gold")
            .order_by(Model.display_name)
        ).all()
        scores: dict[int, dict[str, tuple[float, bool]]] = {}
        query = select(ExternalScore).where(ExternalScore.clip_id.in_([clip.id for clip, _ in clips]))
        for score in session.scalars(query.order_by(ExternalScore.name)):
            scores.setdefault(score.clip_id, {})[score.name] = (score.value, score.higher_is_better)
        record = _record(session, row.id, item_id)
        return BrowsePage(
            _item(found, len(clips)),
            tuple(
                BrowseClip(
                    clip.id, model.slug, model.display_name, clip.serve_path if clip.status == "ready" else None,
                    clip.duration_ms, clip.width, clip.height, *record.get(clip.id, (0, 0, 0)), scores.get(clip.id, {}),
                )
                for clip, model in clips
            ),
        )  # fmt: skip


def _record(session: Session, campaign_id: int, item_id: int) -> dict[int, tuple[int, int, int]]:
    """Clip -> (won, tied, lost) of the overall judgements that count."""
    rows = session.execute(
        text(
            "SELECT CASE WHEN left_is_lo THEN clip_left_id ELSE clip_right_id END AS lower,"
            " CASE WHEN left_is_lo THEN clip_right_id ELSE clip_left_id END AS higher, outcome, COUNT(*) AS n"
            " FROM judgements WHERE campaign_id = :campaign AND item_id = :item AND criterion = 'overall'"
            " AND kind IN ('regular', 'panel') AND NOT excluded GROUP BY 1, 2, outcome"
        ),
        {"campaign": campaign_id, "item": item_id},
    )
    found: dict[int, list[int]] = {}
    for lower, higher, outcome, n in rows:
        place = {"lo": 0, "hi": 2}.get(outcome, 1)
        found.setdefault(lower, [0, 0, 0])[place] += n
        found.setdefault(higher, [0, 0, 0])[2 - place] += n
    return {clip: (won, tied, lost) for clip, (won, tied, lost) in found.items()}


def media(arena: Arena, campaign: str, clip_id: int) -> MediaFile | MediaRefused:
    """The file of a clip of an item that may be looked at."""
    with arena.database.read() as session:
        row = find(session, campaign)
        clip = session.execute(
            select(Clip.serve_path, Clip.serve_bytes)
            .join(Item, Item.id == Clip.item_id)
            .where(Clip.id == clip_id, Clip.status == "ready", _visible(row))
        ).one_or_none()
    if clip is None:
        return MediaRefused(404)
    path = arena.media_root / clip.serve_path
    return MediaFile(path, clip.serve_bytes) if path.is_file() else MediaRefused(404)
