"""From faces of single frames to tracks of one face, and the steadied square that each frame is cropped to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from metrics.lip_sync.s3fd import Detection

_SAME_FACE = 0.5
_SMOOTHING = 13


@dataclass(frozen=True, slots=True)
class Track:
    """One face through time.

    frames: int64 [n], consecutive frame numbers. bboxes: float64 [n, 4] left, top, right, bottom in pixels; boxes of
    frames without a detection are interpolated. detected: frames with a detection. confidence: their mean detector
    score, 0-1.
    """

    frames: NDArray[np.int64]
    bboxes: NDArray[np.float64]
    detected: int
    confidence: float

    @property
    def size(self) -> float:
        """Mean width or mean height of the face in pixels, whichever is larger."""
        width, height = (self.bboxes[:, 2:] - self.bboxes[:, :2]).mean(axis=0)
        return float(max(width, height))


@dataclass(frozen=True, slots=True)
class Tracking:
    """What became of the faces of one shot: tracks kept, and those rejected as too small or too short."""

    kept: tuple[Track, ...]
    too_small: tuple[Track, ...]
    too_short: tuple[int, ...]
    """Detections of each rejected short chain."""


@dataclass(frozen=True, slots=True)
class Squares:
    """The steadied square around a face in each frame of a track: centre x, y and half side, float64 [n], pixels."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    half: NDArray[np.float64]


def track_faces(
    detections: Sequence[Sequence[Detection]], num_failed_det: int = 25, min_track: int = 20, min_face_size: float = 100
) -> list[Track]:
    """Tracks of one shot: detections is one list of {frame, bbox, conf} per frame, each best first.

    num_failed_det: longest gap in frames within a track. min_track: a track has more detections than this.
    min_face_size: mean width or height in pixels must exceed this. Frame numbers of the detections are kept as they
    are. The rule is that of the public SyncNet pipeline, in its order: a face belongs to the first chain that takes it,
    also when that chain is rejected afterwards.
    """
    return list(follow_faces(detections, num_failed_det, min_track, min_face_size).kept)


def follow_faces(
    detections: Sequence[Sequence[Detection]], num_failed_det: int = 25, min_track: int = 20, min_face_size: float = 100
) -> Tracking:
    """As `track_faces`, with the rejected chains."""
    kept: list[Track] = []
    too_small: list[Track] = []
    too_short: list[int] = []
    for chain in _chains([list(faces) for faces in detections], num_failed_det):
        if len(chain) <= min_track:
            too_short.append(len(chain))
            continue
        track = _interpolated(chain)
        (kept if track.size > min_face_size else too_small).append(track)
    return Tracking(tuple(kept), tuple(too_small), tuple(too_short))


def _chains(remaining: list[list[Detection]], longest_gap: int) -> Iterator[list[Detection]]:
    """Chains of overlapping faces, consuming `remaining`, until no face is left."""
    first = 0
    while first < len(remaining):
        if not remaining[first]:
            first += 1
            continue
        chain: list[Detection] = []
        for faces in remaining[first:]:
            if chain and faces and faces[0]["frame"] - chain[-1]["frame"] > longest_gap:
                break  # later frames are further away still
            _extend(chain, faces)
        yield chain


def _extend(chain: list[Detection], faces: list[Detection]) -> None:
    """Move the faces of one frame that continue the chain into it.

    The reference removes from the list that it walks, which makes it step over the face after a removed one.
    """
    place = 0
    while place < len(faces):
        if not chain or overlap(faces[place]["bbox"], chain[-1]["bbox"]) > _SAME_FACE:
            chain.append(faces.pop(place))
        place += 1


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom), 0 where the union has no area."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    union = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared
    return shared / union if union else 0.0


def _interpolated(chain: Sequence[Detection]) -> Track:
    known = np.array([face["frame"] for face in chain], dtype=np.int64)
    boxes = np.array([face["bbox"] for face in chain], dtype=np.float64)
    frames = np.arange(known[0], known[-1] + 1)
    filled = np.column_stack([np.interp(frames, known, boxes[:, side]) for side in range(4)])
    return Track(frames, filled, len(chain), float(np.mean([face["conf"] for face in chain])))


def steadied_squares(track: Track, smoothing: int = _SMOOTHING) -> Squares:
    """The square around each box, its centre and size smoothed by a median over `smoothing` frames (odd; 1 for none).

    The median sees zeros beyond both ends of the track, as the reference does.
    """
    left, top, right, bottom = track.bboxes.T
    return Squares(
        x=_median((left + right) / 2, smoothing),
        y=_median((top + bottom) / 2, smoothing),
        half=_median(np.maximum(bottom - top, right - left) / 2, smoothing),
    )


def _median(values: NDArray[np.float64], kernel: int) -> NDArray[np.float64]:
    padded = np.pad(values, kernel // 2)
    smoothed: NDArray[np.float64] = np.median(np.lib.stride_tricks.sliding_window_view(padded, kernel), axis=1)
    return smoothed
