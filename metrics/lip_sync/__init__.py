"""Lip sync: LSE-D, LSE-C and the signed offset between sound and lips, with SyncNet on faces found by S3FD.

>>> from metrics import lip_sync
>>> lip_sync.score_crops(crops, audio, "syncnet_v2.model").lse_d  # doctest: +SKIP
7.24

Importing this package imports nothing heavy; torch comes with the networks.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metrics.lip_sync.conversion import Detours, convert_audio, convert_crops, convert_video
    from metrics.lip_sync.crops import crop_track
    from metrics.lip_sync.metric import LipSync
    from metrics.lip_sync.pipeline import Analysis, Person, Settings, analyse
    from metrics.lip_sync.s3fd import Detection, FaceDetector
    from metrics.lip_sync.scoring import SyncScore, score_crops, score_embeddings
    from metrics.lip_sync.shots import find_shots
    from metrics.lip_sync.syncnet import LipSyncNet
    from metrics.lip_sync.tracking import Track, follow_faces, steadied_squares, track_faces

_HOME = {
    **dict.fromkeys(("Detours", "convert_audio", "convert_crops", "convert_video"), "conversion"),
    "crop_track": "crops",
    "LipSync": "metric",
    **dict.fromkeys(("Analysis", "Person", "Settings", "analyse"), "pipeline"),
    **dict.fromkeys(("Detection", "FaceDetector"), "s3fd"),
    **dict.fromkeys(("SyncScore", "score_crops", "score_embeddings"), "scoring"),
    "find_shots": "shots",
    "LipSyncNet": "syncnet",
    **dict.fromkeys(("Track", "follow_faces", "steadied_squares", "track_faces"), "tracking"),
}

__all__ = [
    "Analysis",
    "Detection",
    "Detours",
    "FaceDetector",
    "LipSync",
    "LipSyncNet",
    "Person",
    "Settings",
    "SyncScore",
    "Track",
    "analyse",
    "convert_audio",
    "convert_crops",
    "convert_video",
    "crop_track",
    "find_shots",
    "follow_faces",
    "score_crops",
    "score_embeddings",
    "steadied_squares",
    "track_faces",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'metrics.lip_sync' has no attribute '{name}'")
    value = getattr(import_module(f"metrics.lip_sync.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
