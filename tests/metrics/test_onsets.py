"""The numpy front end against librosa, the yardstick."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.onsets import onset_envelope, onset_times, pick_onsets
from metrics.signals import is_silent, mel_filters, mel_spectrogram, power_to_db

librosa = pytest.importorskip("librosa")
RATE = 44_100


def sound(seed: int, length: int, kind: str, level: float) -> np.ndarray:
    """Random float32 signal [length] of one kind, at most about full scale times 4."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(length)
    if kind == "clicks":
        noise *= rng.random(length) < 2e-4
    if kind == "bursts":
        noise *= np.repeat(rng.random(length // 3000 + 1) ** 4, 3000)[:length]
    if kind == "notes":
        gains = np.repeat(rng.random(length // 5000 + 1), 5000)[:length]
        noise = gains * np.sin(2 * np.pi * rng.uniform(50, 8000) * np.arange(length) / RATE)
    return (level * noise).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(1, 2 * RATE),
    kind=st.sampled_from(["noise", "clicks", "bursts", "notes"]),
    level=st.sampled_from([1e-6, 1e-3, 0.1, 1.0]),
)
def test_onsets_are_those_of_librosa(seed: int, length: int, kind: str, level: float) -> None:
    samples = sound(seed, length, kind, level)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa warns about signals shorter than a window
        envelope = librosa.onset.onset_strength(y=samples, sr=RATE)
        expected = librosa.onset.onset_detect(y=samples, sr=RATE, units="time")
    np.testing.assert_allclose(onset_envelope(samples, RATE), envelope, atol=1e-4)
    np.testing.assert_array_equal(onset_times(samples, RATE), expected)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]), min_size=1, max_size=80))
def test_peaks_of_envelopes_full_of_ties_are_those_of_librosa(values: list[float]) -> None:
    envelope = np.array(values, dtype=np.float32)
    expected = librosa.onset.onset_detect(onset_envelope=envelope, sr=RATE)
    np.testing.assert_array_equal(pick_onsets(envelope, RATE), expected)


def test_clicks_are_found_where_they_are() -> None:
    samples = np.zeros(3 * RATE, dtype=np.float32)
    clicks = [0.5, 1.0, 1.7, 2.4]
    for click in clicks:
        samples[int(click * RATE) : int(click * RATE) + 200] = 0.5
    np.testing.assert_allclose(onset_times(samples, RATE), clicks, atol=2 * 512 / RATE)


@pytest.mark.parametrize("length", [0, 1, 512, 2205, RATE])
def test_silence_has_no_onsets(length: int) -> None:
    assert len(onset_times(np.zeros(length, dtype=np.float32), RATE)) == 0


@pytest.mark.parametrize(("rate", "n_fft", "n_mels"), [(RATE, 2048, 128), (16_000, 321, 120), (1500, 512, 20)])
def test_mel_filters_are_those_of_librosa(rate: int, n_fft: int, n_mels: int) -> None:
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels)
    np.testing.assert_array_equal(mel_filters(rate, n_fft, n_mels), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("length", [2, 700, 144_000, 1024 * 160 + 77])
def test_mel_spectrogram_and_decibels_are_those_of_librosa(dtype: type, length: int) -> None:
    samples = np.random.default_rng(length).uniform(-1, 1, length).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = librosa.feature.melspectrogram(y=samples, sr=16_000, n_fft=321, hop_length=160, n_mels=120)
    mel = mel_spectrogram(samples, rate=16_000, n_fft=321, hop=160, n_mels=120)
    assert mel.dtype == expected.dtype
    np.testing.assert_allclose(mel, expected, rtol=1e-5 if dtype == np.float32 else 1e-12)
    decibels = librosa.power_to_db(expected, ref=np.max)
    np.testing.assert_allclose(power_to_db(mel, reference=float(mel.max())), decibels, atol=1e-4)


def test_digital_silence_is_below_half_a_16_bit_step() -> None:
    assert is_silent(np.zeros(10))
    assert is_silent(np.zeros(0))
    assert is_silent(np.full(10, 0.49 / 32768))
    assert not is_silent(np.array([0.0, -0.51 / 32768]))
