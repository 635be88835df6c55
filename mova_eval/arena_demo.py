"""The demo arena: the truth clips of the mini benchmark, and three models that spoil them audibly or visibly."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mova_eval.arena_runs import read_sources
from mova_eval.cli.arena.common import write_config

if TYPE_CHECKING:
    from arena.context import Arena
    from arena.degrade import Kind
    from arena.service.types_results import Board

CAMPAIGN = "demo"
ITEMS = ("m03", "m07", "m13", "m14", "m15", "m16", "m18", "m20", "m22")
BROWSED = 3
"""Items kept out of battles: shown by name, and for practice."""
SPOILED: dict[str, tuple[Kind, float]] = {
    "Sound comes late": ("av_offset", 940.0),
    "Noisy sound": ("audio_noise", 890.0),
    "Coarse picture": ("heavy_compression", 1020.0),
}
TRUTH, TRUTH_RATING = "As rendered", 1150.0
_DAYS = 3
_VOTERS = 40


def build_demo(
    folder: Path, work: Path, *, votes: int, progress: Callable[[int, int], None], items: tuple[str, ...] = ITEMS
) -> Board | None:
    """Make the demo's configuration, database and media below `folder`; `work` holds what is only needed meanwhile.

    Returns the published board; None without votes.
    """
    from arena.clock import DAY_MS, FakeClock
    from arena.config import ArenaConfig
    from arena.context import open_arena

    clock = FakeClock(int(time.time() * 1000) - _DAYS * DAY_MS)
    place = folder.resolve()
    steps = 2 * len(items) * (len(SPOILED) + 1) + votes
    sources = _clips(work, items, lambda done: progress(done, steps))
    config = place / "arena.toml"
    unfinished = place / "arena.toml.partial"
    unfinished.unlink(missing_ok=True)
    for left in place.glob("arena.sqlite*"):
        left.unlink()  # of a demo that was stopped before it was complete
    write_config(unfinished, f"sqlite:///{place / 'arena.sqlite'}", media_root=str(place / "media"))
    arena = open_arena(ArenaConfig.load(unfinished, {}), clock=clock, create=True)
    made = len(items) * (len(SPOILED) + 1)
    _fill(arena, sources, lambda done: progress(made + done, steps))
    board = _vote(arena, votes, lambda done: progress(2 * made + done, steps)) if votes else None
    arena.close()
    unfinished.rename(config)
    return board


def _clips(work: Path, items: tuple[str, ...], step: Callable[[int], None]) -> list[tuple[str, Path]]:
    """Folders of clips by model name."""
    from arena.degrade import degrade
    from mova_eval.mini.render import render_truth

    rendered = render_truth(work / "truth", subset=items, progress=lambda _name, done, _total: step(done))
    sources = [(TRUTH, work / "truth" / "items")]
    done = len(items)
    for name, (kind, _) in SPOILED.items():
        folder = work / kind
        for clip in rendered:
            degrade(clip, folder / clip.name, kind)
            done += 1
            step(done)
        sources.append((name, folder))
    return sources


def _fill(arena: Arena, sources: list[tuple[str, Path]], step: Callable[[int], None]) -> None:
    from arena.media import renderer
    from arena.service import campaigns, importer

    batch = read_sources([path for _, path in sources], "mini", [name for name, _ in sources])
    there = {clip.item_key for clip in batch.clips}
    kept = [item for item in batch.items if item.item_key in there]
    arena.media_root.mkdir(parents=True, exist_ok=True)
    importer.import_models(arena, [replace(m, organisation="mova-eval demo", is_open=True) for m in batch.models])
    importer.import_items(arena, [replace(item, browse=at < BROWSED) for at, item in enumerate(kept)])
    report = importer.import_clips(
        arena, batch.clips, renderer(arena.media_root), progress=lambda done, _total: step(done)
    )
    if report.failed:
        raise RuntimeError(f"the demo's clips could not be imported: {report.warnings}")
    campaigns.create(
        arena,
        CAMPAIGN,
        title_en="Demo: four made-up models",
        title_zh="演示：四个虚构模型",
        config={"max_item_exposure": 6, "item_gap": 3},
    )
    campaigns.add_models(arena, CAMPAIGN, [name for name, _ in sources], "demo")
    campaigns.add_items(arena, CAMPAIGN, "demo")
    campaigns.set_status(arena, CAMPAIGN, "open", "demo")


def _vote(arena: Arena, count: int, step: Callable[[int], None]) -> Board:
    from arena.service import snapshots
    from arena.simulate import Scenario, Simulator

    ratings = {TRUTH: TRUTH_RATING, **{name: rating for name, (_, rating) in SPOILED.items()}}
    scenario = Scenario(CAMPAIGN, ratings, voters=_VOTERS, votes=count, item_sd=0.4, activity=3.0)
    arena.pools.refresh_ms = None  # only this process serves battles here
    Simulator(arena, CAMPAIGN, scenario).play(count, lambda done, _until: step(done))
    board = snapshots.compute(arena, CAMPAIGN, publish_now=True, actor="demo")
    for criterion in ("video", "audio", "sync", "prompt"):
        snapshots.compute(arena, CAMPAIGN, criterion, publish_now=True, actor="demo")
    arena.pools.refresh_ms = 60_000
    return board
