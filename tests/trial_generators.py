"""A generator for testing the making of clips: little real clips whose content follows from the request alone.

It is registered the way any other distribution registers one (see `generator_support`). `how` says what goes wrong:
`m05=error,m09=die` for every attempt, `m05=error:1` for the first one only.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from metrics.errors import UserError
from mova_eval.generators import (
    Bench,
    Check,
    ClipRequest,
    GenerationError,
    Generator,
    GeneratorCard,
    Identity,
    MadeClip,
    PlanOptions,
    Setting,
)
from mova_eval.generators.asking import basic_request, picture_of
from mova_eval.generators.sizes import Grid, kept_share, oriented

if TYPE_CHECKING:
    from mova_eval.benchmarks import Item

GRID = Grid(fps=24.0)


class TrialGenerator(Generator):
    """Noise pictures and a tone, seeded by the request."""

    name: ClassVar[str] = "trial"
    settings: ClassVar[Mapping[str, Setting]] = {
        "steps": Setting(2, "steps", int, low=1),
        "how": Setting("", "what goes wrong", machine=True),
        "sleep": Setting(0.0, "seconds a clip takes", float, machine=True),
        "missing": Setting(False, "whether its files are missing", bool, machine=True),
        "model": Setting("trial-model@1", "what the files say", machine=True),
    }

    def describe(self) -> GeneratorCard:
        return GeneratorCard(self.name, "for tests", self.version, ("i2va",), settings=self.settings)

    def probe(self, level: str = "files") -> list[Check]:
        state = "missing" if self.options["missing"] else "ok"
        return [Check("weights", state, "trial.bin is not there", "make it with `touch trial.bin`")]

    def plan(self, item: Item, options: PlanOptions) -> ClipRequest:
        picture = picture_of(item, options)
        width, height = oriented((64, 48), picture)
        return replace(
            basic_request(item, options),
            width=width,
            height=height,
            frames=GRID.frames_for(options.duration or 0.5),
            fps=GRID.fps,
            parameters={"steps": self.options["steps"]},
            kept=kept_share(picture, (width, height)) if picture else None,
        )

    @contextmanager
    def open(self) -> Iterator[None]:
        self.opened = True
        yield
        self.opened = False

    def identity(self) -> Identity:
        return Identity(self.options["model"], {"trial.bin": "ab" * 32}, ["the clips are noise"])

    def generate(self, request: ClipRequest, out: Path, bench: Bench) -> MadeClip:
        assert self.opened
        how = self._how(request, bench)
        for step in range(self.options["steps"]):
            time.sleep(self.options["sleep"] / self.options["steps"])
            bench.step(step + 1, self.options["steps"], "step")
        match how:
            case "error":
                raise GenerationError("trial_error", "the trial went wrong", tail="line 1\nline 2\n")
            case "hopeless":
                raise GenerationError("trial_error", "the trial cannot work", retry=False)
            case "bug":
                raise ZeroDivisionError("division by zero")
            case "user":
                raise UserError("the trial needs a licence file; get one")
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                time.sleep(600)
            case "full":
                with open("/dev/full", "wb", buffering=0) as file:
                    file.write(b"x" * 4096)
            case "nothing":
                return MadeClip()
        write_trial_clip(out, request, how)
        return MadeClip(details={"evaluations": 2 * self.options["steps"]}, peak_memory_bytes=123)

    def _how(self, request: ClipRequest, bench: Bench) -> str:
        known = dict(pair.split("=") for pair in self.options["how"].split(",") if pair)
        how, _, times = known.get(request.item, "").partition(":")
        seen = bench.scratch / "seen"
        count = int(seen.read_text()) if seen.exists() else 0
        seen.write_text(str(count + 1))
        return how if not times or count < int(times) else ""


def write_trial_clip(out: Path, request: ClipRequest, how: str = "") -> None:
    """A clip of the request's size and length; the same request gives the same bytes. how: in what it is wrong."""
    from support import make_clip, tone

    rng = np.random.default_rng(int(request.sha256()[:8], 16))
    size = (request.width or 64, request.height or 48)
    frames, fps = request.frames or 13, request.fps or 24.0
    if how == "size":
        size = (size[0] + 16, size[1])
    if how == "short":
        frames //= 2
    picture = rng.integers(0, 255, (size[1] // 8, size[0] // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    sound: Any = tone(frames / fps, rate=16000, frequency=200 + int(rng.integers(800)))
    if how == "mute":
        sound = None
    elif how == "silent":
        sound = np.zeros_like(sound)
    part = out.with_name(f"part{out.suffix}")
    make_clip(part, frames=frames, fps=int(fps), size=size, pictures=lambda i: np.roll(picture, i, 1), audio=sound)
    if how == "torn":
        part.write_bytes(part.read_bytes()[:300])
    part.replace(out)
