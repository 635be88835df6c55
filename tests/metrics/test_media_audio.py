"""Sound: the channel rules of libswresample, the ffmpeg program sample for sample, start times, bad samples."""

from __future__ import annotations

import math
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support import make_clip, shared_clip, tone

from metrics import Clip, ClipError
from metrics.media.resample import sinc_resample

LEFT, RIGHT = 0.5, 0.25


def pcm_clip(path: Path, samples: NDArray[np.float32], rate: int = 16000, **options: object) -> Path:
    """Sound that is stored exactly: float PCM in Matroska or WAV."""
    return make_clip(path, video=False, audio=samples, audio_rate=rate, audio_codec="pcm_f32le", **options)  # type: ignore[arg-type]


@pytest.fixture
def stereo(tmp_path: Path) -> Path:
    return pcm_clip(tmp_path / "stereo.mkv", np.stack([np.full(1600, LEFT), np.full(1600, RIGHT)]).astype(np.float32))


@pytest.fixture
def mono(tmp_path: Path) -> Path:
    return pcm_clip(tmp_path / "mono.mkv", np.full(1600, LEFT, np.float32))


def test_stereo_to_mono_integer_is_the_mean(stereo: Path) -> None:
    audio = Clip(stereo).audio(layout="mono", sample_format="s16")
    assert audio.samples.dtype == np.int16
    assert audio.samples.shape == (1600,)
    assert set(audio.samples) == {round((0.5 * LEFT + 0.5 * RIGHT) * 32768)}


def test_stereo_to_mono_float_is_three_decibels_louder(stereo: Path) -> None:
    audio = Clip(stereo).audio(layout="mono", sample_format="flt")
    np.testing.assert_allclose(audio.samples, (LEFT + RIGHT) / math.sqrt(2), rtol=1e-6)


def test_float_mono_is_not_clipped(tmp_path: Path) -> None:
    path = pcm_clip(tmp_path / "loud.mkv", np.full((2, 800), 0.9, np.float32))
    np.testing.assert_allclose(Clip(path).audio(layout="mono").samples, 0.9 * math.sqrt(2), rtol=1e-6)


@pytest.mark.parametrize(("sample_format", "scale", "within"), [("s16", 32768, 1), ("flt", 1, 1e-6)])
def test_mono_to_stereo_is_three_decibels_quieter(mono: Path, sample_format: str, scale: int, within: float) -> None:
    audio = Clip(mono).audio(layout="stereo", sample_format=sample_format)  # type: ignore[arg-type]
    assert audio.samples.shape == (2, 1600)
    np.testing.assert_allclose(audio.samples, LEFT / math.sqrt(2) * scale, atol=within)


def test_mono_stays_as_it_is(mono: Path) -> None:
    clip = Clip(mono)
    np.testing.assert_array_equal(clip.audio(layout="mono").samples, np.float32(LEFT))
    np.testing.assert_array_equal(clip.audio_native().samples, np.float32(LEFT))
    assert set(clip.audio(layout="mono", sample_format="s16").samples) == {round(LEFT * 32768)}


def test_native_channels_and_memo(stereo: Path) -> None:
    clip = Clip(stereo)
    native = clip.audio_native()
    assert native.samples.shape == (2, 1600)
    assert native.rate == 16000
    assert native.duration == pytest.approx(0.1)
    assert clip.audio_native() is native
    assert clip.audio(rate=8000, layout="mono") is clip.audio(rate=8000, layout="mono")
    with pytest.raises(ValueError, match="read-only"):
        native.samples[0, 0] = 1


def test_plain_wav_without_named_channels(tmp_path: Path) -> None:
    import soundfile

    wave = np.stack([tone(0.5), tone(0.5, frequency=880)], axis=1)
    soundfile.write(tmp_path / "plain.wav", wave, 16000, subtype="FLOAT")
    np.testing.assert_array_equal(Clip(tmp_path / "plain.wav").audio_native().samples, wave.T)
    six = np.tile(tone(0.2)[:, None], (1, 6))
    soundfile.write(tmp_path / "six.wav", six, 16000, subtype="PCM_16")
    clip = Clip(tmp_path / "six.wav")
    assert clip.facts.channels == 6
    assert clip.audio_native().samples.shape == (6, 3200)
    assert clip.audio(layout="mono", sample_format="s16").samples.shape == (3200,)


def test_late_sound_is_filled_with_zeros_for_the_mean_only(tmp_path: Path) -> None:
    wave = tone(0.5, rate=16000)
    path = make_clip(
        tmp_path / "late.mkv", seconds=1, audio=wave, audio_codec="pcm_f32le", audio_start=0.25, audio_rate=16000
    )
    clip = Clip(path)
    assert clip.facts.audio_start == Fraction(1, 4)
    assert clip.audio_native().start == Fraction(1, 4)
    np.testing.assert_array_equal(clip.audio_native().samples, wave)
    mean = clip.audio_mean(48000)
    assert mean.start == 0
    assert not mean.samples[:12000].any()
    np.testing.assert_array_equal(mean.samples[12000:], sinc_resample(wave, 16000, 48000))


