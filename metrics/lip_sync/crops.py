"""The 224 x 224 picture of the lower face that SyncNet looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from metrics.lip_sync.tracking import Squares, steadied_squares

if TYPE_CHECKING:
    from metrics.lip_sync.tracking import Track

SIDE = 224
_GREY = 110


class OutsidePicture(ValueError):
    """A face so far outside of the picture that there is nothing to crop."""


def crop_track(
    frames: Sequence[NDArray[np.uint8]], track: Track, crop_scale: float = 0.4, smoothing: int = 13
) -> NDArray[np.uint8]:
    """Crops of one track: frames uint8 [H, W, 3], indexed by the track's frame numbers -> uint8 [n, 224, 224, 3].

    Around the steadied square of half side s: s above its centre, s (1 + 2 crop_scale) below, s (1 + crop_scale) to
    either side. Where that leaves the picture it is grey. Raises OutsidePicture when nothing of it is inside.
    """
    squares = steadied_squares(track, smoothing)
    crops = np.empty((len(track.frames), SIDE, SIDE, 3), np.uint8)
    for place, number in enumerate(track.frames):
        crops[place] = _crop(frames[int(number)], squares, place, crop_scale)
    return crops


def _crop(frame: NDArray[np.uint8], squares: Squares, place: int, crop_scale: float) -> NDArray[np.uint8]:
    """Padding by int(s (1 + 2c)) on all sides and cutting, without copying the whole padded picture."""
    import cv2

    half = float(squares.half[place])
    border = int(half * (1 + 2 * crop_scale))
    y, x = float(squares.y[place]) + border, float(squares.x[place]) + border
    top, bottom = int(y - half), int(y + half * (1 + 2 * crop_scale))
    left, right = int(x - half * (1 + crop_scale)), int(x + half * (1 + crop_scale))
    height, width = frame.shape[0] + 2 * border, frame.shape[1] + 2 * border
    bottom, right = min(bottom, height), min(right, width)
    if top < 0 or left < 0 or bottom <= top or right <= left:
        raise OutsidePicture(
            f"the face at ({squares.x[place]:.0f}, {squares.y[place]:.0f}) lies outside of the picture"
        )
    cut = np.full((bottom - top, right - left, 3), _GREY, np.uint8)
    inside_top, inside_left = max(top, border), max(left, border)
    inside_bottom, inside_right = min(bottom, border + frame.shape[0]), min(right, border + frame.shape[1])
    if inside_bottom > inside_top and inside_right > inside_left:
        cut[inside_top - top : inside_bottom - top, inside_left - left : inside_right - left] = frame[
            inside_top - border : inside_bottom - border, inside_left - border : inside_right - border
        ]
    return np.asarray(cv2.resize(cut, (SIDE, SIDE)), dtype=np.uint8)
