"""Sizes and lengths of clips: what a model accepts, the nearest valid ones, and what a crop leaves of a picture."""

from __future__ import annotations

from dataclasses import dataclass

from metrics.errors import UserError

KEPT_WARNING = 0.6
"""A crop that leaves less of the first frame than this is worth a warning."""


@dataclass(frozen=True, slots=True)
class Grid:
    """What a model accepts: sides that are multiples of `side` pixels, `step` * k + 1 frames."""

    side: int = 16
    step: int = 4
    fps: float = 24.0

    def frames_for(self, seconds: float) -> int:
        """The valid number of frames whose length is nearest to so many seconds, the longer one of two as near."""
        wanted = seconds * self.fps
        below = max(int((wanted - 1) // self.step), 0) * self.step + 1
        above = below + self.step
        return below if wanted - below < above - wanted else above

    def check_frames(self, frames: int) -> int:
        """Raises UserError naming the nearest valid counts."""
        if frames >= 1 and (frames - 1) % self.step == 0:
            return frames
        below = max((frames - 1) // self.step, 0) * self.step + 1
        raise UserError(
            f"{frames} frames: the model makes {self.step} k + 1 of them; the nearest are {below} and "
            f"{below + self.step}"
        )

    def check_size(self, width: int, height: int) -> tuple[int, int]:
        """Raises UserError naming the nearest valid size."""
        if width > 0 and height > 0 and width % self.side == 0 and height % self.side == 0:
            return width, height
        near = "x".join(str(max(round(value / self.side), 1) * self.side) for value in (width, height))
        raise UserError(f"size {width}x{height}: sides must be multiples of {self.side}; the nearest is {near}")


CLASSES = {"360p": (640, 352), "480p": (832, 480), "720p": (1280, 720)}
"""Landscape sizes behind the names of size classes; 360p is 352 lines, since sides are multiples of 16."""


def size_of(text: str) -> tuple[int, int]:
    """ "640x352" or "360p" as (width, height) in pixels. Raises UserError."""
    if text.lower() in CLASSES:
        return CLASSES[text.lower()]
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UserError(f"'{text}' is no size; write WIDTHxHEIGHT, such as 640x352, or {', '.join(CLASSES)}")
    return int(width), int(height)


def oriented(size: tuple[int, int], picture: tuple[int, int] | None) -> tuple[int, int]:
    """A size turned the way of a picture: landscape where the picture is as wide as high, or there is none."""
    long, short = max(size), min(size)
    return (short, long) if picture is not None and picture[0] < picture[1] else (long, short)


def kept_share(picture: tuple[int, int], size: tuple[int, int]) -> float:
    """Share of a picture's area (0 to 1) that is left when its middle is cut to the shape of `size`."""
    have, want = picture[0] / picture[1], size[0] / size[1]
    return min(have / want, want / have)
