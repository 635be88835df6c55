"""Clips with a drawn face whose mouth moves with the sound, and networks fitted to them, for the lip-sync tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import lip_sync_networks
import numpy as np
from numpy.typing import NDArray
from support import make_clip

if TYPE_CHECKING:
    from metrics.lip_sync.s3fd import FaceDetector

SIZE = (640, 384)
FRAMES = 40
BOX = (252.0, 124.0, 452.0, 324.0)
"""Where the fitted detector finds the face."""
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
class Studio:
    """A folder of clips, made when asked for, and the files of the fitted networks."""

    folder: Path
    syncnet: Path
    s3fd: Path

    def options(self) -> dict[str, Any]:
        """Options of the metric that name the weights."""
        return {"syncnet": str(self.syncnet), "s3fd": str(self.s3fd)}

    def clip(self, name: str, **options: Any) -> Path:
        """A clip of the talking face (arguments of `make_clip` change it); made once per name."""
        path = self.folder / f"{name}.mp4"
        given = {"seconds": FRAMES / 25, "size": SIZE, "pictures": talking, "audio": speech(FRAMES), **options}
        return path if path.exists() else make_clip(path, **given)


def build_studio(folder: Path) -> Studio:
    """Fit both networks to the talking face of this folder's first clip."""
    import torch

    from metrics.clip import Clip
    from metrics.lip_sync.conversion import FrameView, convert_audio, convert_crops, convert_video
    from metrics.lip_sync.crops import crop_track
    from metrics.lip_sync.pipeline import Settings, detect_faces, follow_shots, sound_of
    from metrics.lip_sync.s3fd import FaceDetector

    studio = Studio(folder, folder / "syncnet_v2.model", folder / "sfd_face.pth")
    with Clip(studio.clip("talking")) as clip:
        video, sound = convert_video(clip), convert_audio(clip)
        frames = [video.frame(number) for number in (0, 10, 20, 30)]
        empty = cv2.cvtColor(GROUND, cv2.COLOR_RGB2BGR)
        s3fd = lip_sync_networks.s3fd_state([*frames, empty], [*[[BOX]] * 4, []])
        torch.save(s3fd, studio.s3fd)
        track = follow_shots(detect_faces(video, FaceDetector(s3fd)), [(0, FRAMES)], Settings()).kept[0]
        crops = convert_crops(crop_track(FrameView(video), track))
    tighter = _verse_bench_crops(studio, FaceDetector(s3fd))
    torch.save(lip_sync_networks.syncnet_state([(crops, sound_of(track, sound)), tighter]), studio.syncnet)
    return studio


def _verse_bench_crops(studio: Studio, detector: FaceDetector) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    """Crops and sound as that protocol cuts them, so that its scores mean something, too."""
    from metrics.clip import Clip
    from metrics.lip_sync import verse_bench
    from metrics.lip_sync.conversion import VERSE_BENCH_DETOURS, FrameView, convert_audio, convert_video
    from metrics.lip_sync.crops import crop_track
    from metrics.lip_sync.pipeline import detect_faces

    with Clip(studio.clip("long", seconds=52 / 25, audio=speech(52))) as clip:
        video, sound = convert_video(clip, VERSE_BENCH_DETOURS), convert_audio(clip, VERSE_BENCH_DETOURS)
        (run,) = verse_bench.first_face_runs(detect_faces(video, detector))
        crops = crop_track(FrameView(video), run, verse_bench.CROP_SCALE, smoothing=1)
        return np.stack([verse_bench._through_jpeg(crop) for crop in crops]), sound
