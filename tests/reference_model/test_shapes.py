"""Shape arithmetic, for every valid size and rate."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_model import UserError
from reference_model.shapes import ClipShape, nearest_sizes

TABLE = [
    (17, 24, 5, 34_000, 36, 34_560),
    (49, 24, 13, 98_000, 103, 98_880),
    (81, 24, 21, 162_000, 169, 162_240),
    (121, 24, 31, 242_000, 253, 242_880),
    (193, 24, 49, 386_000, 403, 386_880),
    (193, 25, 49, 370_560, 386, 370_560),
    (193, 16, 49, 579_000, 604, 579_840),
]


@pytest.mark.parametrize(("frames", "fps", "latent_frames", "samples", "audio_latents", "decoded"), TABLE)
def test_the_table(frames: int, fps: int, latent_frames: int, samples: int, audio_latents: int, decoded: int) -> None:
    shape = ClipShape(frames, 352, 640, float(fps))
    assert (shape.latent_frames, shape.samples, shape.audio_latents) == (latent_frames, samples, audio_latents)
    assert shape.decoded_samples == decoded


def test_native_sizes() -> None:
    small, large = ClipShape(193, 352, 640, 24.0), ClipShape(193, 720, 1280, 24.0)
    assert (small.video_tokens, large.video_tokens) == (43_120, 176_400)
    assert small.latent_size == (49, 44, 80)
    assert large.grid == (49, 45, 80)
    assert large.seconds == pytest.approx(8.0417, abs=1e-4)


@given(
    st.integers(0, 60).map(lambda k: 4 * k + 1),
    st.integers(1, 80),
    st.integers(1, 80),
    st.sampled_from([16.0, 24.0, 25.0, 30.0]),
)
def test_laws(frames: int, rows: int, columns: int, fps: float) -> None:
    shape = ClipShape(frames, 16 * rows, 16 * columns, fps)
    assert shape.grid == ((frames + 3) // 4, rows, columns)
    assert shape.video_tokens == math.prod(shape.grid)
    assert shape.latent_size == (shape.latent_frames, 2 * rows, 2 * columns)
    assert 4 * (shape.latent_frames - 1) + 1 == frames
    assert shape.samples == int(48_000 * frames / fps)
    assert shape.audio_latents == math.ceil(shape.samples / 960)
    assert 0 <= shape.decoded_samples - shape.samples < 960


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_the_nearest_sizes_are_valid_and_near(height: int, width: int) -> None:
    for h, w in nearest_sizes(height, width):
        assert ClipShape(5, h, w, 24.0).video_tokens > 0
        assert max(abs(h - height), abs(w - width)) < 16
    if height % 16 or width % 16:
        with pytest.raises(UserError, match="nearest are"):
            ClipShape(5, height, width, 24.0)
    else:
        assert nearest_sizes(height, width) == ((height, width),)


@given(st.integers(-10, 500))
def test_frame_counts(frames: int) -> None:
    if frames > 0 and frames % 4 == 1:
        assert ClipShape(frames, 32, 32, 24.0).frames == frames
    else:
        with pytest.raises(UserError, match=r"4 k \+ 1"):
            ClipShape(frames, 32, 32, 24.0)
