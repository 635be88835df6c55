from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import make_clip, shared_clip

from metrics import Clip, Measurement
from metrics.loudness import RATE, Loudness, loudness_of, rms_of


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


def measure(path: Path) -> Measurement:
    with Clip(path) as clip:
        return Loudness().measure(clip)


def pcm_clip(path: Path, samples: np.ndarray, rate: int = RATE, **more: Any) -> Path:
    return make_clip(path, video=False, audio=samples, audio_rate=rate, audio_codec="pcm_f32le", **more)


def test_a_clip_scores_as_its_samples(tmp_path: Path) -> None:
    result = measure(pcm_clip(tmp_path / "tone.wav", sine(3.0)))
    assert result.status == "scored"
    assert result.scores["lufs"] == pytest.approx(-3.0517, abs=1e-4)
    assert result.scores["rms"] == pytest.approx(np.sqrt(0.5), rel=1e-6)
    assert result.flags == ()
    assert "compat" not in result.details


def test_channels_are_averaged_before_metering(tmp_path: Path) -> None:
    tone = sine(2.0, 0.5)
    mono = measure(pcm_clip(tmp_path / "mono.wav", tone)).scores
    both = measure(pcm_clip(tmp_path / "both.wav", np.stack([tone, tone]))).scores
    left = measure(pcm_clip(tmp_path / "left.wav", np.stack([tone, np.zeros_like(tone)]))).scores
    assert both == pytest.approx(mono, abs=1e-6)
    assert left["lufs"] == pytest.approx(mono["lufs"] - 6.0206, abs=1e-3)
    assert left["rms"] == pytest.approx(mono["rms"] / 2, rel=1e-5)


def test_the_rate_of_the_file_does_not_matter(tmp_path: Path) -> None:
    time = np.arange(2 * 16_000) / 16_000
    low = (0.5 * np.sin(2 * np.pi * 997 * time)).astype(np.float32)
    assert measure(pcm_clip(tmp_path / "low.wav", low, rate=16_000)).scores["lufs"] == pytest.approx(
        loudness_of(sine(2.0, 0.5)), abs=0.01
    )


def test_a_silent_clip_has_an_amplitude_and_no_loudness(silent_clip: Path) -> None:
    result = measure(silent_clip)
    assert result.status == "scored"
    assert result.scores == {"rms": 0.0}
    assert result.flags == ("silent_audio",)
    assert result.details["compat"] == {"lufs": -70.0}
    assert "-70 LUFS" in result.details["left_out"]["lufs"]


def test_a_clip_below_the_gate_is_not_called_silent(tmp_path: Path) -> None:
    result = measure(pcm_clip(tmp_path / "faint.wav", sine(1.0, 1e-4)))
    assert set(result.scores) == {"rms"}
    assert result.flags == ("below_gate",)


def test_a_very_short_clip_is_scored_and_flagged(tmp_path: Path) -> None:
    result = measure(pcm_clip(tmp_path / "short.wav", sine(0.05, 0.5)))
    assert result.scores["lufs"] == pytest.approx(loudness_of(sine(0.05, 0.5)), abs=1e-6)
    assert result.flags == ("short_audio",)


@pytest.mark.parametrize(
    ("samples", "code"),
    [
        (np.full(4800, np.nan, np.float32), "audio_not_finite"),
        (np.full(4800, np.inf, np.float32), "audio_not_finite"),
    ],
)
def test_sound_that_is_none_fails_with_the_reason(tmp_path: Path, samples: np.ndarray, code: str) -> None:
    result = measure(pcm_clip(tmp_path / "bad.wav", samples))
    assert (result.status, result.code) == ("failed", code)
    assert "bad.wav" in result.reason


def test_an_audio_stream_without_samples_fails(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "empty.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
    result = measure(tmp_path / "empty.wav")
    assert (result.status, result.code) == ("failed", "empty_audio")


def test_sound_that_ends_before_time_zero_fails(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "early.ts", video=False, audio=sine(0.1), audio_rate=RATE, audio_start=-1.0,
                     container_options={"avoid_negative_ts": "disabled"})  # fmt: skip
    with Clip(path) as clip:
        sound = clip.audio_native()
        result = Loudness().measure(clip)
    assert float(sound.start) + sound.duration < 0
    assert (result.status, result.code) == ("failed", "empty_audio")


def test_a_clip_without_sound_fails(mute_clip: Path) -> None:
    result = measure(mute_clip)
    assert (result.status, result.code) == ("failed", "no_audio_stream")


def test_sound_and_video_clips_are_scored_alike(tiny_clip: Path, sound_only_clip: Path) -> None:
    assert measure(tiny_clip).scores == pytest.approx(measure(sound_only_clip).scores, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "lufs"),
    [("00000", -27.115), ("00023", -19.121), ("01083", -13.920), ("419", -6.969), ("talking_woman", -9.754)],
)
def test_real_clips_agree_with_the_filters_of_ffmpeg(name: str, lufs: float) -> None:
    """`lufs` is this metric's value, so that a change is seen; ffmpeg's own EBU R128 meter bounds its error."""
    path = shared_clip(f"{name}.mp4")
    value = measure(path).scores["lufs"]
    assert value == pytest.approx(lufs, abs=1e-3)
    assert value == pytest.approx(ebur128(path), abs=0.2)


def ebur128(path: Path) -> float:
    """Integrated loudness of a mono file by ffmpeg's meter, independent of pyloudnorm."""
    import av

    with av.open(str(path)) as file:
        graph = av.filter.Graph()
        source = graph.add_abuffer(template=file.streams.audio[0])
        meter, sink = graph.add("ebur128", "metadata=1"), graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        graph.configure()
        value = float("nan")
        for frame in [*file.decode(audio=0), None]:
            graph.push(frame)
            value = _last_reading(graph, value)
    return value


def _last_reading(graph: Any, value: float) -> float:
    import av

    while True:
        try:
            value = float(graph.pull().metadata.get("lavfi.r128.I", value))
        except (av.error.BlockingIOError, av.error.EOFError):
            return value
