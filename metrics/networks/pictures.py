"""The pictures of a clip as networks see them: chosen by time, made small once, in 8 bits."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from metrics.errors import ClipError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from metrics.clip import Clip


def official_duration(clip: Clip, seconds: float | None) -> float:
    """Seconds of a clip that the audio-visual metrics look at: its nominal length less 0.1 s.

    seconds: the nominal length of a run's clips, as the official tool is told; None takes this clip's own: whole
    seconds of its picture, where a tenth may be missing (a clip of 8.04 s or 7.96 s counts as 8 s).
    """
    if seconds is not None:
        return seconds - 0.1
    length = clip.facts.video_duration or Fraction(0)
    return floor(length + Fraction(1, 10)) - 0.1


def small_pictures(clip: Clip, rate: int | Fraction, count: int, side: int) -> Tensor:
    """The first `count` pictures at `rate` per second, the shorter side scaled to `side`: uint8 [count, 3, h, w].

    Pictures are chosen as FFmpeg's filter `fps` does; missing ones at the end are copies of the last. They are scaled
    in 8 bits, bicubic with antialiasing, the longer side to int(side * long / short), as torchvision 0.28 does (equal
    to the bit). Made once per clip and arguments.

    Raises ClipError "no_video_stream", "empty_video" (also where the clip is shorter than half a tick of `rate`),
    "undecodable_video".
    """
    return clip.memo(("pictures.small", Fraction(rate), count, side), lambda: _small(clip, rate, count, side))


def _small(clip: Clip, rate: int | Fraction, count: int, side: int) -> Tensor:
    frames = clip.frames("rgb24", rate=rate)
    source = frames.source or []
    made: list[Tensor] = []
    for place, picture in zip(range(count), frames, strict=False):
        repeated = place > 0 and source[place] == source[place - 1]
        made.append(made[-1] if repeated else short_side(picture, side))
    if not made:
        raise ClipError("empty_video", f"{clip.path.name} is too short to give a picture at {float(rate):g} per second")
    made += made[-1:] * (count - len(made))
    return torch.stack(made)


def short_side(picture: NDArray[np.uint8], side: int) -> Tensor:
    """One RGB picture [H, W, 3] scaled as in `small_pictures` -> uint8 [3, h, w]."""
    height, width = picture.shape[:2]
    size = (side, int(side * width / height)) if height <= width else (int(side * height / width), side)
    return scaled(torch.from_numpy(picture).permute(2, 0, 1)[None], size)[0]


def scaled(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """uint8 [n, 3, H, W] -> uint8 [n, 3, *size], bicubic with antialiasing, in 8 bits throughout.

    Fastest where the colours of a pixel lie together in memory, as they come from the decoder; the bits are the same.
    """
    if tuple(pictures.shape[-2:]) == size:
        return pictures
    return functional.interpolate(pictures, size, mode="bicubic", antialias=True, align_corners=False)
