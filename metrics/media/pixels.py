"""From a decoded picture to the pixels that OpenCV's VideoCapture gives, bit for bit."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

PixelFormat = Literal["rgb24", "bgr24", "gray"]
PIXEL_FORMATS: tuple[PixelFormat, ...] = ("rgb24", "bgr24", "gray")

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


class PixelConverter:
    """Converts pictures of one clip, keeping one scaler: making one for each frame would halve the speed.

    width, height: of the first picture before rotation; a later picture of another size is scaled to it.
    rotation: degrees clockwise, one of 0, 90, 180, 270.
    """

    def __init__(self, width: int, height: int, rotation: int) -> None:
        self._size = (width, height)
        self._turn = _TURNS.get(rotation)
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame, pixel_format: PixelFormat) -> NDArray[np.uint8]:
        """uint8 [H, W, 3] for "rgb24" and "bgr24", [H, W] for "gray" (OpenCV's weights on the BGR picture)."""
        width, height = self._size
        converted = self._scaler.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24" if pixel_format == "rgb24" else "bgr24",
            interpolation=Interpolation.BICUBIC,  # as OpenCV; matters for the chroma of odd sizes and 10-bit video
            threads=1,
        )
        picture = np.asarray(converted.to_ndarray(), dtype=np.uint8)
        if pixel_format == "gray":
            picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
        if self._turn is not None:
            picture = np.asarray(cv2.rotate(picture, self._turn), dtype=np.uint8)
        return picture
