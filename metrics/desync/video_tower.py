"""Synchformer's picture tower: a vision transformer with attention divided over time and space (MotionFormer)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

PATCH = 16
TUBE = 2
"""Frames that one patch spans."""


class VideoTower(nn.Module):
    """Segments float [n, 16, 3, 224, 224] -> features [n, 8, width], one for every two frames."""

    def __init__(self, width: int, heads: int, depth: int, side: int, frames: int) -> None:
        super().__init__()
        self._places, self._steps = (side // PATCH) ** 2, frames // TUBE
        self.patch_embed = _Patches(nn.Conv2d(3, width, PATCH, PATCH))  # not used; the published file has it
        self.patch_embed_3d = _Patches(nn.Conv3d(3, width, (TUBE, PATCH, PATCH), (TUBE, PATCH, PATCH)))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, self._places + 1, width))
        self.temp_embed = nn.Parameter(torch.zeros(1, self._steps, width))
        self.blocks = nn.ModuleList(_Block(width, heads, self._steps) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.spatial_attn_agg = Aggregate(width, heads)

    def forward(self, segments: Tensor) -> Tensor:
        tokens = self.patch_embed_3d(segments.transpose(1, 2))
        places = self.pos_embed[:, 1:].repeat(1, self._steps, 1)
        steps = self.temp_embed.repeat_interleave(self._places, 1)
        first = (self.cls_token + self.pos_embed[:, :1]).expand(len(tokens), -1, -1)
        tokens = torch.cat([first, tokens + places + steps], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        patches = self.norm(tokens[:, 1:])
        features: Tensor = self.spatial_attn_agg(patches.unflatten(1, (self._steps, self._places)))
        return features


class Aggregate(nn.Module):
    """A transformer layer whose class token sums up a set of tokens: [n, groups, tokens, width] -> [n, groups, width].

    Keys are those of `torch.nn.TransformerEncoderLayer`; only the class token is computed, for nothing else is used.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.self_attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.linear1 = nn.Linear(width, 4 * width)
        self.linear2 = nn.Linear(4 * width, width)
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)

    def forward(self, tokens: Tensor) -> Tensor:
        flat = tokens.flatten(0, 1)
        summary = self.cls_token.expand(len(flat), -1, -1)
        known = self.norm1(torch.cat([summary, flat], dim=1))
        summary = summary + self.self_attn(known[:, :1], known, known, need_weights=False)[0]
        summary = summary + self.linear2(functional.gelu(self.linear1(self.norm2(summary))))
        summed: Tensor = summary[:, 0].unflatten(0, tokens.shape[:2])
        return summed


class _Patches(nn.Module):
    def __init__(self, proj: nn.Module) -> None:
        super().__init__()
        self.proj = proj

    def forward(self, pictures: Tensor) -> Tensor:
        """-> [n, patches, width]: over time first, then rows, then columns."""
        projected: Tensor = self.proj(pictures)
        return projected.flatten(2).transpose(1, 2)


class _Block(nn.Module):
    """Attention over time at each place, then over space in each step, then a perceptron."""

    def __init__(self, width: int, heads: int, steps: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = _DividedAttention(width, heads, steps, over_time=False)
        self.timeattn = _DividedAttention(width, heads, steps, over_time=True)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Perceptron(width)
        self.norm3 = nn.LayerNorm(width, eps=1e-6)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.timeattn(self.norm3(tokens))
        tokens = tokens + self.attn(self.norm1(tokens))
        raised: Tensor = self.mlp(self.norm2(tokens))
        return tokens + raised


class Perceptron(nn.Module):
    """Two layers with the exact GELU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        raised: Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return raised


class _DividedAttention(nn.Module):
    """The class token attends to everything; a patch to the class token and its own place over time (or its step)."""

    def __init__(self, width: int, heads: int, steps: int, *, over_time: bool) -> None:
        super().__init__()
        self._heads, self._steps, self._over_time = heads, steps, over_time
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        count = len(tokens)
        query, key, value = self.qkv(tokens).unflatten(2, (3, self._heads, -1)).permute(2, 0, 3, 1, 4)
        whole = functional.scaled_dot_product_attention(query[:, :, :1], key, value)
        groups = [self._grouped(part[:, :, 1:]) for part in (query, key, value)]
        # the class token's key and value stand before those of every group
        first = [part[:, None, :, :1].expand(-1, groups[0].shape[1], -1, -1, -1) for part in (key, value)]
        keys, values = (torch.cat(pair, dim=3) for pair in zip(first, groups[1:], strict=True))
        patches = functional.scaled_dot_product_attention(groups[0], keys, values)  # [n, groups, heads, members, d]
        patches = patches.permute(0, 3, 1, 2, 4) if self._over_time else patches.permute(0, 1, 3, 2, 4)
        joined = torch.cat([whole.transpose(1, 2).flatten(2), patches.reshape(count, -1, tokens.shape[2])], dim=1)
        mixed: Tensor = self.proj(joined)
        return mixed

    def _grouped(self, patches: Tensor) -> Tensor:
        """[n, heads, steps * places, d] -> [n, groups, heads, members, d]."""
        divided: Tensor = patches.unflatten(2, (self._steps, -1))
        return divided.permute(0, 3, 1, 2, 4) if self._over_time else divided.permute(0, 2, 1, 3, 4)
