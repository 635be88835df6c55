"""A real site for tests: little clips with picture and tone, a database, the server as a process, a browser."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support import make_clip, tone

ROOT = Path(__file__).resolve().parents[1]
SECRET = "a secret of at least thirty-two characters"
MODELS = ("veiled-crane-7b", "opal-badger-xl", "quartz-heron-v2")
"""Names that must not be seen while a study is open; nothing else on the site contains them."""
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=user-gesture-required",
]


def film(model: int, item: int) -> Any:
    """Test pictures: a ramp in a colour of the model, with a bar that moves."""

    def picture(index: int) -> NDArray[np.uint8]:
        frame = np.empty((96, 160, 3), np.uint8)
        frame[..., model % 3] = np.linspace(40, 220, 160)[None, :]
        frame[..., (model + 1) % 3] = 60 + 20 * item % 120
        frame[..., (model + 2) % 3] = 90
        frame[:, (index * 4) % 150 : (index * 4) % 150 + 10] = 240
        return frame

    return picture


def make_sources(folder: Path, items: int, *, seconds: float = 2.0) -> dict[tuple[str, int], Path]:
    """One clip per model and item; all different."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for m, model in enumerate(MODELS):
        for i in range(items):
            sound = tone(seconds, rate=48_000, frequency=300 + 40 * i + 13 * m, level=0.1 + 0.05 * m)
            made[model, i] = make_clip(
                folder / f"{model}-{i}.mp4",
                seconds=seconds,
                size=(160, 96),
                pictures=film(m, i),
                audio=sound,
                audio_rate=48_000,
            )
    return made


@dataclass
class SiteFolder:
    """Files of one installation and the server that serves them."""

    folder: Path
    config: dict[str, Any] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> str:
        return self.extra.get("ARENA_DATABASE", f"sqlite:///{self.folder / 'arena.sqlite'}")

    @property
    def media(self) -> Path:
        return self.folder / "media"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ARENA_", "STREAMLIT_"))}
        return {
            **kept,
            "PYTHONPATH": str(ROOT),
            "ARENA_DATABASE": self.database,
            "ARENA_MEDIA_ROOT": str(self.media),
            "ARENA_SECRET": SECRET,
            "ARENA_COOKIE_SECRET": SECRET,
            "HOME": str(self.folder),
            **self.extra,
        }

    def arena(self) -> Any:
        """The same installation opened in this process."""
        from arena.config import ArenaConfig
        from arena.context import open_arena

        config = ArenaConfig(database=self.database, media_root=self.media, secret=SECRET, cookie_secret=SECRET)
        return open_arena(config, create=True)

    def start(self) -> None:
        """Start the server and wait until it answers. Keeps its port over restarts."""
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", "arena.web.asgi:app", "--port", str(self.port), "--workers", "1"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment(), stdout=log, stderr=log, start_new_session=True
            )
        for _ in range(300):
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended: {self.log.read_text()[-2000:]}")
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"the server does not answer: {self.log.read_text()[-2000:]}")

    def kill(self) -> None:
        """As a power cut would: SIGKILL, no chance to finish anything."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
            self.process = None


def make_site(
    folder: Path,
    *,
    items: int = 8,
    browse: int = 2,
    seconds: float = 2.0,
    config: Mapping[str, Any] | None = None,
    prompts: Mapping[int, str] | None = None,
    extra: Mapping[str, str] | None = None,
) -> SiteFolder:
    """A site with three models on `items` prompts; the first `browse` of them are shown by name and used for practice."""
    from arena.media import renderer
    from arena.service import campaigns, importer
    from arena.service.types import NewClip, NewItem, NewModel

    site = SiteFolder(folder, extra=dict(extra or {}))
    folder.mkdir(parents=True, exist_ok=True)
    sources = make_sources(folder / "sources", items, seconds=seconds)
    frame = folder / "frame.png"
    _picture(frame)
    arena = site.arena()
    try:
        importer.import_models(
            arena, [NewModel(m, display_name=m.title(), organisation="Org", is_open=True) for m in MODELS]
        )
        rows = [
            NewItem(
                "bench",
                f"i{i}",
                f"set{i % 2}",
                prompt_en=(prompts or {}).get(i, f"A bar moves over a ramp, take {i}."),
                prompt_zh=f"一条竖线扫过渐变画面，第 {i} 次。" if i % 2 else None,
                first_frame=frame,
                browse=i < browse,
            )
            for i in range(items)
        ]
        importer.import_items(arena, rows)
        clips = [NewClip(model, "bench", f"i{i}", path) for (model, i), path in sources.items()]
        report = importer.import_clips(arena, clips, renderer(site.media))
        assert report.failed == 0, report.warnings
        quiet = {"overlap_share": 0, "repeat_every": 0, "practice": 0, "criteria": ["overall"], "item_gap": 0}
        campaigns.create(arena, "main", title_en="Trial", title_zh="试验", config={**quiet, **(config or {})}, seed=7)
        campaigns.add_models(arena, "main", MODELS, "test")
        campaigns.add_items(arena, "main", "test")
        campaigns.set_status(arena, "main", "open", "test")
    finally:
        arena.close()
    return site


def _picture(path: Path) -> None:
    import av

    frame = av.VideoFrame.from_ndarray(film(0, 0)(3), format="rgb24")
    with av.open(str(path), "w", format="image2") as out:
        stream: Any = out.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "rgb24"
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


STRENGTH = {"veiled-crane-7b": 1.4, "opal-badger-xl": 0.6, "quartz-heron-v2": 0.0}


def fill_votes(site: SiteFolder, *, voters: int = 30, each: int = 10, seed: int = 5) -> None:
    """Votes of made-up people through the real services, over the last two days, and published snapshots."""
    from arena.clock import FakeClock
    from arena.config import ArenaConfig
    from arena.context import open_arena
    from arena.service import battles, campaigns, simulation, snapshots, votes
    from arena.service import voters as voter_service
    from arena.service.types import BattleView, Telemetry

    rng = np.random.default_rng(seed)
    clock = FakeClock(at_ms=int(time.time() * 1000) - 40 * 3600 * 1000)
    config = ArenaConfig(database=site.database, media_root=site.media, secret=SECRET, cookie_secret=SECRET)
    arena = open_arena(config, clock=clock)
    asked = campaigns.get(arena, "main").config.criteria
    try:
        for _ in range(voters):
            started = voter_service.start(arena, "main", kind="simulated")
            assert isinstance(started, voter_service.Started)
            for _ in range(each):
                shown = battles.current_battle(arena, started.voter_id, "main")
                if not isinstance(shown, BattleView):
                    break
                behind = simulation.reveal(arena, shown.token)
                lead = STRENGTH.get(behind.model_left, 0) - STRENGTH.get(behind.model_right, 0)
                answers = {}
                for criterion in asked:
                    value = lead + rng.logistic()
                    answers[criterion] = "tie" if abs(value) < 0.25 else "left" if value > 0 else "right"
                clock.advance(20_000 + int(rng.integers(0, 60_000)))
                telemetry = Telemetry(1.0, 1.0, plays_left=1, plays_right=1, first_played="left", decide_ms=3000)
                votes.cast_vote(arena, started.voter_id, shown.token, answers, telemetry)  # type: ignore[arg-type]
            clock.advance(int(40 * 3600 * 1000 / voters) // 2)
        for criterion in asked:
            snapshots.compute(arena, "main", criterion, publish_now=True, actor="test")
    finally:
        arena.close()
