from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.loudness import RATE, loudness_of, rms_of


def sine(seconds: float, amplitude: float = 1.0, hertz: float = 997.0) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def test_calibration_tone() -> None:
    assert loudness_of(sine(3.0)) == pytest.approx(-3.0517, abs=1e-4)
    assert rms_of(sine(3.0)) == pytest.approx(np.sqrt(0.5), rel=1e-6)


@pytest.mark.parametrize("seconds", [0.05, 0.4, 3.0])
def test_silence_has_no_loudness(seconds: float) -> None:
    silence = np.zeros(round(seconds * RATE), dtype=np.float32)
    assert loudness_of(silence) is None
    assert rms_of(silence) == 0.0


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(-40.0, 0.0), seed=st.integers(0, 1000))
def test_loudness_and_amplitude_follow_the_gain(gain: float, seed: int) -> None:
    noise = np.random.default_rng(seed).uniform(-1, 1, RATE).astype(np.float32)
    factor = np.float32(10 ** (gain / 20))
    assert loudness_of(noise * factor) == pytest.approx(loudness_of(noise) + gain, abs=1e-3)
    assert rms_of(noise * factor) == pytest.approx(rms_of(noise) * float(factor), rel=1e-5)


def test_quiet_passages_do_not_count() -> None:
    tone = sine(4.0, 0.1)
    assert loudness_of(np.concatenate([tone, np.zeros(8 * RATE, np.float32)])) == pytest.approx(
        loudness_of(tone), abs=0.3
    )


@pytest.mark.parametrize("seconds", [0.05, 0.1, 0.39])
def test_a_clip_shorter_than_a_block_is_followed_by_zeros_to_half_a_second(seconds: float) -> None:
    tone = sine(seconds, 0.5)
    padded = np.concatenate([tone, np.zeros(RATE // 2 - len(tone), np.float32)])
    assert loudness_of(tone) == loudness_of(padded)
    # a block of 0.4 s holds all of the tone, so its power falls with the share of the block that the tone fills
    assert loudness_of(tone) == pytest.approx(loudness_of(sine(3.0, 0.5)) + 10 * np.log10(seconds / 0.4), abs=0.7)


def test_one_block_needs_no_padding() -> None:
    assert loudness_of(sine(0.4, 0.5)) == pytest.approx(loudness_of(sine(3.0, 0.5)), abs=0.1)


def test_clipped_noise_is_measured() -> None:
    square = np.sign(np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
    assert rms_of(square) == 1.0
    assert -3.0 < loudness_of(square) < 4.0
