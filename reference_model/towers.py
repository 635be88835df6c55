"""The video and the audio tower. Both share one block; widths, depth, patches and rotary tables differ.

Parameter names are those of the released checkpoints.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from reference_model.attention import Attend, attend
from reference_model.configs import TowerConfig
from reference_model.rotary import rotate_pairs

FFN_CHUNK = 32_768
"""Tokens that go through a feed-forward layer at once: bounds the memory of its hidden layer at 720p."""


class TimeSignal(NamedTuple):
    """The time branch of a tower for one timestep: embedding [1 or B, dim] and modulation [1 or B, 6, dim]."""

    embedding: Tensor
    modulation: Tensor


class TextKeys(NamedTuple):
    """Keys and values of the prompt for one block, [B, rows, H, d] each."""

    key: Tensor
    value: Tensor


def sinusoid(timesteps: Tensor, width: int) -> Tensor:
    """float32 [n, width] of timesteps [n] on the scale 0..1000: cosines first, then sines, computed in float64."""
    half = width // 2
    frequency = 10_000.0 ** (-torch.arange(half, dtype=torch.float64, device=timesteps.device) / half)
    angles = torch.outer(timesteps.double(), frequency)
    return torch.cat([angles.cos(), angles.sin()], dim=1).float()


def modulated_norm(x: Tensor, shift: Tensor, scale: Tensor, eps: float) -> Tensor:
    """LayerNorm(x) * (1 + scale) + shift for x [B, N, dim], shift and scale [1 or B, 1, dim].

    In float32, where all samples share one timestep, this is a single layer norm. In lower precision the 1 + scale is
    never rounded by itself: it would lose most of a small scale.
    """
    width = (x.shape[-1],)
    if x.dtype == torch.float32 and scale.shape[0] == 1:
        return nnf.layer_norm(x, width, 1 + scale[0, 0], shift[0, 0], eps)
    normed = nnf.layer_norm(x, width, eps=eps)
    return normed + torch.addcmul(shift, normed, scale)


class Projections(nn.Module):
    """What self- and cross-attention share: q, k, v, o and the norms of q and k over the whole width."""

    def __init__(self, dim: int, source_dim: int, heads: int, eps: float) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(source_dim, dim)
        self.v = nn.Linear(source_dim, dim)
        self.o = nn.Linear(dim, dim)
        self.norm_q = nn.RMSNorm(dim, eps=eps)
        self.norm_k = nn.RMSNorm(dim, eps=eps)

    def queries(self, x: Tensor) -> Tensor:
        """[B, N, H, d]"""
        return self.split(self.norm_q(self.q(x)))

    def keys(self, source: Tensor) -> Tensor:
        """[B, M, H, d]"""
        return self.split(self.norm_k(self.k(source)))

    def values(self, source: Tensor) -> Tensor:
        """[B, M, H, d]"""
        return self.split(self.v(source))

    def split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.heads, -1)


class Block(nn.Module):
    """Self-attention with rotary positions, attention on the prompt, feed-forward; the first and last modulated."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        dim, heads, self.eps = config.dim, config.num_heads, config.eps
        self.modulation = nn.Parameter(torch.empty(1, 6, dim))
        self.self_attn = Projections(dim, dim, heads, config.eps)
        self.cross_attn = Projections(dim, dim, heads, config.eps)
        self.norm3 = nn.LayerNorm(dim, eps=config.eps)
        self.ffn = nn.Sequential(
            nn.Linear(dim, config.ffn_dim), nn.GELU(approximate="tanh"), nn.Linear(config.ffn_dim, dim)
        )

    def text_keys(self, context: Tensor) -> TextKeys:
        """Of the embedded context [B, rows, dim]; the same in every step, so the caller keeps them."""
        return TextKeys(self.cross_attn.keys(context), self.cross_attn.values(context))

    def forward(
        self, x: Tensor, text: TextKeys, modulation: Tensor, rotary: Tensor, self_attention: Attend = attend
    ) -> Tensor:
        """x [B, N, dim] -> [B, N, dim]; modulation [1 or B, 6, dim]; rotary [N, 1, d / 2, 2]."""
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = (self.modulation + modulation).chunk(6, dim=1)
        inner = modulated_norm(x, shift, scale, self.eps)
        query = rotate_pairs(self.self_attn.queries(inner), rotary)
        key = rotate_pairs(self.self_attn.keys(inner), rotary)
        value = self.self_attn.values(inner)
        x = torch.addcmul(x, gate, self.self_attn.o(self_attention(query, key, value)))
        query = self.cross_attn.queries(self.norm3(x))
        x = x + self.cross_attn.o(attend(query, text.key, text.value))
        inner = modulated_norm(x, ffn_shift, ffn_scale, self.eps)
        return torch.addcmul(x, ffn_gate, self._feed_forward(inner))

    def _feed_forward(self, x: Tensor) -> Tensor:
        if x.shape[1] <= FFN_CHUNK:
            return self.ffn(x)  # type: ignore[no-any-return]
        return torch.cat([self.ffn(part) for part in x.split(FFN_CHUNK, dim=1)], dim=1)