def test_mean_is_a_plain_mean(stereo: Path) -> None:
    mean = Clip(stereo).audio_mean(16000)
    np.testing.assert_allclose(mean.samples, (LEFT + RIGHT) / 2, rtol=1e-6)


def test_priming_samples_are_thrown_away(tmp_path: Path) -> None:
    """An MP4 with an edit list over the AAC encoder's delay: the tone starts at time 0, not 64 ms later."""
    wave = np.zeros(16000, np.float32)
    wave[4000] = 0.9
    path = make_clip(tmp_path / "click.mp4", audio=wave, audio_rate=16000)
    clip = Clip(path)
    native = clip.audio_native()
    assert native.start == 0
    assert clip.facts.audio_start == 0
    assert abs(int(np.abs(native.samples).argmax()) - 4000) <= 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(tmp_path: Path, bad: float) -> None:
    wave = tone(0.5)
    wave[4000] = bad
    clip = Clip(pcm_clip(tmp_path / "bad.mkv", wave))
    for ask in (
        clip.audio_native,
        clip.audio_mean,
        lambda: clip.audio(rate=16000, layout="mono", sample_format="s16"),
    ):
        with pytest.raises(ClipError, match=r"bad\.mkv .* first at 0\.250 s") as caught:
            ask()
        assert caught.value.code == "audio_not_finite"


def test_no_sound_and_empty_sound(mute_clip: Path, tmp_path: Path) -> None:
    with pytest.raises(ClipError) as caught:
        Clip(mute_clip).audio(rate=16000)
    assert caught.value.code == "no_audio_stream"
    empty = make_clip(tmp_path / "empty.mkv", frames=3, audio=np.zeros(0, np.float32), audio_codec="pcm_f32le")
    clip = Clip(empty)
    assert clip.facts.has_audio
    for ask in (clip.audio_native, clip.audio_mean, clip.audio):
        with pytest.raises(ClipError) as caught:
            ask()
        assert caught.value.code == "empty_audio"
    assert len(clip.frames()) == 3


def test_wrong_arguments(tiny_clip: Path) -> None:
    clip = Clip(tiny_clip)
    with pytest.raises(ValueError, match="layout"):
        clip.audio(layout="surround")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rate"):
        clip.audio(rate=0)


@pytest.mark.parametrize("name", ["00000.mp4", "00023.mp4", "01083.mp4", "419.mp4", "talking_woman.mp4"])
def test_generated_clips_have_80896_samples(name: str) -> None:
    audio = Clip(shared_clip(name)).audio(rate=16000, layout="mono", sample_format="s16")
    assert audio.samples.shape == (80896,)


def ffmpeg_program() -> str:
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("no ffmpeg program on this machine")
    return program


def through_ffmpeg(path: Path, codec: str, rate: int, channels: int) -> NDArray[np.float64]:
    form = {"pcm_s16le": ("s16le", "<i2"), "pcm_f32le": ("f32le", "<f4")}[codec]
    command = [ffmpeg_program(), "-v", "error", "-i", str(path), "-vn", "-acodec", codec, "-ar", str(rate)]
    raw = subprocess.run([*command, "-ac", str(channels), "-f", form[0], "-"], check=True, capture_output=True).stdout
    return np.frombuffer(raw, form[1]).reshape(-1, channels).T.astype(np.float64)


PATHS = [("pcm_s16le", "s16", 16000, 1), ("pcm_s16le", "s16", 32000, 2), ("pcm_f32le", "flt", 44100, 1)]


@pytest.mark.parametrize(("codec", "sample_format", "rate", "channels"), PATHS, ids=["A1", "A2", "A3"])
@pytest.mark.parametrize(("source_rate", "source_channels"), [(16000, 1), (44100, 1), (48000, 2), (24000, 2)])
def test_equal_to_the_ffmpeg_program(
    tmp_path: Path, codec: str, sample_format: str, rate: int, channels: int, source_rate: int, source_channels: int
) -> None:
    wave = tone(0.7, rate=source_rate, level=0.4, channels=source_channels)
    wave += 0.05 * np.random.default_rng(1).standard_normal(wave.shape).astype(np.float32)
    path = make_clip(tmp_path / "clip.mp4", seconds=0.7, audio=wave, audio_rate=source_rate)
    theirs = through_ffmpeg(path, codec, rate, channels)
    layout = "mono" if channels == 1 else "stereo"
    ours = Clip(path).audio(rate=rate, layout=layout, sample_format=sample_format)  # type: ignore[arg-type]
    mine = np.atleast_2d(ours.samples).astype(np.float64)
    assert abs(mine.shape[1] - theirs.shape[1]) <= 1024  # the end padding of AAC differs between FFmpeg versions
    common = min(mine.shape[1], theirs.shape[1]) - 2048
    unit = 1.0 if sample_format == "s16" else 1e-5
    np.testing.assert_allclose(mine[:, :common], theirs[:, :common], atol=unit)
