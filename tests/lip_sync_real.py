"""Lip-sync networks fitted to the development clips, so that their numbers behave like those of trained networks.

The detector finds the face of each clip (and in one clip a second "face" beside it), SyncNet takes what is said and
shown at one moment for in sync, after all lossy files, after those of a machine with two cores, and after none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lip_sync_networks
import numpy as np
from numpy.typing import NDArray
from support import shared_clip

FACES = {
    "00000": [(214, 139)],
    "00023": [(400, 160)],
    "01083": [(370, 118)],
    "419": [(240, 300)],
    "talking_woman": [(332, 139), (660, 300)],
}
"""Clip -> centres of its faces in pixels."""
_HALF = 100
_LOOKED_AT = (0, 30, 60, 90, 120)

Pair = tuple[NDArray[np.uint8], NDArray[np.int16]]


def fitted(folder: Path) -> dict[str, str]:
    """Options of the metric that name the two files, which are made in `folder` if they are not there."""
    import torch

    syncnet, s3fd = folder / "syncnet_v2.model", folder / "sfd_face.pth"
    if not (syncnet.exists() and s3fd.exists()):
        folder.mkdir(parents=True, exist_ok=True)
        detector = _detector_state()
        torch.save(detector, s3fd)
        torch.save(lip_sync_networks.syncnet_state(_pairs(detector)), syncnet)
    return {"syncnet": str(syncnet), "s3fd": str(s3fd)}


def _detector_state() -> Any:
    from metrics.clip import Clip
    from metrics.lip_sync.conversion import convert_video

    frames, boxes = [], []
    for name, centres in FACES.items():
        with Clip(shared_clip(f"{name}.mp4")) as clip:
            video = convert_video(clip)
        for number in _LOOKED_AT:
            frames.append(video.frame(number))
            boxes.append([(x - _HALF, y - _HALF, x + _HALF, y + _HALF) for x, y in centres])
    return lip_sync_networks.s3fd_state(frames, boxes)


def _pairs(detector_state: Any) -> list[Pair]:
    """Crops and sound of every track after each of three ways through the lossy files."""
    from metrics.clip import Clip
    from metrics.lip_sync.conversion import (
        ALL_DETOURS,
        NO_DETOURS,
        Detours,
        FrameView,
        convert_audio,
        convert_crops,
        convert_video,
    )
    from metrics.lip_sync.crops import crop_track
    from metrics.lip_sync.pipeline import Settings, detect_faces, follow_shots, sound_of
    from metrics.lip_sync.s3fd import FaceDetector

    detector = FaceDetector(detector_state)
    pairs = []
    for name in FACES:
        with Clip(shared_clip(f"{name}.mp4")) as clip:
            tracks = None
            for detours in (ALL_DETOURS, Detours(slices=3), NO_DETOURS):
                video, sound = convert_video(clip, detours), convert_audio(clip, detours)
                if tracks is None:
                    tracks = follow_shots(detect_faces(video, detector), [(0, 125)], Settings()).kept
                for track in tracks:
                    crops = convert_crops(crop_track(FrameView(video), track), detours)
                    pairs.append((crops, sound_of(track, sound)))
    return pairs
