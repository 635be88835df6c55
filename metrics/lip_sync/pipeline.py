"""The chain from a clip to the scores of its people: each stage can be called and replaced by itself.

video = convert_video(clip)              pictures at 25 fps
faces = detector.detect(...)             faces of each frame
shots = find_shots(...)                  cuts
tracks = follow_faces(...)               one face through time
crops = crop_track(frames, track)        224 x 224 pictures of it
score = score_crops(crops, sound)        LSE-D, LSE-C, offset
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from metrics.lip_sync.conversion import (
    ALL_DETOURS,
    Detours,
    FrameView,
    Video,
    convert_audio,
    convert_crops,
    convert_video,
)
from metrics.lip_sync.crops import OutsidePicture, crop_track
from metrics.lip_sync.scoring import SyncScore, TooShort, score_crops
from metrics.lip_sync.shots import find_shots
from metrics.lip_sync.tracking import Track, Tracking, follow_faces

if TYPE_CHECKING:
    from metrics.clip import Clip
    from metrics.lip_sync.s3fd import Detection, FaceDetector
    from metrics.lip_sync.syncnet import LipSyncNet

SAMPLES_PER_FRAME = 640


@dataclass(frozen=True, slots=True)
class Settings:
    """Numbers of the chain; the defaults are those of MOVA's evaluation.

    min_track: a shot has at least so many frames and a track more detections; num_failed_det: longest gap in frames;
    min_face_size in pixels; crop_scale and smoothing (frames, odd): of the crops; vshift: frames; batch: lip windows
    per pass.
    """

    detours: Detours = ALL_DETOURS
    min_track: int = 20
    num_failed_det: int = 25
    min_face_size: float = 100
    crop_scale: float = 0.4
    smoothing: int = 13
    vshift: int = 15
    batch: int = 8


@dataclass(frozen=True, slots=True)
class Person:
    """One track with its score, or why it has none."""

    track: Track
    score: SyncScore | None
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything about one clip: shots as (first, after last), faces per frame, people, chains that were rejected."""

    frames: int
    shots: list[tuple[int, int]]
    faces: list[list[Detection]]
    people: list[Person]
    too_small: list[Track]
    too_short: list[int]
    sound: NDArray[np.int16] = field(repr=False)

    @property
    def scored(self) -> list[Person]:
        """People with a score."""
        return [person for person in self.people if person.score is not None]

    @property
    def chosen(self) -> Person | None:
        """The person with the largest LSE-C minus LSE-D, as MOVA's evaluation chooses; the first of equals."""
        return max(self.scored, key=_margin, default=None)


def _margin(person: Person) -> float:
    assert person.score is not None
    return person.score.lse_c - person.score.lse_d


def analyse(clip: Clip, detector: FaceDetector, network: LipSyncNet, settings: Settings = Settings()) -> Analysis:
    """Score all people of a clip. Raises ClipError where picture or sound cannot be decoded."""
    sound = convert_audio(clip, settings.detours)
    video = convert_video(clip, settings.detours)
    faces = detect_faces(video, detector)
    shots = find_shots(video.pictures[place] for place in range(video.seen_by_shot_detector))
    tracking = follow_shots(faces, shots, settings)
    people = [score_track(video, track, sound, network, settings) for track in tracking.kept]
    return Analysis(len(video), shots, faces, people, list(tracking.too_small), list(tracking.too_short), sound)


def detect_faces(video: Video, detector: FaceDetector) -> list[list[Detection]]:
    """Faces of each 25 fps frame, best first; pictures that stand at several frames are looked at once."""
    found = detector.detect(video.pictures)
    return [[{**face, "frame": number} for face in found[place]] for number, place in enumerate(video.shown)]


def follow_shots(faces: list[list[Detection]], shots: Sequence[tuple[int, int]], settings: Settings) -> Tracking:
    """Tracks of all shots of at least `min_track` frames, none across a cut."""
    parts = [
        follow_faces(faces[start:stop], settings.num_failed_det, settings.min_track, settings.min_face_size)
        for start, stop in shots
        if stop - start >= settings.min_track
    ]
    short_shots = tuple(
        sum(bool(found) for found in faces[start:stop]) for start, stop in shots if stop - start < settings.min_track
    )
    return Tracking(
        tuple(track for part in parts for track in part.kept),
        tuple(track for part in parts for track in part.too_small),
        tuple(length for part in parts for length in part.too_short) + tuple(filter(None, short_shots)),
    )


def sound_of(track: Track, sound: NDArray[np.int16]) -> NDArray[np.int16]:
    """The sound of a track's frames."""
    return sound[int(track.frames[0]) * SAMPLES_PER_FRAME : (int(track.frames[-1]) + 1) * SAMPLES_PER_FRAME]


def score_track(
    video: Video, track: Track, sound: NDArray[np.int16], network: LipSyncNet, settings: Settings
) -> Person:
    """Crop one track, take its crops through the detours and score them."""
    try:
        crops = crop_track(FrameView(video), track, settings.crop_scale, settings.smoothing)
        crops = convert_crops(crops, settings.detours)
        score = score_crops(crops, sound_of(track, sound), network, settings.vshift, batch=settings.batch)
    except OutsidePicture as error:
        return Person(track, None, "face_outside_picture", str(error))
    except TooShort as error:
        return Person(track, None, "audio_shorter_than_video", str(error))
    return Person(track, score)
