"""Files cut off or damaged anywhere: a clip says so, gives what is there, and never breaks in another way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import make_clip, run_python

import metrics
from metrics import Clip
from metrics.errors import ClipError

FRAMES = 50
CODES = {"unreadable", "not_media", "truncated", "no_audio_stream", "no_video_stream", "empty_audio", "empty_video",
         "undecodable_audio", "undecodable_video", "audio_not_finite", "too_large"}  # fmt: skip
SOUND_METRICS = ("loudness", "dnsmos")


def whole(folder: Path, suffix: str) -> Path:
    """2 s of picture and sound, with the index at the front where the container has one."""
    codecs = {".webm": ("libvpx-vp9", "libopus", 48000), ".avi": ("mpeg4", "mp3", 16000)}
    video, audio, rate = codecs.get(suffix, ("libx264", "aac", 16000))
    options = {"movflags": "+faststart"} if suffix in (".mp4", ".mov") else {}
    return make_clip(
        folder / f"whole{suffix}",
        seconds=2,
        video_codec=video,
        audio_codec=audio,
        audio_rate=rate,
        container_options=options,
    )


def read_all(path: Path) -> tuple[int, int, tuple[str, ...]]:
    """Frames and samples that a clip gives (0 where it says why not), and its problems."""
    with Clip(path) as clip:
        frames = _or_code(lambda: sum(1 for _ in clip.frames()))
        samples = _or_code(lambda: len(clip.audio(rate=16000, layout="mono").samples))
        try:
            return frames, samples, clip.facts.problems
        except ClipError as error:
            return frames, samples, (error.reason,)


def _or_code(count: Callable[[], int]) -> int:
    """What is counted, or 0 where the clip says that it cannot give it."""
    try:
        return count()
    except ClipError as error:
        code = error.code
    assert code in CODES
    return 0


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
def test_truncated_at_every_tenth_of_its_length(tmp_path: Path, suffix: str) -> None:
    data = whole(tmp_path, suffix).read_bytes()
    all_frames, all_samples, none = read_all(tmp_path / f"whole{suffix}")
    assert (all_frames, none) == (FRAMES, ())
    found = []
    for tenth in range(10):
        cut = tmp_path / f"cut{tenth}{suffix}"
        cut.write_bytes(data[: len(data) * tenth // 10])
        frames, samples, problems = read_all(cut)
        assert frames <= all_frames
        assert samples <= all_samples
        assert problems, f"{tenth} tenths of a {suffix} file pass for a whole one"
        assert all(cut.name in problem for problem in problems)
        found.append(frames)
    assert found[0] == 0
    assert found == sorted(found)
    assert found[9] > FRAMES // 2  # what is there is given


def test_an_mp4_without_its_index_is_called_cut_off(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "late.mp4", seconds=2)  # the index comes last here
    path.write_bytes(path.read_bytes()[:-20])
    assert any("bytes it should have" in problem for problem in Clip(path).facts.problems)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ClipError, match="cut off") as caught:
        _ = Clip(path).facts
    assert caught.value.code == "truncated"


@pytest.mark.parametrize("tenth", range(0, 10, 3))
def test_metrics_on_a_truncated_clip_score_it_or_say_why(tmp_path: Path, tenth: int) -> None:
    data = whole(tmp_path, ".mp4").read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) * tenth // 10])
    for name in SOUND_METRICS:
        found = metrics.measure(name, cut)
        assert found.status in ("scored", "failed", "not_applicable")
        assert (found.status == "scored") or (found.code in CODES and found.reason)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=30))
def test_any_bytes_changed(tmp_path: Path, places: list[tuple[float, int]]) -> None:
    """Whatever is flipped, a clip ends in pictures and samples or in a ClipError."""
    source = tmp_path / "whole.mp4"
    data = bytearray((source if source.exists() else whole(tmp_path, ".mp4")).read_bytes())
    for place, value in places:
        data[int(place * len(data))] = value
    hurt = tmp_path / "hurt.mp4"
    hurt.write_bytes(data)
    read_all(hurt)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not_media"),
        (b"no video at all\n" * 100, "not_media"),
        (b"#EXTM3U\n#EXTINF:10,\n/etc/passwd\n", "not_media"),
        (bytes(range(256)) * 64, "not_media"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "not_media"),
    ],
)
def test_a_file_that_is_not_a_video(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(ClipError) as caught:
        _ = Clip(path).facts
    assert caught.value.code == code
    assert "a.mp4" in caught.value.reason


def test_places_that_are_no_files(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.mp4")
    for name, said in (("absent.mp4", "No such file"), ("", "is a folder"), ("pipe.mp4", "not a regular file")):
        with pytest.raises(ClipError, match=said) as caught:
            _ = Clip(tmp_path / name).facts
        assert caught.value.code == "unreadable"


def test_a_file_without_permission_to_read(tmp_path: Path) -> None:
    """As a user without root's rights, who may read everything."""
    import os
    import shutil
    import tempfile

    if os.getuid() != 0:
        path = make_clip(tmp_path / "shut.mp4", seconds=0.2)
        path.chmod(0)
        with pytest.raises(ClipError, match="permission denied"):
            _ = Clip(path).facts
        return
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    try:
        folder.chmod(0o755)
        path = make_clip(folder / "shut.mp4", seconds=0.2)
        path.chmod(0o600)
        code = (
            "import av, metrics.media.container, metrics.media.facts, os\n"
            "from metrics import Clip\nfrom metrics.errors import ClipError\n"
            "os.setgid(65534); os.setuid(65534)\n"
            f"try:\n    Clip({str(path)!r}).facts\nexcept ClipError as error:\n    print(error.code, error.reason)\n"
        )
        done = run_python(code)
        assert done.stdout.startswith("unreadable shut.mp4"), done.stderr
        assert "permission denied" in done.stdout
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_sound_that_is_no_number_fails_with_its_own_code(tmp_path: Path, bad: float) -> None:
    samples = np.zeros(16000, np.float32)
    samples[8000] = bad
    path = make_clip(tmp_path / "bad.mkv", audio=samples, audio_codec="pcm_f32le")
    for name in SOUND_METRICS:
        found = metrics.measure(name, path)
        assert (found.status, found.code) == ("failed", "audio_not_finite")
