"""Clips of unusual shape: one frame, odd sizes, late or long sound, irregular time, strange names, edit lists."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support import make_clip, run_python, tone

import metrics
from metrics import Clip
from metrics.errors import ClipError

MEGABYTE = 1 << 20


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (63, 47), (17, 64), (640, 2)])
def test_odd_and_tiny_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    path = make_clip(tmp_path / "a.mkv", frames=3, size=size, video_codec="ffv1", pixel_format="bgr0", audio=None)
    with Clip(path) as clip:
        width, height = size
        assert (clip.facts.width, clip.facts.height, clip.facts.frames) == (width, height, 3)
        assert {frame.shape for frame in clip.frames()} == {(height, width, 3)}
        assert {frame.shape for frame in clip.frames("gray")} == {(height, width)}


def test_one_frame(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "one.mp4", frames=1, seconds=0.5)
    with Clip(path) as clip:
        assert clip.facts.frames == 1
        assert not clip.facts.variable_frame_rate
        assert len(clip.frames()) == len(list(clip.frames())) == 1
        assert clip.frames().times == [0]
    for name in ("loudness", "dnsmos", "av_align"):
        found = metrics.measure(name, path)
        assert found.status == "scored" or found.reason, name


def test_portrait_by_rotation_is_upright(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "phone.mp4", frames=3, size=(64, 48), rotation=90, audio=None)
    with Clip(path) as clip:
        assert (clip.facts.width, clip.facts.height) == (48, 64)
        assert clip.facts.rotation in (90, 270)
        assert next(iter(clip.frames())).shape == (64, 48, 3)


def test_sound_that_starts_late(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "late.mkv", seconds=2, audio=tone(1.0), audio_start=0.75, audio_codec="pcm_s16le")
    with Clip(path) as clip:
        assert clip.facts.audio_start == Fraction(3, 4)
        assert clip.facts.video_start == 0
        assert clip.facts.duration == 2
        mean = clip.audio_mean(16000).samples
        assert np.abs(mean[: int(0.74 * 16000)]).max() == 0
        assert np.abs(mean[int(0.76 * 16000) :]).max() > 0.2


def test_picture_that_starts_late(tmp_path: Path) -> None:
    times = [Fraction(1, 2) + Fraction(k, 25) for k in range(25)]
    path = make_clip(tmp_path / "late.mkv", times=times, seconds=1.5, audio_codec="pcm_s16le")
    with Clip(path) as clip:
        assert clip.facts.video_start == Fraction(1, 2)
        assert clip.frames().times[0] == Fraction(1, 2)
        assert clip.facts.duration == Fraction(3, 2)


def test_sound_longer_and_shorter_than_the_picture(tmp_path: Path) -> None:
    for seconds in (0.4, 3.0):
        path = make_clip(tmp_path / "a.mkv", seconds=1, audio=tone(seconds), audio_codec="pcm_s16le")
        with Clip(path) as clip:
            assert clip.facts.video_duration == 1
            assert float(clip.facts.audio_duration or 0) == pytest.approx(seconds, abs=0.001)
            assert len(clip.audio().samples) == round(seconds * 16000)


def test_irregular_time_is_told_and_regular_time_is_not(tmp_path: Path) -> None:
    steps = np.cumsum([0, 1, 1, 3, 1, 2, 1, 1, 4, 1])
    path = make_clip(tmp_path / "variable.mp4", times=[Fraction(int(k), 25) for k in steps], audio=None)
    with Clip(path) as clip:
        assert clip.facts.variable_frame_rate
        assert [float(t) for t in clip.frames().times] == pytest.approx([k / 25 for k in steps], abs=1e-4)
        assert len(clip.frames(rate=25)) == 16  # every tick has a picture: repeated until the next one comes
    with Clip(make_clip(tmp_path / "film.mp4", frames=20, fps=Fraction(24000, 1001), audio=None)) as clip:
        assert not clip.facts.variable_frame_rate


def test_an_edit_list_hides_what_a_player_hides(tmp_path: Path) -> None:
    """B frames: the first picture is shown at 0, although its time stamp is later than the first decoding time."""
    path = make_clip(tmp_path / "b.mp4", frames=25, audio=None, video_options={"bf": "2", "preset": "medium"})
    with Clip(path) as clip:
        assert clip.facts.video_start == 0
        assert clip.frames().times == [Fraction(k, 25) for k in range(25)]


NAMES = ("-dash.mp4", "with space.mp4", "日出 🌅.mp4", "quote'\"`$(x).mp4", "per%20cent.mp4", "a:b.mp4", "pipe|x.mp4")


@pytest.mark.parametrize("name", NAMES)
def test_names_are_only_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    make_clip(tmp_path / "plain.mp4").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    with Clip(name) as clip:  # a relative path, so that a leading dash or a colon meets the library as it stands
        assert clip.facts.frames == 25
        assert metrics.measure("loudness", name).status == "scored"


def test_a_name_that_looks_like_a_url_opens_no_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ClipError, match="cannot be read"):
        _ = Clip("http://localhost:9/clip.mp4").facts


MEASURE_MEMORY = """
from metrics import Clip
with Clip(PATH) as clip:
    for _ in range(2):
        total = sum(int(frame[0, 0, 0]) for frame in clip.frames("bgr24"))
        total += sum(int(frame[0, 0]) for frame in clip.frames("gray", rate=25))
    clip.audio(rate=16000, layout="mono"), clip.audio_mean(48000), clip.audio_native()
    print(len(clip.frames()), clip._video.passes)
status = dict(line.split(":") for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) // 1024)  # of this program alone; ru_maxrss has the peak of its parent in it
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read a peak of memory from")
def test_eight_seconds_of_720p_fit_and_are_decoded_once(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "hd.mp4", frames=193, fps=24, size=(1280, 720), seconds=193 / 24, audio_rate=44100)
    done = run_python(f"PATH = {str(path)!r}\n{MEASURE_MEMORY}")
    assert done.returncode == 0, done.stderr
    counts, peak = done.stdout.split("\n")[:2]
    assert counts == "193 1"  # 193 pictures, one decoding pass
    assert int(peak) < 1000, f"{peak} MB"


def test_a_clip_above_the_budget_is_decoded_twice_at_most(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=60, size=(320, 240))
    with Clip(path, frame_budget=2 * MEGABYTE) as small, Clip(path) as large:
        for one, other in zip(small.frames(), large.frames(), strict=True):
            assert np.array_equal(one, other)
        assert small._video.passes == 2  # one to learn how much it is, one to give the pictures
        assert large._video.passes == 1
