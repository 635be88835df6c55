"""The written clip: codecs, lengths, loudness, and a disk that is full."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from support import picture, run_python, tone

from reference_model import Sample, UserError
from reference_model.latents import Latents
from reference_model.loudness import integrated_loudness, normalise, true_peak
from reference_model.output import to_uint8, write_clip

RATE = 48_000


def sample(frames: int = 17, fps: float = 24.0, audio: NDArray[np.float32] | None = None) -> Sample:
    film = np.stack([picture(i, (96, 64)) for i in range(frames)])
    count = int(RATE * frames / fps)
    sound = tone(count / RATE, rate=RATE) if audio is None else audio
    empty = Latents(torch.zeros(1), torch.zeros(1))
    return Sample(film, sound, fps, RATE, empty, {})


@pytest.mark.parametrize(("frames", "fps"), [(17, 24.0), (49, 25.0), (33, 30.0), (17, 16.0), (25, 23.976)])
def test_both_streams_are_there_and_equally_long(tmp_path: Path, frames: int, fps: float) -> None:
    path = sample(frames, fps).save(tmp_path / "deep" / "clip.mp4")
    with av.open(str(path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.pix_fmt, video.frames) == ("h264", "yuv420p", frames)
        assert (sound.codec_context.name, sound.rate, sound.channels) == ("aac", RATE, 1)
        assert float(video.average_rate or 0) == pytest.approx(fps, abs=1e-3)
        lengths = [float((s.duration or 0) * (s.time_base or 0)) for s in (video, sound)]
        decoded = list(container.decode(video))
    assert lengths[0] == pytest.approx(frames / fps, abs=1e-3)
    assert lengths[1] == pytest.approx(frames / fps, abs=1e-3)
    shown = decoded[3].to_ndarray(format="rgb24")
    assert np.abs(shown.astype(int) - picture(3, (96, 64))).mean() < 3
    assert path.read_bytes().find(b"moov") < path.read_bytes().find(b"mdat"), "fast start"
    assert [p.name for p in path.parent.iterdir()] == ["clip.mp4"]


def test_the_sound_survives(tmp_path: Path) -> None:
    clip = sample(49)
    path = clip.save(tmp_path / "clip.mp4", wav=True)
    with av.open(str(path)) as container:
        parts = [frame.to_ndarray()[0] for frame in container.decode(container.streams.audio[0])]
    heard = np.concatenate(parts)[: len(clip.audio)]
    assert np.corrcoef(heard[2048:-2048], clip.audio[2048 : len(heard) - 2048])[0, 1] > 0.999
    exact, rate = soundfile.read(tmp_path / "clip.wav", dtype="float32")
    assert rate == RATE
    assert np.array_equal(exact, clip.audio)
    assert soundfile.info(tmp_path / "clip.wav").subtype == "FLOAT"


def test_pictures_are_rounded_and_clamped() -> None:
    values = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0, 1 / 255, 1.2 / 255])
    found = to_uint8(values.view(1, 1, 1, -1).expand(3, 1, 1, -1))
    assert found.shape == (1, 1, 7, 3)
    assert found[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255, 128, 128]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot be written"):
        sample().save(tmp_path / "file" / "clip.mp4")


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk; the old clip under that name stays whole."""
    target = sample().save(tmp_path / "clip.mp4")
    before = target.read_bytes()
    code = f"""
import resource, signal, sys
import numpy as np
from reference_model.output import write_clip, write_wav
from reference_model import UserError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
film = np.random.default_rng(0).integers(0, 255, (17, 64, 96, 3), dtype=np.uint8)
sound = np.random.default_rng(0).normal(size=34_000).astype(np.float32)
for write, rest in ((write_clip, (film, 24.0, sound, 48_000)), (write_wav, (sound, 48_000))):
    try:
        write({str(target)!r} if write is write_clip else {str(tmp_path / "clip.wav")!r}, *rest)
    except UserError as refused:
        print(refused)
    else:
        print("written")
"""
    done = run_python(code)
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stderr
    assert all("cannot be written" in line for line in lines), lines
    assert target.read_bytes() == before
    assert os.listdir(tmp_path) == ["clip.mp4"]


def test_silent_video_is_never_written(tmp_path: Path) -> None:
    film = np.zeros((5, 32, 32, 3), np.uint8)
    with pytest.raises(UserError, match="cannot be written"):
        write_clip(tmp_path / "clip.mp4", film, 24.0, np.zeros(0, np.float32), RATE)
    assert not list(tmp_path.iterdir())


def test_loudness_reaches_the_target() -> None:
    quiet = tone(3.0, rate=RATE, frequency=997.0, level=0.05)
    assert integrated_loudness(tone(3.0, rate=RATE, frequency=997.0, level=1.0), RATE) == pytest.approx(-3.05, abs=0.02)
    louder, change = normalise(quiet, RATE, -23.0)
    assert integrated_loudness(louder, RATE) == pytest.approx(-23.0, abs=0.02)
    assert not change.limited
    assert change.measured is not None
    assert change.gain_db == pytest.approx(-23.0 - change.measured)


def test_the_true_peak_holds_the_gain_back() -> None:
    clicks = 0.001 * tone(3.0, rate=RATE)
    clicks[::RATE] = 0.5
    found, change = normalise(clicks, RATE, -14.0)
    assert change.limited
    assert 20 * np.log10(true_peak(found)) == pytest.approx(-1.0, abs=0.01)


@pytest.mark.parametrize("samples", [np.zeros(RATE, np.float32), tone(0.2, rate=RATE), 1e-6 * tone(1.0, rate=RATE)])
def test_silence_and_moments_stay_as_they_are(samples: NDArray[Any]) -> None:
    found, change = normalise(samples.astype(np.float32), RATE, -23.0)
    assert np.array_equal(found, samples.astype(np.float32))
    assert (change.measured, change.gain_db) == (None, 0.0)
