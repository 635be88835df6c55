"""Which pictures of a clip Qwen2-VL sees, and in which shape, as VideoAlign prepares them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from metrics.errors import NotApplicable

if TYPE_CHECKING:
    from metrics.clip import Clip
    from metrics.video_reward.settings import Settings

PATCH, MERGE, STEPS = 14, 2, 2
"""Side of a patch, patches merged along each side, pictures merged in time."""
UNIT = PATCH * MERGE
MIN_PIXELS = 128 * UNIT * UNIT
MAX_FRAMES, MIN_FRAMES = 768, 4
_MAX_RATIO = 200
_MEAN = torch.tensor((0.48145466, 0.4578275, 0.40821073))
_STD = torch.tensor((0.26862954, 0.26130258, 0.27577711))


def sampled(total: int, fps: float, frames_per_second: float) -> list[int]:
    """Positions of the pictures that are seen, an even number of at least 2, of `total` at `fps` per second.

    Raises NotApplicable for fewer than two pictures.
    """
    if total < STEPS:
        raise NotApplicable("one_frame", f"{total} picture is too few, two are needed")
    most = min(MAX_FRAMES, total) // STEPS * STEPS
    wanted = min(max(total / fps * frames_per_second, MIN_FRAMES), most)
    count = min(round(wanted / STEPS) * STEPS, total)
    positions: list[int] = torch.linspace(0, total - 1, count).round().long().tolist()
    return positions


def size_for(height: int, width: int, max_pixels: int) -> tuple[int, int]:
    """Height and width in multiples of 28 near the given ones, with an area between 100,352 and `max_pixels`.

    Raises NotApplicable for pictures more than 200 times as long as wide.
    """
    if max(height, width) > _MAX_RATIO * min(height, width):
        raise NotApplicable("odd_shape", f"pictures of {width}x{height} are too narrow for the network")
    rows, columns = (max(UNIT, round(side / UNIT) * UNIT) for side in (height, width))
    if rows * columns > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        rows, columns = (math.floor(side / shrink / UNIT) * UNIT for side in (height, width))
    elif rows * columns < MIN_PIXELS:
        grow = math.sqrt(MIN_PIXELS / (height * width))
        rows, columns = (math.ceil(side * grow / UNIT) * UNIT for side in (height, width))
    return rows, columns


def seen(clip: Clip, settings: Settings) -> Tensor:
    """The sampled pictures at the network's size: uint8 [n, 3, h, w]; bicubic in float, then rounded.

    Raises ClipError as `Clip.frames`, NotApplicable for clips that cannot be sampled.
    """
    frames = clip.frames("rgb24")
    fps = float(frames.rate) or 25.0
    positions = sampled(len(frames), fps, settings.frames_per_second)
    size = size_for(frames.height, frames.width, settings.max_pixels)
    pictures: list[Tensor] = []
    for position in positions:
        picture = torch.from_numpy(np.ascontiguousarray(frames[position])).permute(2, 0, 1)[None].float()
        if tuple(picture.shape[-2:]) != size:
            picture = functional.interpolate(picture, size, mode="bicubic", antialias=True, align_corners=False)
        pictures.append(picture.clamp(0, 255).round().to(torch.uint8)[0])
    return torch.stack(pictures)


def patches_of(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures uint8 [n, 3, h, w], n even -> normalised patches float32 [t * h/14 * w/14, 1176] and grid [1, 3].

    Patches that the network merges (2 x 2) lie together; each holds two pictures. grid: t = n/2, rows, columns.
    """
    count, _, height, width = pictures.shape
    values = (pictures.float() / 255.0 - _MEAN[:, None, None]) / _STD[:, None, None]
    steps, rows, columns = count // STEPS, height // PATCH, width // PATCH
    parts = values.reshape(steps, STEPS, 3, rows // MERGE, MERGE, PATCH, columns // MERGE, MERGE, PATCH)
    flat = parts.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(steps * rows * columns, -1)
    return flat, torch.tensor([[steps, rows, columns]])
