"""Pixels, times and rates are those of OpenCV's VideoCapture."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from support import cv2_frames, make_clip, shared_clip

from metrics import Clip


def assert_same_as_cv2(path: Path, *, rgb_off_by: int = 0) -> None:
    theirs = cv2_frames(path)
    with Clip(path) as clip:
        ours = clip.frames("bgr24")
        assert len(ours) == len(theirs) > 0
        for mine, rgb, gray, other in zip(ours, clip.frames("rgb24"), clip.frames("gray"), theirs, strict=True):
            np.testing.assert_array_equal(mine, other)
            assert np.abs(rgb.astype(int) - other[..., ::-1]).max() <= rgb_off_by
            np.testing.assert_array_equal(gray, cv2.cvtColor(other, cv2.COLOR_BGR2GRAY))
        assert ours[0].shape == (ours.height, ours.width, 3) == theirs[0].shape
        capture = cv2.VideoCapture(str(path))
        assert float(ours.rate) == pytest.approx(capture.get(cv2.CAP_PROP_FPS), rel=1e-9)
        capture.release()


@pytest.mark.parametrize(
    ("codec", "pixel_format", "size", "suffix"),
    [
        ("libx264", "yuv420p", (64, 48), ".mp4"),
        ("libx264", "yuv422p", (64, 48), ".mov"),
        ("libx264", "yuv444p", (65, 47), ".mp4"),
        ("libx264", "yuv420p10le", (64, 48), ".mkv"),
        ("libx264rgb", "rgb24", (65, 47), ".mkv"),
        ("ffv1", "yuv420p", (65, 47), ".mkv"),
        ("mpeg4", "yuv420p", (65, 47), ".avi"),
        ("mjpeg", "yuvj420p", (65, 47), ".avi"),
        ("libvpx-vp9", "yuv420p", (65, 47), ".webm"),
        ("ffv1", "bgr0", (1, 1), ".mkv"),
    ],
)
def test_equal_to_opencv(tmp_path: Path, codec: str, pixel_format: str, size: tuple[int, int], suffix: str) -> None:
    path = make_clip(
        tmp_path / f"clip{suffix}", frames=6, size=size, video_codec=codec, pixel_format=pixel_format, audio=None
    )
    # libswscale itself rounds 10-bit video differently for RGB and for BGR
    assert_same_as_cv2(path, rgb_off_by=4 if "10" in pixel_format else 0)


@pytest.mark.parametrize("tags", [(1, 1), (1, 2), (5, 2)], ids=["bt709", "bt709-full", "bt601-full"])
def test_colour_tags_are_followed_as_opencv_does(tmp_path: Path, tags: tuple[int, int]) -> None:
    assert_same_as_cv2(make_clip(tmp_path / "clip.mp4", frames=4, colorspace=tags, audio=None))


@pytest.mark.parametrize("rotation", [90, 180, 270, -90])
def test_rotation_as_opencv_does(tmp_path: Path, rotation: int) -> None:
    path = make_clip(tmp_path / "clip.mp4", frames=3, size=(64, 48), rotation=rotation, audio=None)
    assert_same_as_cv2(path)
    facts = Clip(path).facts
    turned = rotation % 180 != 0
    assert (facts.width, facts.height) == ((48, 64) if turned else (64, 48))
    assert facts.rotation == -rotation % 360


@pytest.mark.parametrize("name", ["00000.mp4", "00023.mp4", "01083.mp4", "419.mp4", "talking_woman.mp4"])
def test_generated_clips_equal_to_opencv(name: str) -> None:
    assert_same_as_cv2(shared_clip(name))


@pytest.mark.parametrize(
    "fps", [Fraction(10), Fraction(24000, 1001), Fraction(24), Fraction(30000, 1001), Fraction(60)]
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_nominal_rate_as_opencv_reports_it(tmp_path: Path, fps: Fraction, suffix: str) -> None:
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    path = make_clip(tmp_path / f"clip{suffix}", frames=12, fps=fps, size=(32, 32), video_codec=codec, audio=None)
    capture = cv2.VideoCapture(str(path))
    with Clip(path) as clip:
        assert float(clip.facts.fps) == pytest.approx(capture.get(cv2.CAP_PROP_FPS), rel=1e-9)
        assert clip.frames().rate == clip.facts.fps
        assert float(clip.facts.fps) == pytest.approx(float(fps), rel=1e-4)
        assert not clip.facts.variable_frame_rate
    capture.release()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_frame_times(tmp_path: Path, suffix: str) -> None:
    times = [Fraction(n, 1000) for n in (0, 40, 80, 200, 240, 520, 560, 1000)]
    path = make_clip(tmp_path / f"clip{suffix}", times=times, audio=None)
    assert_same_as_cv2(path)
    with Clip(path) as clip:
        assert clip.frames().times == times
        assert clip.facts.variable_frame_rate


def test_huge_picture_is_streamed(tmp_path: Path) -> None:
    row = np.linspace(0, 255, 7680).astype(np.uint8)
    film = np.broadcast_to(row[None, :, None], (4320, 7680, 3))
    path = make_clip(
        tmp_path / "8k.mp4", frames=2, size=(7680, 4320), pictures=lambda index: film, video_codec="mpeg4", audio=None
    )
    with Clip(path, frame_budget=1 << 20) as clip:
        frames = clip.frames("gray")
        assert (clip.facts.width, clip.facts.height, len(frames)) == (7680, 4320, 2)
        assert frames[1].shape == (4320, 7680)
        assert abs(int(frames[1][2000, 3840]) - 127) < 8
