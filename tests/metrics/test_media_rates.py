"""The frames chosen for another frame rate are those of FFmpeg's `fps` filter."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import make_clip

from metrics import Clip
from metrics.media.rates import round_half_away, select


def numbered(index: int) -> np.ndarray:
    """A flat picture that tells its own number, robust against coding."""
    return np.full((16, 16, 3), 8 + index % 30 * 8, np.uint8)


def numbered_clip(path: Path, **options: object) -> Path:
    return make_clip(path, size=(16, 16), pictures=numbered, audio=None, **options)  # type: ignore[arg-type]


def through_filter(path: Path, rate: str) -> tuple[list[np.ndarray], list[Fraction]]:
    """Pictures and times from libavfilter's own fps filter."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        graph = av.filter.Graph()
        graph.link_nodes(
            graph.add_buffer(template=stream),
            graph.add("fps", rate),
            graph.add("format", "rgb24"),
            graph.add("buffersink"),
        ).configure()
        pictures, times = [], []

        def drain() -> None:
            while True:
                try:
                    frame = graph.vpull()
                except (av.error.BlockingIOError, av.error.EOFError):
                    return
                pictures.append(frame.to_ndarray())
                times.append(frame.pts * Fraction(frame.time_base))

        for frame in container.decode(stream):
            graph.push(frame)
            drain()
        graph.push(None)
        drain()
        return pictures, times


def assert_same_as_filter(path: Path, rate: str) -> None:
    pictures, times = through_filter(path, rate)
    with Clip(path) as clip:
        frames = clip.frames("rgb24", rate=Fraction(rate))
        assert frames.times == times
        assert frames.rate == Fraction(rate)
        for mine, theirs in zip(frames, pictures, strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("rate", ["25", "0.5", "16", "24000/1001"])
@pytest.mark.parametrize(
    "fps", [Fraction(10), Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30), Fraction(60)], ids=str
)
def test_constant_rates(tmp_path: Path, fps: Fraction, rate: str) -> None:
    assert_same_as_filter(numbered_clip(tmp_path / "clip.mp4", seconds=5, fps=fps), rate)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
@pytest.mark.parametrize("rate", ["25", "0.5", "12.5"])
def test_containers(tmp_path: Path, suffix: str, rate: str) -> None:
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    assert_same_as_filter(numbered_clip(tmp_path / f"clip{suffix}", frames=100, fps=24, video_codec=codec), rate)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rate", ["25", "0.5"])
def test_variable_rates(tmp_path: Path, seed: int, rate: str) -> None:
    rng = np.random.default_rng(seed)
    start = 500 if seed == 3 else 0
    times = [Fraction(start + int(t), 1000) for t in np.sort(rng.choice(6000, 60, replace=False))]
    assert_same_as_filter(numbered_clip(tmp_path / "clip.mkv", times=times), rate)


def test_one_picture_is_shorter_than_half_a_slow_tick(tmp_path: Path) -> None:
    path = numbered_clip(tmp_path / "clip.mp4", frames=1)
    assert_same_as_filter(path, "25")
    assert_same_as_filter(path, "0.5")
    with Clip(path) as clip:
        assert len(clip.frames(rate=25)) == 1
        assert len(clip.frames(rate=Fraction(1, 2))) == 0


def test_half_a_frame_per_second_takes_the_frame_before_each_odd_second() -> None:
    times = [Fraction(n, 24) for n in range(193)]
    _, indices = select(times, Fraction(193, 24), Fraction(1, 2))
    assert indices == [23, 71, 119, 167]


def test_twenty_five_from_twenty_four_repeats_one_in_twenty_four() -> None:
    times = [Fraction(n, 24) for n in range(193)]
    first, indices = select(times, Fraction(193, 24), Fraction(25))
    assert first == 0
    assert len(indices) == 201
    assert sum(a == b for a, b in itertools.pairwise(indices)) == 8


@pytest.mark.parametrize(("value", "nearest"), [("1/2", 1), ("-1/2", -1), ("3/2", 2), ("-3/2", -2), ("49/100", 0)])
def test_halves_are_rounded_away_from_zero(value: str, nearest: int) -> None:
    assert round_half_away(Fraction(value)) == nearest


@given(
    steps=st.lists(st.integers(1, 400), min_size=1, max_size=60),
    rate=st.fractions(min_value=Fraction(1, 4), max_value=120, max_denominator=1001),
)
def test_rule(steps: list[int], rate: Fraction) -> None:
    """Output n shows the last picture whose rounded time is <= n."""
    times = [Fraction(sum(steps[:i]), 1000) for i in range(len(steps))]
    first, indices = select(times, times[-1] + Fraction(1, 25), rate)
    ticks = [round_half_away(t * rate) for t in times]
    for n, index in enumerate(indices, start=first):
        assert index == max(i for i, tick in enumerate(ticks) if tick <= n)
