"""The first frame: reading a picture, cropping and scaling it, and what the video tower is told of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reference_model.errors import UserError
from reference_model.shapes import ClipShape

if TYPE_CHECKING:
    from PIL.Image import Image

WHITE = 1.0
"""The value of a picture that is not there: text-only generation means a white first frame."""


def read_picture(source: str | os.PathLike[str] | Image | NDArray[np.uint8]) -> Image:
    """A picture in RGB from a file, a PIL image or an array uint8 [H, W, 3].

    CMYK is converted; 16 bits are scaled to 8 (not clipped); transparent parts become white. A turning tag of a camera
    is not obeyed, as upstream. Raises UserError for what is no picture.
    """
    from PIL import Image

    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3:
            raise UserError(f"the first frame is {source.dtype} {list(source.shape)}: give uint8 [H, W, 3]")
        return Image.fromarray(source)
    if isinstance(source, Image.Image):
        return _rgb(source)
    path = Path(source)
    try:
        with Image.open(path) as opened:
            opened.load()
            return _rgb(opened)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: name an existing picture as first frame") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as problem:
        raise UserError(f"{path} cannot be read as a picture ({problem}): give an intact PNG or JPEG file") from problem


def _rgb(image: Image) -> Image:
    from PIL import Image

    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        wide = np.asarray(image, np.float64)
        top = 65535.0 if image.mode != "F" or wide.max(initial=0.0) > 1.0 else 1.0
        grey = np.clip(np.rint(wide * (255.0 / top)), 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def crop_box(picture: tuple[int, int], height: int, width: int) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the largest centred part of a (width, height) picture with the target's shape."""
    have_w, have_h = picture
    if have_h / have_w < height / width:
        keep = int(have_h / height * width)
        left = (have_w - keep) // 2
        return left, 0, left + keep, have_h
    keep = int(have_w / width * height)
    top = (have_h - keep) // 2
    return 0, top, have_w, top + keep


def fit(image: Image, height: int, width: int) -> Tensor:
    """A picture cropped and scaled (bicubic) to the clip's size: float32 [1, 3, H, W] in -1..1."""
    box = crop_box(image.size, height, width)
    if box[2] <= box[0] or box[3] <= box[1]:
        raise UserError(
            f"a first frame of {image.width}x{image.height} is too narrow for {width}x{height}: give another"
        )
    pixels = np.asarray(image.crop(box).resize((width, height)), np.float32)
    return torch.from_numpy(pixels / 255.0 * 2.0 - 1.0).permute(2, 0, 1)[None]


def white(height: int, width: int) -> Tensor:
    """The first frame of text-only generation: float32 [1, 3, H, W]."""
    return torch.full((1, 3, height, width), WHITE)


def conditioning_clip(first: Tensor, frames: int, last: Tensor | None = None) -> Tensor:
    """What the video VAE encodes: the first frame, mid-grey (0.0) in between, and the last frame if there is one.

    first, last: [B, 3, H, W] -> [B, 3, frames, H, W].
    """
    batch, channels, height, width = first.shape
    clip = first.new_zeros(batch, channels, frames, height, width)
    clip[:, :, 0] = first
    if last is not None:
        clip[:, :, -1] = last
    return clip


def condition(latents: Tensor, *, last: bool = False) -> Tensor:
    """Mask and first-frame latents [B, 16, T, h, w] as the video tower takes them, float32 [B, 20, T, h, w].

    The mask is 1 in all four channels at latent frame 0; a last frame sets the last channel of the last latent frame.
    """
    batch, _, frames, height, width = latents.shape
    mask = latents.new_zeros(batch, 4, frames, height, width)
    mask[:, :, 0] = 1
    if last:
        mask[:, 3, -1] = 1
    return torch.cat([mask, latents], dim=1)


def check_last(shape: ClipShape) -> None:
    """Raises UserError where a last frame has no place of its own."""
    if shape.frames < 5:
        raise UserError(f"a clip of {shape.frames} frames has no room for a last frame: make it at least 5 frames long")
