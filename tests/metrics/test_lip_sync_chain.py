"""Lip sync: the whole chain on files, its reasons for no score, and equality with the public code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import lip_sync_networks
import numpy as np
import public_lip_sync
import pytest
import torch
from numpy.typing import NDArray
from support import make_clip, shared_clip, tone

import metrics
from metrics.clip import Clip
from metrics.errors import UserError
from metrics.lip_sync.conversion import (
    ALL_DETOURS,
    NO_DETOURS,
    VERSE_BENCH_DETOURS,
    Detours,
    FrameView,
    convert_audio,
    convert_crops,
    convert_video,
)
from metrics.lip_sync.crops import crop_track
from metrics.lip_sync.metric import LipSync
from metrics.lip_sync.pipeline import Settings, detect_faces, follow_shots, sound_of
from metrics.lip_sync.s3fd import FaceDetector
from metrics.lip_sync.shots import find_shots

SIZE = (640, 384)
FRAMES = 40
BOX = (252.0, 124.0, 452.0, 324.0)
GROUND = cv2.resize(np.random.default_rng(2).integers(60, 200, (12, 20, 3), dtype=np.uint8), SIZE)
NOISE = np.random.default_rng(4).random(400)


def talking(number: int, left: int = 352, face: bool = True) -> NDArray[np.uint8]:
    """A face whose mouth opens with the noise of that moment, RGB."""
    frame = GROUND.copy()
    if face:
        cv2.ellipse(frame, (left, 224), (75, 100), 0, 0, 360, (230, 180, 150), -1)
        cv2.ellipse(frame, (left, 270), (35, int(3 + 25 * NOISE[number])), 0, 0, 360, (90, 20, 20), -1)
    return frame


def speech(frames: int, shift: int = 0) -> NDArray[np.float32]:
    """Noise as loud as the mouth is open, later by `shift` frames."""
    envelope = np.repeat(NOISE[:frames], 640)
    sound = (envelope**2 * np.random.default_rng(9).normal(0, 0.2, frames * 640)).clip(-1, 1).astype(np.float32)
    return np.roll(sound, shift * 640)


@dataclass(frozen=True)
class Weights:
    syncnet: Path
    s3fd: Path

    def options(self) -> dict[str, Any]:
        return {"syncnet": str(self.syncnet), "s3fd": str(self.s3fd), "threads": 2}


Maker = Callable[..., Path]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    folder = tmp_path_factory.mktemp("clips")

    def make(name: str, **options: Any) -> Path:
        path = folder / f"{name}.mp4"
        given = {"seconds": FRAMES / 25, "size": SIZE, "pictures": talking, "audio": speech(FRAMES), **options}
        return path if path.exists() else make_clip(path, **given)

    return make


@pytest.fixture(scope="module")
def weights(clips: Maker, tmp_path_factory: pytest.TempPathFactory) -> Weights:
    folder = tmp_path_factory.mktemp("weights")
    found = Weights(folder / "syncnet_v2.model", folder / "sfd_face.pth")
    torch.set_num_threads(2)
    with Clip(clips("talking")) as clip:
        video, sound = convert_video(clip), convert_audio(clip)
        frames = [video.frame(number) for number in (0, 10, 20, 30)]
        empty = cv2.cvtColor(GROUND, cv2.COLOR_RGB2BGR)
        s3fd = lip_sync_networks.s3fd_state([*frames, empty], [*[[BOX]] * 4, []])
        torch.save(s3fd, found.s3fd)
        faces = detect_faces(video, FaceDetector(s3fd))
        track = follow_shots(faces, [(0, FRAMES)], Settings()).kept[0]
        crops = convert_crops(crop_track(FrameView(video), track))
    torch.save(lip_sync_networks.syncnet_state([(crops, sound_of(track, sound))]), found.syncnet)
    return found


@pytest.fixture(scope="module")
def official(weights: Weights) -> LipSync:
    return LipSync(**weights.options())


def measure(metric: LipSync, path: Path) -> metrics.Measurement:
    with Clip(path) as clip:
        return metric.measure(clip)


def test_a_talking_face_has_scores_and_says_everything(official: LipSync, clips: Maker) -> None:
    found = measure(official, clips("talking"))
    assert found.status == "scored", found.reason
    assert set(found.scores) == {"lse_d", "lse_c", "av_offset_frames"}
    assert found.scores["av_offset_frames"] == 0
    details = found.details
    assert len(details["curve"]) == 31
    assert min(details["curve"]) == pytest.approx(found.scores["lse_d"], abs=1e-4)
    assert details["offset_ms"] == 0
    assert details["frames"] == FRAMES + 2  # the MP3 delay at 16 kHz moves the pictures by two
    assert details["share_of_frames_with_face"] > 0.9
    (person,) = details["people"]
    assert person["chosen"]
    assert details["mean_lse_d"] == pytest.approx(found.scores["lse_d"], abs=1e-5)
    assert details["longest_track"] == person["last_frame"] - person["first_frame"] + 1
    assert measure(official, clips("talking")).scores == found.scores


@pytest.mark.parametrize("shift", [5, -7])
def test_shifted_sound_shifts_the_offset_by_exactly_that(official: LipSync, clips: Maker, shift: int) -> None:
    found = measure(official, clips(f"shift{shift}", audio=speech(FRAMES, shift)))
    assert found.scores["av_offset_frames"] == -shift
    assert found.details["offset_ms"] == -40 * shift


def test_each_reason_for_no_score(official: LipSync, weights: Weights, clips: Maker) -> None:
    def reason(path: Path, metric: LipSync = official) -> str | None:
        found = measure(metric, path)
        assert found.status == "not_applicable", (found.status, found.reason)
        return found.code

    assert reason(clips("empty", pictures=lambda n: talking(n, face=False))) == "no_face"
    assert reason(clips("brief", pictures=lambda n: talking(n, face=n < 12))) == "track_too_short"
    assert reason(clips("tiny", seconds=0.2, audio=speech(5))) == "track_too_short"
    assert reason(clips("silent", audio=np.zeros(FRAMES * 640, np.float32))) == "no_speech"
    assert reason(clips("stops", audio=speech(FRAMES)[:2000])) == "audio_shorter_than_video"
    assert reason(clips("talking"), LipSync(min_face_size=500, **weights.options())) == "face_too_small"
    hum = LipSync(require_speech=True, **weights.options())
    assert reason(clips("hum", audio=tone(FRAMES / 25)), hum) == "no_speech"


def test_sound_that_ends_early_is_flagged(official: LipSync, clips: Maker) -> None:
    found = measure(official, clips("early", audio=speech(FRAMES)[: 25 * 640]))
    assert found.status == "scored"
    assert "audio_shorter_than_video" in found.flags


def test_without_sound_it_fails(official: LipSync, clips: Maker) -> None:
    found = measure(official, clips("mute", audio=None))
    assert (found.status, found.code) == ("failed", "no_audio_stream")


def test_direct_and_verse_bench(weights: Weights, clips: Maker) -> None:
    direct = measure(LipSync(protocol="direct", **weights.options()), clips("talking"))
    assert direct.details["frames"] == FRAMES
    long = clips("long", seconds=60 / 25, audio=speech(60))
    verse = measure(LipSync(protocol="verse-bench", **weights.options()), long)
    assert set(verse.scores) == {"lse_c"}
    assert verse.details["left_out"].keys() == {"lse_d", "av_offset_frames"}
    short = measure(LipSync(protocol="verse-bench", **weights.options()), clips("talking"))
    assert (short.status, short.code) == ("not_applicable", "track_too_short")


@pytest.mark.parametrize("detours", [ALL_DETOURS, NO_DETOURS, VERSE_BENCH_DETOURS], ids=["official", "direct", "verse"])
@pytest.mark.parametrize(
    "options",
    [
        {"fps": 10}, {"fps": 60}, {"size": (384, 640)}, {"rotation": 90},
        {"audio": tone(1.0, rate=44100, channels=2), "audio_rate": 44100}, {"audio_start": 0.2},
    ],
    ids=["10fps", "60fps", "portrait", "rotated", "stereo", "late-sound"],
)  # fmt: skip
def test_sources_of_every_kind_become_25_fps_and_16_khz(
    tmp_path: Path, options: dict[str, Any], detours: Detours
) -> None:
    path = make_clip(tmp_path / "clip.mp4", seconds=1.0, **{"size": (128, 96), **options})
    with Clip(path) as clip:
        video, sound = convert_video(clip, detours), convert_audio(clip, detours)
        expected = clip.frames("bgr24")
        assert abs(len(video) - 25) <= 3
        assert abs(len(sound) - 16000) <= 5000
        assert video.frame(12).shape == expected[0].shape
        near = expected[int(len(expected) * 0.3) : int(len(expected) * 0.6) + 1]
        assert min(np.abs(video.frame(12).astype(int) - picture).mean() for picture in near) < 12


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UserError, match="precision 'int3'"):
        LipSync(precision="int3")


def test_a_cut_splits_tracks(official: LipSync, clips: Maker) -> None:
    def film(number: int) -> NDArray[np.uint8]:
        return talking(number) if number < 30 else 255 - talking(number)

    with Clip(clips("cut", seconds=60 / 25, pictures=film, audio=speech(60))) as clip:
        video = convert_video(clip)
        assert find_shots(video.pictures) == [(0, 30), (30, 60)]
        analysis = official.analyse(clip)
    assert all(person.track.frames[-1] < 30 for person in analysis.people if person.track.frames[0] < 30)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["talking", "00000.mp4"])
def test_the_whole_chain_equals_the_public_code(weights: Weights, clips: Maker, tmp_path: Path, name: str) -> None:
    """Same tracks, LSE within 0.01, same offset; ffmpeg codes in as many slices as this machine makes it."""
    import os

    checkout = public_lip_sync.checkout()
    path = clips("talking") if name == "talking" else shared_clip(name)
    code = public_lip_sync.patched(checkout, tmp_path / "code", weights.s3fd)
    public = public_lip_sync.run_public(code, path, weights.syncnet, tmp_path / "work")
    rows = (384 if name == "talking" else 480) // 16
    slices = min(min(os.cpu_count() or 1, rows) + 1, 16) if (os.cpu_count() or 1) > 1 else 1
    with Clip(path) as clip:
        analysis = LipSync(slices=slices, **weights.options()).analyse(clip)
    assert len(analysis.people) == len(public.tracks)
    for person, track, (offset, lse_c, lse_d, _) in zip(analysis.people, public.tracks, public.scores, strict=True):
        np.testing.assert_array_equal(person.track.frames, track["track"]["frame"])  # type: ignore[index]
        np.testing.assert_allclose(person.track.bboxes, track["track"]["bbox"], atol=1e-2)  # type: ignore[index]
        assert person.score is not None
        assert person.score.offset == offset
        assert person.score.lse_d == pytest.approx(lse_d, abs=0.01)
        assert person.score.lse_c == pytest.approx(lse_c, abs=0.01)
