"""Cuts between shots, as PySceneDetect's `ContentDetector` finds them with its defaults (0.6.4 to 0.6.7).

A track never crosses a cut. Written here because PySceneDetect reads video files only, while our frames are in memory;
a test compares the two on real cuts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_THRESHOLD = 27.0
_MIN_LENGTH = 15
_WIDTH = 256


def find_shots(frames: Iterable[NDArray[np.uint8]]) -> list[tuple[int, int]]:
    """Shots as (first frame, frame after the last), covering all frames: frames uint8 [H, W, 3] BGR."""
    scores = list(content_changes(frames))
    cuts = list(cuts_from_changes(scores))
    edges = [0, *cuts, len(scores)]
    return [(start, stop) for start, stop in pairwise(edges) if stop > start]


def content_changes(frames: Iterable[NDArray[np.uint8]]) -> Iterator[float]:
    """Mean absolute change of hue, saturation and value since the frame before (0-255), 0.0 for the first frame."""
    import cv2

    before: NDArray[np.uint8] | None = None
    for frame in frames:
        colours = cv2.cvtColor(_small(frame), cv2.COLOR_BGR2HSV)
        if before is None:
            yield 0.0
        else:
            pixels = colours.shape[0] * colours.shape[1]
            yield float(cv2.norm(colours, before, cv2.NORM_L1)) / pixels / 3
        before = colours  # type: ignore[assignment]


def _small(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    height, width = frame.shape[:2]
    factor = max(height, width) / _WIDTH
    if factor <= 1:
        return frame
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    return cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def cuts_from_changes(changes: Iterable[float]) -> Iterator[int]:
    """Frames that start a shot: a change of at least 27, with flashes merged.

    Changes less than 15 frames after the one before are merged into one cut at the last of them, and none is reported
    within the first 15 frames.
    """
    last: int | None = None
    merging_from: int | None = None
    some_cut = False
    for number, change in enumerate(changes):
        above = change >= _THRESHOLD
        last = number if last is None else last
        long_enough = number - last >= _MIN_LENGTH
        last = number if above else last
        if merging_from is not None:
            if long_enough and not above and last - merging_from >= _MIN_LENGTH:
                merging_from = None
                yield last
        elif above and long_enough:
            some_cut = True
            yield number
        elif above and some_cut:
            merging_from = number
