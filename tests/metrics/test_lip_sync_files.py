"""Lip sync: the lossy files that are made in memory against those that the ffmpeg program writes."""

from __future__ import annotations

import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support import make_clip, shared_clip, tone

from metrics.clip import Clip
from metrics.lip_sync.conversion import Detours, convert_audio, convert_video

SOURCES: dict[str, dict[str, Any]] = {
    "10fps": {"fps": 10},
    "24fps": {"fps": 24, "audio": tone(1.2, rate=48000, channels=2), "audio_rate": 48000},
    "ntsc": {"fps": Fraction(24000, 1001), "audio": tone(1.2, rate=44100), "audio_rate": 44100},
    "60fps": {"fps": 60},
    "variable": {"times": [0, 0.033, 0.066, 0.1, 0.2, 0.21, 0.22, 0.3, 0.5, 0.52, 0.54, 0.9, 1.0, 1.01]},
    "late-picture": {"times": [0.3 + 0.04 * n for n in range(20)]},
    "late-sound": {"audio_start": 0.3},
    "rotated": {"rotation": 90, "size": (98, 130)},
    "mute": {"audio": None},
    "short": {"seconds": 0.2, "audio": tone(0.2)},
}


def ffmpeg(*arguments: object) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True, capture_output=True)


def largest_difference() -> int:
    """Levels of a picture: none against ffmpeg 5 to 7.0, whose rounding we follow; later ones round otherwise."""
    if not shutil.which("ffmpeg"):
        pytest.skip("needs the ffmpeg program")
    told = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True).stdout
    version = re.match(r"ffmpeg version n?(\d+)\.(\d+)", told)
    return 0 if version and (5, 0) <= (int(version[1]), int(version[2])) < (7, 1) else 4


def official_files(clip: Path, folder: Path, slices: int) -> tuple[int, list[NDArray[Any]], NDArray[np.int16] | None]:
    """Pictures that a reader of the AVI counts, the JPEGs, the sound."""
    import soundfile

    avi = folder / "video.avi"
    ffmpeg("-i", clip, "-qscale:v", 2, "-async", 1, "-r", 25, "-threads", slices, avi)
    ffmpeg("-i", avi, "-qscale:v", 2, "-threads", 1, "-f", "image2", folder / "%06d.jpg")
    capture, coded = cv2.VideoCapture(str(avi)), 0
    while capture.read()[0]:
        coded += 1
    pictures: list[NDArray[Any]] = [cv2.imread(str(path)) for path in sorted(folder.glob("*.jpg"))]  # type: ignore[misc]
    with Clip(clip) as source:
        if not source.facts.has_audio:
            return coded, pictures, None
    ffmpeg("-i", avi, "-ac", 1, "-vn", "-acodec", "pcm_s16le", "-ar", 16000, folder / "audio.wav")
    return coded, pictures, soundfile.read(folder / "audio.wav", dtype="int16")[0]


def compare(clip: Path, folder: Path, slices: int = 1) -> None:
    tolerance = largest_difference()
    coded, pictures, sound = official_files(clip, folder, slices)
    with Clip(clip) as source:
        video = convert_video(source, Detours(slices=slices))
        ours = None if sound is None else convert_audio(source)
    assert len(video) == len(pictures)
    assert video.seen_by_shot_detector == coded
    for number, picture in enumerate(pictures):
        np.testing.assert_allclose(video.frame(number).astype(int), picture, atol=tolerance)
    if ours is None or sound is None:
        return
    assert len(ours) == len(sound)
    # decoders differ in the last bit of a float, after which LAME quantises a granule here and there otherwise
    difference = ours.astype(float) - sound
    assert np.linalg.norm(difference) < 0.03 * np.linalg.norm(sound.astype(float))


@pytest.mark.parametrize("options", SOURCES.values(), ids=SOURCES)
def test_pictures_and_sound_equal_the_official_files(options: dict[str, Any], tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", **{"seconds": 1.2, "size": (128, 96), **options})
    compare(clip, tmp_path)


@pytest.mark.parametrize("slices", [3, 16])
def test_pictures_equal_those_of_a_machine_with_more_cores(slices: int, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=0.4, size=(160, 272))
    compare(clip, tmp_path, slices)


def test_a_real_clip_equals_the_official_files(tmp_path: Path) -> None:
    compare(shared_clip("00000.mp4"), tmp_path, slices=3)
