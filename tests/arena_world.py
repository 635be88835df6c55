"""An arena with models, items, files and an open campaign, for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.clock import Clock, FakeClock
from arena.config import ArenaConfig
from arena.context import Arena
from arena.db.engine import Database
from arena.service import battles, campaigns, importer, voters, votes
from arena.service.types import BattleView, NewClip, NewItem, NewModel, Rendition, Telemetry, VoteOutcome

SECRET = "a secret of at least thirty-two characters"
WATCHED = Telemetry(watched_left=1.0, watched_right=1.0, plays_left=1, plays_right=1, first_played="left")


def copy_renderer(media_root: Path) -> importer.Renderer:
    """Stands in for the media code where the content of the files does not matter: the file itself is served."""

    def render(source: Path, /) -> Rendition:
        content = source.read_bytes()
        sha = hashlib.sha256(content).hexdigest()
        place = media_root / "clips" / f"{sha}.mp4"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return Rendition(
            sha, len(content), 3000, 640, 360, 25, 1, "h264", "aac", 48000, 2, -23.0, -1.5, 0.0, -23.0,
            f"clips/{sha}.mp4", sha, len(content), int(place.stat().st_mtime * 1000), "copy-1",
        )  # fmt: skip

    return render


@dataclass
class World:
    arena: Arena
    clock: FakeClock
    sources: Path
    campaign: str = "main"

    def voter(self, **options: Any) -> int:
        started = voters.start(self.arena, self.campaign, **options)
        assert isinstance(started, voters.Started), started
        return started.voter_id

    def battle(self, voter: int) -> BattleView:
        found = battles.current_battle(self.arena, voter, self.campaign)
        assert isinstance(found, BattleView), found
        return found

    def vote(self, voter: int, choice: str = "left", **answers: str) -> VoteOutcome:
        """Answer the voter's open (or next) battle, ten seconds after it was served."""
        shown = self.battle(voter)
        self.clock.advance(10_000)
        return votes.cast_vote(self.arena, voter, shown.token, {"overall": choice, **answers}, WATCHED)  # type: ignore[dict-item]


def make_world(
    url: str,
    media_root: Path,
    *,
    clock: Clock | None = None,
    models: int = 3,
    items: int = 12,
    config: Mapping[str, Any] | None = None,
    browse: int = 0,
    open_: bool = True,
    secret: str = SECRET,
) -> World:
    """Models m0.., items i0.. (the first `browse` of them shown openly), one clip each; campaign "main".

    Gold, repeats, panel and practice are off unless `config` says otherwise.
    """
    clock = clock or FakeClock()
    settings = ArenaConfig(database=url, media_root=media_root, secret=secret)
    arena = Arena(settings, Database(url, clock=clock), clock)
    sources = media_root.parent / "sources"
    sources.mkdir(parents=True, exist_ok=True)
    names = [f"m{m}" for m in range(models)]
    importer.import_models(arena, [NewModel(name) for name in names])
    prompts = [
        NewItem("bench", f"i{i}", f"set{i % 2}", prompt_en=f"prompt {i}", category=f"c{i % 3}", browse=i < browse)
        for i in range(items)
    ]
    importer.import_items(arena, prompts)
    clips = []
    for name in names:
        for item in prompts:
            path = sources / f"{name}-{item.item_key}.mp4"
            path.write_bytes(f"{name} {item.item_key}".encode())
            clips.append(NewClip(name, "bench", item.item_key, path))
    report = importer.import_clips(arena, clips, copy_renderer(media_root))
    assert report.failed == 0, report.warnings
    quiet = {"overlap_share": 0, "repeat_every": 0, "practice": 0}
    campaigns.create(arena, "main", config={**quiet, **(config or {})}, seed=7)
    campaigns.add_models(arena, "main", names, "test")
    campaigns.add_items(arena, "main", "test")
    if open_:
        campaigns.set_status(arena, "main", "open", "test")
    assert isinstance(clock, FakeClock) or clock is not None
    return World(arena, clock, sources)  # type: ignore[arg-type]