class Head(nn.Module):
    """From tokens to velocities: a modulated norm and a linear layer."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.eps = config.eps
        self.modulation = nn.Parameter(torch.empty(1, 2, config.dim))
        self.head = nn.Linear(config.dim, config.out_dim * math.prod(config.patch_size))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """x [B, N, dim], embedding [1 or B, dim] -> [B, N, out_dim * patch volume]. Right for any batch."""
        shift, scale = (self.modulation + embedding[:, None]).chunk(2, dim=1)
        return self.head(modulated_norm(x, shift, scale, self.eps))  # type: ignore[no-any-return]


class Tower(nn.Module):
    """What both towers share. Heavy work happens block by block, in `reference_model.network`."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.text_embedding = nn.Sequential(
            nn.Linear(config.text_dim, dim), nn.GELU(approximate="tanh"), nn.Linear(dim, dim)
        )
        self.time_embedding = nn.Sequential(nn.Linear(config.freq_dim, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.head = Head(config)

    @property
    def dtype(self) -> torch.dtype:
        return self.head.modulation.dtype

    def embed_text(self, context: Tensor) -> Tensor:
        """[B, rows, text_dim] -> [B, rows, dim]. All rows count: zero rows become one constant, non-zero row."""
        return self.text_embedding(context.to(self.dtype))  # type: ignore[no-any-return]

    def embed_time(self, timesteps: Tensor) -> TimeSignal:
        """Of timesteps [n] (0..1000), in float32 whatever the weights' type, then rounded to it."""
        hidden = sinusoid(timesteps, self.config.freq_dim)
        for layer in (*self.time_embedding, *self.time_projection):
            if layer is self.time_projection[0]:
                embedding = hidden
            hidden = _in_float32(layer, hidden)
        modulation = hidden.unflatten(1, (6, self.config.dim))
        return TimeSignal(embedding.to(self.dtype), modulation.to(self.dtype))


def _in_float32(layer: nn.Module, x: Tensor) -> Tensor:
    if isinstance(layer, nn.Linear):
        return nnf.linear(x, layer.weight.float(), layer.bias.float())
    return layer(x)  # type: ignore[no-any-return]


class VideoTower(Tower):
    """Video expert: patches of (1, 2, 2) over latents, mask and first frame."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__(config)
        _, rows, columns = config.patch_size
        self.patch_embedding = nn.Conv3d(
            config.in_dim, config.dim, kernel_size=(1, rows, columns), stride=(1, rows, columns)
        )

    def patch(self, x: Tensor) -> Tensor:
        """[B, in_dim, T, h, w] -> [B, T * h/2 * w/2, dim] in the order (frame, row, column).

        A convolution whose kernel is its stride is a linear layer over patches, and faster as one.
        """
        _, rows, columns = self.config.patch_size
        cut = (
            x.to(self.dtype).unflatten(-1, (-1, columns)).unflatten(-3, (-1, rows))
        )  # [B, C, T, h', rows, w', columns]
        cut = cut.permute(0, 2, 3, 5, 1, 4, 6).flatten(4).flatten(1, 3)
        return nnf.linear(cut, self.patch_embedding.weight.flatten(1), self.patch_embedding.bias)

    def unpatch(self, tokens: Tensor, grid: tuple[int, int, int]) -> Tensor:
        """[B, tokens, rows * columns * out_dim] (patch offset first, channel last) -> [B, out_dim, T, h, w]."""
        _, rows, columns = self.config.patch_size
        x = tokens.reshape(len(tokens), *grid, rows, columns, self.config.out_dim)
        return x.permute(0, 6, 1, 2, 4, 3, 5).flatten(5).flatten(3, 4)


class AudioTower(Tower):
    """Audio tower: every latent is a token."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__(config)
        self.patch_embedding = nn.Conv1d(config.in_dim, config.dim, kernel_size=1)

    def patch(self, x: Tensor) -> Tensor:
        """[B, in_dim, length] -> [B, length, dim]"""
        cut = x.to(self.dtype).transpose(1, 2)
        return nnf.linear(cut, self.patch_embedding.weight.flatten(1), self.patch_embedding.bias)

    def unpatch(self, tokens: Tensor) -> Tensor:
        """[B, length, out_dim] -> [B, out_dim, length]"""
        return tokens.transpose(1, 2)
