"""What one pass over a clip saves the metrics with networks: decoding, resampling and scaling happen once.

Preparation of the networks' inputs is measured, not the networks: these cost the same either way. Run with
`pytest -m benchmark -s`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support import chirps, make_clip

from metrics import Clip
from metrics.clap.metric import Clap
from metrics.desync.metric import Desync
from metrics.imagebind.metric import IbScore
from metrics.networks.sound import toolkit_sound
from metrics.video_reward.pictures import seen
from metrics.video_reward.settings import Settings

SETTINGS = Settings((0.0,) * 3, (1.0,) * 3, 2.0, 2.0, 448 * 448)
PREPARATIONS: dict[str, Callable[[Clip], object]] = {
    "inception_score": toolkit_sound,
    "clap": Clap().prepare,
    "desync": Desync().prepare,
    "ib": IbScore().prepare,
    "video_reward": lambda clip: seen(clip, SETTINGS),
}


def film(index: int) -> np.ndarray:
    """1280x720 with texture that moves, as video of a generator has."""
    grain = np.random.default_rng(0).integers(0, 60, (720, 1280, 3), dtype=np.uint8)
    return np.roll(grain, (3 * index, 5 * index), axis=(0, 1)) + np.uint8(80)


def cost(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


@pytest.mark.benchmark
def test_all_together_against_each_alone(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    path = make_clip(
        tmp_path / "clip.mp4", frames=193, fps=24, size=(1280, 720), pictures=film, audio=chirps(8.04, rate=44100),
        audio_rate=44100,
    )  # fmt: skip

    def together() -> None:
        with Clip(path, threads=1) as clip:
            for prepare in PREPARATIONS.values():
                prepare(clip)

    def alone(name: str) -> None:
        with Clip(path, threads=1) as clip:
            PREPARATIONS[name](clip)

    together()  # imports and caches of filters
    each = {name: cost(lambda name=name: alone(name)) for name in PREPARATIONS}  # type: ignore[misc]
    shared = cost(together)
    ratio = sum(each.values()) / shared
    record_property("ratio", ratio)
    print(f"each alone {sum(each.values()):.2f} s of CPU ({each}), together {shared:.2f} s: {ratio:.2f} times as fast")
    assert ratio > 1.7
