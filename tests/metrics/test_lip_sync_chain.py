"""Lip sync: the whole chain on files, what a measurement says, and its reasons for no score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lip_sync_clips import FRAMES, Studio, speech, talking
from numpy.typing import NDArray
from support import make_clip, tone

import metrics
from metrics.clip import Clip
from metrics.errors import UserError
from metrics.lip_sync.conversion import (
    ALL_DETOURS,
    NO_DETOURS,
    VERSE_BENCH_DETOURS,
    Detours,
    convert_audio,
    convert_video,
)
from metrics.lip_sync.metric import LipSync
from metrics.lip_sync.shots import find_shots


@pytest.fixture(scope="module")
def official(lip_sync_studio: Studio) -> LipSync:
    return LipSync(**lip_sync_studio.options())


def measure(metric: LipSync, path: Path) -> metrics.Measurement:
    with Clip(path) as clip:
        return metric.measure(clip)


def test_a_talking_face_has_scores_and_says_everything(official: LipSync, lip_sync_studio: Studio) -> None:
    found = measure(official, lip_sync_studio.clip("talking"))
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
    assert measure(official, lip_sync_studio.clip("talking")).scores == found.scores


@pytest.mark.parametrize("shift", [5, -7])
def test_shifted_sound_shifts_the_offset_by_exactly_that(
    official: LipSync, lip_sync_studio: Studio, shift: int
) -> None:
    found = measure(official, lip_sync_studio.clip(f"shift{shift}", audio=speech(FRAMES, shift)))
    assert found.scores["av_offset_frames"] == -shift
    assert found.details["offset_ms"] == -40 * shift


def test_each_reason_for_no_score(official: LipSync, lip_sync_studio: Studio) -> None:
    def reason(path: Path, metric: LipSync = official) -> str | None:
        found = measure(metric, path)
        assert found.status == "not_applicable", (found.status, found.reason)
        return found.code

    assert reason(lip_sync_studio.clip("empty", seconds=0.9, pictures=lambda n: talking(n, face=False))) == "no_face"
    assert (
        reason(lip_sync_studio.clip("brief", seconds=1.0, pictures=lambda n: talking(n, face=n < 12)))
        == "track_too_short"
    )
    assert reason(lip_sync_studio.clip("tiny", seconds=0.2, audio=speech(5))) == "track_too_short"
    assert reason(lip_sync_studio.clip("silent", seconds=0.4, audio=np.zeros(6400, np.float32))) == "no_speech"
    assert (
        reason(lip_sync_studio.clip("stops", seconds=0.96, audio=speech(FRAMES)[:2000])) == "audio_shorter_than_video"
    )
    assert (
        reason(lip_sync_studio.clip("small", seconds=0.96), LipSync(min_face_size=500, **lip_sync_studio.options()))
        == "face_too_small"
    )
    hum = LipSync(require_speech=True, **lip_sync_studio.options())
    assert reason(lip_sync_studio.clip("hum", seconds=0.4, audio=tone(0.4)), hum) == "no_speech"


def test_sound_that_ends_early_is_flagged(official: LipSync, lip_sync_studio: Studio) -> None:
    found = measure(official, lip_sync_studio.clip("early", seconds=1.2, audio=speech(30)[: 25 * 640]))
    assert found.status == "scored"
    assert "audio_shorter_than_video" in found.flags


def test_without_sound_it_fails(official: LipSync, lip_sync_studio: Studio) -> None:
    found = measure(official, lip_sync_studio.clip("mute", audio=None))
    assert (found.status, found.code) == ("failed", "no_audio_stream")


def test_direct_and_verse_bench(lip_sync_studio: Studio) -> None:
    direct = measure(
        LipSync(protocol="direct", **lip_sync_studio.options()), lip_sync_studio.clip("small", seconds=0.96)
    )
    assert direct.details["frames"] == 24
    long = lip_sync_studio.clip("long", seconds=52 / 25, audio=speech(52))
    verse = measure(LipSync(protocol="verse-bench", **lip_sync_studio.options()), long)
    assert set(verse.scores) == {"lse_c"}
    assert verse.details["left_out"].keys() == {"lse_d", "av_offset_frames"}
    short = measure(LipSync(protocol="verse-bench", **lip_sync_studio.options()), lip_sync_studio.clip("small"))
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


def test_a_cut_splits_tracks(official: LipSync, lip_sync_studio: Studio) -> None:
    def film(number: int) -> NDArray[np.uint8]:
        return talking(number) if number < 26 else 255 - talking(number)

    with Clip(lip_sync_studio.clip("cut", seconds=52 / 25, pictures=film, audio=speech(52))) as clip:
        video = convert_video(clip)
        assert find_shots(video.pictures) == [(0, 26), (26, 52)]
        analysis = official.analyse(clip)
    assert all(person.track.frames[-1] < 26 for person in analysis.people if person.track.frames[0] < 26)
