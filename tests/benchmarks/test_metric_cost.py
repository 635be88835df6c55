"""Seconds of one core per second of clip, for the metrics of the signal alone. Run with `pytest -m benchmark -s`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support import shared_clip

from metrics import Clip, get

LIMITS = {"loudness": 0.1, "dnsmos": 1.0, "av_align": 15.0}
"""Seconds of computing per second of clip at 768x480, several times what a current core needs."""


@pytest.mark.benchmark
@pytest.mark.parametrize("name", LIMITS)
def test_cost_per_second_of_clip(name: str, record_property: Callable[[str, object], None]) -> None:
    metric = get(name, threads=1)
    with Clip(shared_clip("00000.mp4")) as clip:
        clip.frames("bgr24")[0]  # decoding is shared and not counted, loading neither
        metric.ensure_loaded()
        result = metric.measure(clip)
        duration = float(clip.facts.duration)
    cost = result.seconds / duration
    record_property("seconds_per_second", cost)
    print(f"{name}: {result.seconds:.3f} s for {duration:.2f} s of clip")
    assert result.status == "scored"
    assert cost < LIMITS[name]
