"""Making gold pairs: degrade ready clips, import the result under a gold pseudo-model."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from sqlalchemy import Row, select

from arena.context import Arena
from arena.db.tables import CampaignItem, CampaignModel, Clip, Item, Model
from arena.degrade import KINDS, Kind, degrade
from arena.errors import ArenaError
from arena.service import gold, importer
from arena.service.campaigns import find
from arena.service.types import NewClip, NewModel


def make(
    arena: Arena,
    campaign: str,
    kinds: Sequence[str],
    per_kind: int,
    render: importer.Renderer,
    *,
    seed: int = 0,
    actor: str = "system",
) -> int:
    """Make `per_kind` gold pairs of each kind from the campaign's ready clips; returns how many.

    Each kind has a pseudo-model of its own ("gold-av_offset"); an item that has a pair of a kind gets no second one.
    Raises ArenaError for an unknown kind, or a campaign without enough clips.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise ArenaError(f"'{kind}' is no kind of gold pair; there is {', '.join(KINDS)}")
    clips = _ready(arena, campaign)
    if len({clip.item_id for clip in clips}) < 2:
        raise ArenaError(f"campaign '{campaign}' has too few ready clips to make gold pairs from")
    rng, made = np.random.default_rng(seed), 0
    with tempfile.TemporaryDirectory(prefix="arena-gold-") as folder:
        for kind in kinds:
            made += _make_kind(arena, campaign, cast(Kind, kind), per_kind, clips, render, rng, Path(folder), actor)
    return made


def _ready(arena: Arena, campaign: str) -> list[Row[Any]]:
    with arena.database.read() as session:
        row = find(session, campaign)
        members = select(CampaignModel.model_id).where(CampaignModel.campaign_id == row.id)
        items = select(CampaignItem.item_id).where(CampaignItem.campaign_id == row.id)
        query = (
            select(Clip.id, Clip.item_id, Clip.serve_path, Item.benchmark, Item.item_key)
            .join(Item, Item.id == Clip.item_id)
            .join(Model, Model.id == Clip.model_id)
            .where(Clip.status == "ready", Clip.take == 0, Clip.model_id.in_(members), Clip.item_id.in_(items))
            .where(Item.browse.is_(False), Item.status == "active", Model.role != "gold")
            .order_by(Clip.id)
        )
        return cast(list[Row[Any]], list(session.execute(query)))


def _make_kind(
    arena: Arena,
    campaign: str,
    kind: Kind,
    count: int,
    clips: list[Row[Any]],
    render: importer.Renderer,
    rng: np.random.Generator,
    folder: Path,
    actor: str,
) -> int:
    model = f"gold-{kind}"
    importer.import_models(arena, [NewModel(model, role="gold")], actor)
    made = 0
    used: set[int] = set()
    for at in rng.permutation(len(clips)):
        clip = clips[at]
        others = [c for c in clips if c.item_id != clip.item_id]
        if made == count:
            break
        if clip.item_id in used or _there(arena, model, clip.item_id):
            continue
        other = others[int(rng.integers(len(others)))]
        target = folder / kind / f"{clip.id}.mp4"
        degrade(arena.media_root / clip.serve_path, target, kind, other=arena.media_root / other.serve_path)
        report = importer.import_clips(
            arena, [NewClip(model, clip.benchmark, clip.item_key, target)], render, actor=actor
        )
        if report.added:
            gold.add(arena, campaign, clip.id, _clip(arena, model, clip.item_id), kind, actor)
            used.add(clip.item_id)
            made += 1
    return made


def _clip(arena: Arena, model: str, item: int) -> int:
    with arena.database.read() as session:
        query = select(Clip.id).join(Model, Model.id == Clip.model_id)
        return session.scalars(query.where(Model.slug == model, Clip.item_id == item)).one()


def _there(arena: Arena, model: str, item: int) -> bool:
    with arena.database.read() as session:
        query = select(Clip.id).join(Model, Model.id == Clip.model_id)
        return session.scalar(query.where(Model.slug == model, Clip.item_id == item)) is not None
