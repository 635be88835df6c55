"""Rotary positions: interleaved pairs in the towers, rotate-half with aligned time in the Bridge.

All tables are computed once per clip shape, in float64 (towers) or float32 (Bridge, as upstream), and kept in float32;
the rotation itself runs in float32 with one rounding to the model's type.
"""

from __future__ import annotations

import torch
from torch import Tensor

BASE = 10_000.0
TIME_STRIDE = 4


def _angles(positions: Tensor, width: int) -> Tensor:
    """float64 [n, width / 2]: position times 10000^(-2j / width)."""
    frequency = BASE ** (-torch.arange(0, width, 2, dtype=torch.float64, device=positions.device) / width)
    return torch.outer(positions.double(), frequency)


def _pairs(angles: Tensor) -> Tensor:
    """float32 [n, 1, d / 2, 2]: cosine and sine of every pair, ready to broadcast over heads."""
    return torch.stack([angles.cos(), angles.sin()], dim=-1).float()[:, None]


def video_table(grid: tuple[int, int, int], head_dim: int, device: torch.device) -> Tensor:
    """Of the video tower's tokens in the order (frame, row, column): float32 [tokens, 1, head_dim / 2, 2].

    A head splits into time, row and column parts; the spatial parts have head_dim // 3 elements each.
    """
    space = head_dim // 3
    widths = (head_dim - 2 * space, space, space)
    axes = [_angles(torch.arange(n, device=device), width) for n, width in zip(grid, widths, strict=True)]
    frames, rows, columns = grid
    spread = (
        axes[0].view(frames, 1, 1, -1).expand(frames, rows, columns, -1),
        axes[1].view(1, rows, 1, -1).expand(frames, rows, columns, -1),
        axes[2].view(1, 1, columns, -1).expand(frames, rows, columns, -1),
    )
    return _pairs(torch.cat(spread, dim=-1).flatten(0, 2))


def audio_table(length: int, head_dim: int, device: torch.device) -> Tensor:
    """Of the audio tower's tokens: float32 [length, 1, head_dim / 2, 2]."""
    return _pairs(_angles(torch.arange(length, device=device), head_dim))


def rotate_pairs(x: Tensor, table: Tensor) -> Tensor:
    """Rotate [B, N, H, d] by a table [N, 1, d / 2, 2]. May overwrite x."""
    if torch.compiler.is_compiling():
        even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)
        cos, sin = table.unbind(-1)
        return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2).to(x.dtype)
    turned = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    turned.mul_(torch.view_as_complex(table))
    return torch.view_as_real(turned).flatten(-2).to(x.dtype)


def video_positions(latent_frames: int, fps: float, audio_fps: float, first_frame_bias: bool = False) -> Tensor:
    """Positions of latent frames in units of audio latents, float32 [latent_frames].

    With `first_frame_bias` frame 0 stands for one picture and the others for four; the released models do not use it.
    """
    frame = torch.arange(latent_frames, dtype=torch.float32)
    if not first_frame_bias:
        return frame * (audio_fps / (fps / TIME_STRIDE))
    starts = audio_fps * (1.0 / fps + (frame - 1) * (TIME_STRIDE / fps))
    return torch.where(frame == 0, torch.zeros_like(starts), starts)


def aligned_table(positions: Tensor, head_dim: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Of tokens at real positions [n]: float32 [n, 1, head_dim / 2, 2], rounded to `dtype` as upstream rounds them."""
    exponent = torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim
    angles = torch.outer(positions.float(), 1.0 / BASE**exponent)
    return torch.stack([angles.cos(), angles.sin()], dim=-1).to(dtype).float()[:, None].to(device)


def rotate_halves(x: Tensor, table: Tensor) -> Tensor:
    """Rotate [B, N, H, d], element j with element j + d / 2, by a table [N, 1, d / 2, 2]."""
    first, second = x.float().chunk(2, dim=-1)
    cos, sin = table.unbind(-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)
