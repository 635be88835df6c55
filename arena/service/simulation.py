"""The simulator's own door to the database: worlds without files, and what is behind a battle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from arena.config import CampaignConfig
from arena.context import Arena
from arena.db.tables import Clip, GoldCheck, Item, Model
from arena.db.tables_votes import Battle
from arena.service import campaigns, gold, importer
from arena.service.types import NewClip, NewItem, NewModel, Rendition

FILE = "simulated.mp4"
BENCHMARK = "simulated"
_CONTENT = b"a clip of a simulation"
_GOLD = "gold-simulated"


@dataclass(frozen=True)
class Behind:
    """What a simulated voter sees in a battle. good_left: of a gold pair, else None."""

    kind: str
    model_left: str
    model_right: str
    item: int
    good_left: bool | None
    shown_ms: int


def reveal(arena: Arena, token: str) -> Behind:
    """The models and the item of a battle; for simulations only."""
    b = Battle
    with arena.database.read() as session:
        row = session.execute(
            select(b.kind, b.clip_left_id, b.clip_right_id, b.item_id, b.gold_check_id).where(b.token == token)
        ).one()
        clips = {
            clip: (slug, duration)
            for clip, slug, duration in session.execute(
                select(Clip.id, Model.slug, Clip.duration_ms)
                .join(Model, Model.id == Clip.model_id)
                .where(Clip.id.in_((row.clip_left_id, row.clip_right_id)))
            )
        }
        good = session.scalar(select(GoldCheck.clip_good_id).where(GoldCheck.id == row.gold_check_id))
    left, right = clips[row.clip_left_id], clips[row.clip_right_id]
    good_left = None if good is None else good == row.clip_left_id
    return Behind(row.kind, left[0], right[0], row.item_id, good_left, left[1] + right[1])


def _renderer(arena: Arena) -> importer.Renderer:
    place = arena.media_root / FILE
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        place.write_bytes(_CONTENT)
    return _Numbered(int(place.stat().st_mtime * 1000))


@dataclass
class _Numbered:
    """Every clip is the same little file under a content hash of its own; no media code is needed."""

    mtime_ms: int
    count: int = 0

    def __call__(self, source: Any, /) -> Rendition:
        self.count += 1
        sha = f"{self.count:064x}"
        return Rendition(
            sha, len(_CONTENT), 5000, 1280, 720, 24, 1, "h264", "aac", 48000, 2, -23.0, -1.0, 0.0, -23.0, FILE, sha,
            len(_CONTENT), 0, "simulated-1",
        )  # fmt: skip


def build(
    arena: Arena,
    slug: str,
    models: Sequence[str],
    items: int,
    *,
    config: CampaignConfig,
    seed: int,
    gold_pairs: int = 12,
    languages: Sequence[str] = ("en",),
    late: Sequence[str] = (),
) -> None:
    """Models, items, clips and an open campaign of a simulation. late: models that join afterwards (`join`)."""
    importer.import_models(arena, [NewModel(m) for m in (*models, *late)])
    importer.import_models(arena, [NewModel(_GOLD, role="gold")])
    new = [
        NewItem(
            BENCHMARK,
            f"{i:05d}",
            f"set{i % 3 + 1}",
            prompt_en=f"simulated prompt {i}",
            language=languages[i % len(languages)],  # type: ignore[arg-type]
            category=("speech", "music", "scene")[i % 3],
            has_speech=i % 3 == 0,
        )
        for i in range(items)
    ]
    importer.import_items(arena, new)
    _renderer(arena)
    source = arena.media_root / FILE
    clips = [NewClip(m, BENCHMARK, item.item_key, source) for m in (*models, *late) for item in new]
    clips += [NewClip(_GOLD, BENCHMARK, item.item_key, source) for item in new[:gold_pairs]]
    importer.import_clips(arena, clips, _renderer(arena))
    campaigns.create(arena, slug, title_en="Simulated campaign", config=config, seed=seed)
    campaigns.add_models(arena, slug, list(models), "simulator")
    campaigns.add_items(arena, slug, "simulator", benchmarks=[BENCHMARK])
    _add_gold(arena, slug, models[0], gold_pairs)
    campaigns.set_status(arena, slug, "open", "simulator")


def _add_gold(arena: Arena, slug: str, model: str, count: int) -> None:
    with arena.database.read() as session:
        ids = {
            name: dict(
                session.execute(
                    select(Clip.item_id, Clip.id).join(Model, Model.id == Clip.model_id).where(Model.slug == name)
                ).all()
            )
            for name in (model, _GOLD)
        }
        items = list(session.scalars(select(Item.id).where(Item.benchmark == BENCHMARK).order_by(Item.id).limit(count)))
    for item in items:
        gold.add(arena, slug, ids[model][item], ids[_GOLD][item], "audio_noise", "simulator")
