"""The windowed-sinc resampler against the defining formula, evaluated directly."""

from __future__ import annotations

from math import ceil, gcd

import numpy as np
import pytest
from numpy.typing import NDArray

from metrics.media.resample import sinc_resample


def by_definition(x: NDArray[np.float32], old_rate: int, new_rate: int) -> NDArray[np.float64]:
    """y(j) = sum_i x(i) h(i / old - j / new), h a Hann-windowed sinc of cutoff 0.99 of the lower rate's Nyquist."""
    common = gcd(old_rate, new_rate)
    old, new = old_rate // common, new_rate // common
    cutoff = min(old, new) * 0.99
    out = np.zeros(ceil(new * len(x) / old))
    positions = np.arange(len(x)) / old
    for j in range(len(out)):
        t = (positions - j / new) * cutoff
        near = np.abs(t) < 6
        t = t[near]
        out[j] = np.sum(x[near] * np.cos(np.pi * t / 12) ** 2 * np.sinc(t)) * cutoff / old
    return out


@pytest.mark.parametrize(
    ("old_rate", "new_rate"),
    [
        (44100, 48000),
        (16000, 48000),
        (24000, 48000),
        (48000, 16000),
        (44100, 16000),
        (22050, 48000),
        (8000, 7999),
        (48000, 44100),
    ],
)
@pytest.mark.parametrize("length", [1, 2, 37, 1500])
def test_against_the_definition(old_rate: int, new_rate: int, length: int) -> None:
    x = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    y = sinc_resample(x, old_rate, new_rate)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, by_definition(x, old_rate, new_rate), atol=2e-6)


def test_rows_are_independent_and_equal_rates_change_nothing() -> None:
    x = np.random.default_rng(0).standard_normal((2, 900)).astype(np.float32)
    both = sinc_resample(x, 44100, 48000)
    np.testing.assert_array_equal(both[1], sinc_resample(x[1], 44100, 48000))
    assert sinc_resample(x, 48000, 48000) is x
    assert sinc_resample(x[:, :0], 44100, 48000).shape == (2, 0)


def test_a_tone_keeps_level_and_pitch_and_rates_without_a_common_factor_work() -> None:
    rate = 44101
    x = np.sin(2 * np.pi * 1000 * np.arange(rate) / rate).astype(np.float32)
    y = sinc_resample(x, rate, 48000)
    expected = np.sin(2 * np.pi * 1000 * np.arange(48000) / 48000)
    np.testing.assert_allclose(y[100:-100], expected[100:-100], atol=3e-3)


def test_rates_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        sinc_resample(np.zeros(4, np.float32), 0, 48000)
