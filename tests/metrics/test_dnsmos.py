from __future__ import annotations

import wave
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import make_clip, shared_clip

from metrics import Clip, Measurement
from metrics.dnsmos import RATE, WINDOW, Dnsmos, p808_features, repeated, window_starts, windows_of
from metrics.errors import UserError

SPEECHMOS_NAMES = {
    "dnsmos_p808": "p808_mos",
    "dnsmos_sig": "sig_mos",
    "dnsmos_bak": "bak_mos",
    "dnsmos_ovrl": "ovrl_mos",
}
SILENCE = {"dnsmos_p808": 2.146801, "dnsmos_sig": 2.513565, "dnsmos_bak": 3.472424, "dnsmos_ovrl": 1.839863}


@lru_cache
def metric(personalised: bool = False, threads: int = 1) -> Dnsmos:
    return Dnsmos(personalised=personalised, threads=threads)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise with a slow envelope, 16-bit values as float64 in [-1, 1)."""
    rng = np.random.default_rng(seed)
    length = round(seconds * RATE)
    gains = np.repeat(rng.random(length // 2000 + 1), 2000)[:length]
    return np.round(32767 * 0.3 * gains * rng.uniform(-1, 1, length)) / 32768


def rate(samples: np.ndarray, *, personalised: bool = False, threads: int = 1) -> dict[str, float]:
    rated = metric(personalised, threads).rate_windows(windows_of(samples))
    return {name: float(values.mean()) for name, values in rated.items()}


@pytest.mark.parametrize(
    ("seconds", "count"),
    [(4.0, 7), (5.0, 1), (5.056, 1), (8.0, 7), (8.99, 7), (9.0, 7), (9.009, 7), (9.01, 1), (10.0, 1), (10.99, 1),
     (11.0, 2), (16.0, 7), (33.99, 7), (34.0, 8), (60.0, 34)],
)  # fmt: skip
def test_number_of_windows(seconds: float, count: int) -> None:
    assert len(windows_of(np.zeros(round(seconds * RATE)))) == count


@settings(max_examples=200, deadline=None)
@given(st.integers(WINDOW, 100 * RATE))
def test_windows_lie_inside_the_signal_a_second_apart(length: int) -> None:
    starts = window_starts(length)
    seconds = [start // RATE for start in starts]
    assert seconds == [second for second in range(seconds[-1] + 1) if not 7 <= second <= 23]
    assert starts[-1] + WINDOW <= length


def test_a_short_signal_is_doubled_not_padded() -> None:
    samples = np.arange(5.0 * RATE)
    np.testing.assert_array_equal(repeated(samples), np.tile(samples, 2))
    assert len(repeated(np.ones(1))) == 2**18
    with pytest.raises(ValueError, match="at least one sample"):
        repeated(np.zeros(0))


def test_features_are_scaled_decibels() -> None:
    features = p808_features(windows_of(noise(10))[0])
    assert features.shape == (900, 120)
    assert features.dtype == np.float32
    assert features.max() == 1.0
    assert features.min() >= -1.0
    assert (p808_features(np.zeros(WINDOW)) == 1.0).all()


def test_features_are_those_of_librosa() -> None:
    librosa = pytest.importorskip("librosa")
    window = windows_of(noise(12, seed=5))[1]
    mel = librosa.feature.melspectrogram(y=window[:-160], sr=RATE, n_fft=321, hop_length=160, n_mels=120)
    expected = (librosa.power_to_db(mel, ref=np.max) + 40) / 40
    np.testing.assert_allclose(p808_features(window), expected.T, atol=1e-6)


def test_digital_silence() -> None:
    assert rate(np.zeros(5 * RATE)) == pytest.approx(SILENCE, abs=1e-6)


@pytest.mark.parametrize("personalised", [False, True])
@pytest.mark.parametrize("seconds", [0.05, 5.056, 12.5])
def test_scores_are_those_of_speechmos(seconds: float, personalised: bool) -> None:
    speechmos = pytest.importorskip("speechmos.dnsmos")
    samples = noise(seconds, seed=int(seconds * 100))
    model_type = "dnsmos_personalized" if personalised else "dnsmos"
    expected = speechmos.run(samples, RATE, model_type=model_type)
    for name, value in rate(samples, personalised=personalised).items():
        assert value == pytest.approx(float(expected[SPEECHMOS_NAMES[name]]), abs=2e-6), name


def test_the_personalised_network_leaves_p808_alone_and_changes_the_rest() -> None:
    plain, personalised = rate(noise(10)), rate(noise(10), personalised=True)
    assert plain["dnsmos_p808"] == personalised["dnsmos_p808"]
    assert abs(plain["dnsmos_sig"] - personalised["dnsmos_sig"]) > 0.1


def test_windows_one_by_one_rate_as_in_one_call_of_the_network() -> None:
    windows = windows_of(noise(11))
    assert len(windows) == 2
    batch = np.stack([p808_features(window) for window in windows])
    rated = metric().rate_windows(windows)["dnsmos_p808"]
    np.testing.assert_allclose(metric()._p808.run(None, {"input_1": batch})[0][:, 0], rated, atol=1e-6)


@pytest.mark.slow
def test_a_long_signal_scores_as_in_speechmos() -> None:
    """From 34 s on, windows beyond the first seven count again."""
    speechmos = pytest.importorskip("speechmos.dnsmos")
    samples = noise(34.0)
    expected = speechmos.run(samples, RATE)
    assert {SPEECHMOS_NAMES[name]: value for name, value in rate(samples).items()} == pytest.approx(expected, abs=2e-6)


def test_threads_and_repetition_do_not_change_a_score() -> None:
    samples = noise(10)
    assert rate(samples) == rate(samples) == pytest.approx(rate(samples, threads=2), abs=1e-6)


def test_options_and_weights() -> None:
    assert Dnsmos().weights_used() == ("dnsmos-p808", "dnsmos-p835")
    assert Dnsmos(personalised=True).weights_used() == ("dnsmos-p808", "dnsmos-p835-personalised")
    assert Dnsmos().parameters() != Dnsmos(personalised=True).parameters()
    with pytest.raises(UserError, match="no option 'personalized'"):
        Dnsmos(personalized=True)


def measure(path: Path, **options: Any) -> Measurement:
    with Clip(path) as clip:
        return metric(**options).measure(clip)


def wav(path: Path, samples: np.ndarray, **more: Any) -> Path:
    sixteen_bit = np.round(samples * 32768).clip(-32768, 32767).astype(np.int16)
    return make_clip(path, video=False, audio=sixteen_bit, audio_codec="pcm_s16le", **more)


def test_a_clip_scores_as_its_samples(tmp_path: Path) -> None:
    result = measure(wav(tmp_path / "noise.wav", noise(11)))
    assert result.status == "scored"
    assert result.scores == rate(noise(11))
    assert result.flags == ()
    assert result.details["windows"] == 2
    assert np.mean(result.details["per_window"]["dnsmos_sig"]) == pytest.approx(result.scores["dnsmos_sig"], abs=1e-6)


def test_a_silent_clip_has_the_known_scores_and_a_flag(tmp_path: Path) -> None:
    result = measure(wav(tmp_path / "silence.wav", np.zeros(5 * RATE)))
    assert result.scores == pytest.approx(SILENCE, abs=1e-6)
    assert result.flags == ("silent_audio",)


@pytest.mark.parametrize("samples", [noise(0.05), np.ones(RATE), np.sign(noise(1.0))], ids=["short", "dc", "clipped"])
def test_odd_sound_is_scored_on_the_scale(tmp_path: Path, samples: np.ndarray) -> None:
    result = measure(wav(tmp_path / "odd.wav", samples))
    assert result.status == "scored"
    assert all(1.0 <= value <= 5.0 for value in result.scores.values())


def test_a_clip_without_sound_fails(mute_clip: Path, tmp_path: Path) -> None:
    result = measure(mute_clip)
    assert (result.status, result.code) == ("failed", "no_audio_stream")
    with wave.open(str(tmp_path / "empty.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
    result = measure(tmp_path / "empty.wav")
    assert (result.status, result.code) == ("failed", "empty_audio")


PUBLISHED = {
    "00000": (3.231187, 2.880865, 3.854281, 2.532049, 3.005995, 4.321829, 2.776701),
    "00023": (2.084623, 1.191580, 1.159165, 1.114358, 3.087796, 1.714783, 1.801130),
    "01083": (3.546025, 3.443063, 4.101683, 3.221679, 3.634953, 4.408149, 3.491480),
    "419": (2.223339, 3.291120, 1.644339, 1.832943, 3.753579, 1.330785, 1.546884),
    "talking_woman": (3.304024, 2.625224, 3.351602, 2.254596, 3.082311, 2.101996, 1.902201),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_real_clips_score_as_in_the_official_tool(name: str) -> None:
    path = shared_clip(f"{name}.mp4")
    plain, personalised = measure(path), measure(path, personalised=True)
    assert tuple(plain.scores.values()) == pytest.approx(PUBLISHED[name][:4], abs=1e-4)
    assert tuple(personalised.scores.values())[1:] == pytest.approx(PUBLISHED[name][4:], abs=1e-4)
    assert plain.details["windows"] == 1
