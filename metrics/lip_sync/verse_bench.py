"""The Verse-Bench tool's variant of the chain: no tracks, but unbroken runs of frames with a face.

The tool finds faces with InsightFace, whose networks are not free for all uses; here S3FD finds them, with the same
treatment of what is found. Everything else is the tool's: no lossy AVI or MP3, the first face of each frame whoever it
is, runs of at least 50 frames, tighter crops without smoothing through JPEG, one frame less of sound, and no score for
a clip in which any run seems to be off by 14 frames or more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from metrics.lip_sync.conversion import VERSE_BENCH_DETOURS, FrameView, Video, convert_audio, convert_video
from metrics.lip_sync.crops import OutsidePicture, crop_track
from metrics.lip_sync.pipeline import SAMPLES_PER_FRAME, Analysis, Person, detect_faces
from metrics.lip_sync.scoring import TooShort, score_crops
from metrics.lip_sync.tracking import Track

if TYPE_CHECKING:
    from metrics.clip import Clip
    from metrics.lip_sync.s3fd import Detection, FaceDetector
    from metrics.lip_sync.syncnet import LipSyncNet

SHORTEST = 50
LARGEST_OFFSET = 14
CROP_SCALE = 0.3


def analyse_verse_bench(clip: Clip, detector: FaceDetector, network: LipSyncNet, batch: int = 8) -> Analysis:
    """Score all runs of frames with a face. Raises ClipError where picture or sound cannot be decoded."""
    sound = convert_audio(clip, VERSE_BENCH_DETOURS)
    video = convert_video(clip, VERSE_BENCH_DETOURS)
    length = min(len(video), len(sound) // SAMPLES_PER_FRAME)
    faces = detect_faces(video, detector)
    runs = first_face_runs(faces[:length])
    people = [_score(video, run, sound, network, batch) for run in runs if len(run.frames) >= SHORTEST]
    too_short = [len(run.frames) for run in runs if len(run.frames) < SHORTEST]
    return Analysis(len(video), [(0, len(video))], faces, people, [], too_short, sound)


def first_face_runs(faces: list[list[Detection]]) -> list[Track]:
    """Runs of frames with a face; each frame gives its first face."""
    runs: list[list[Detection]] = [[]]
    for found in faces:
        if found:
            runs[-1].append(found[0])
        elif runs[-1]:
            runs.append([])
    return [
        Track(
            frames=np.array([face["frame"] for face in run], np.int64),
            bboxes=np.array([face["bbox"] for face in run], np.float64),
            detected=len(run),
            confidence=float(np.mean([face["conf"] for face in run])),
        )
        for run in runs
        if run
    ]


def _score(video: Video, run: Track, sound: NDArray[np.int16], network: LipSyncNet, batch: int) -> Person:
    start, end = int(run.frames[0]) * SAMPLES_PER_FRAME, int(run.frames[-1]) * SAMPLES_PER_FRAME
    try:
        crops = np.stack([_through_jpeg(crop) for crop in crop_track(FrameView(video), run, CROP_SCALE, smoothing=1)])
        return Person(run, score_crops(crops, sound[start:end], network, batch=batch))
    except OutsidePicture as error:
        return Person(run, None, "face_outside_picture", str(error))
    except TooShort as error:
        return Person(run, None, "audio_shorter_than_video", str(error))


def _through_jpeg(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """OpenCV's own JPEG at its default quality."""
    import cv2

    from metrics.lip_sync.codecs import read_jpeg

    _, encoded = cv2.imencode(".jpg", crop)
    return read_jpeg(encoded.tobytes())
