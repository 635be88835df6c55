"""Synchformer's sound tower: the Audio Spectrogram Transformer (AST) on 0.64 s, summed up over frequency.

The encoder is written here, although transformers has it, since the keys of the published file are those of an older
transformers and today's release names (and splits) its layers otherwise: see docs/metrics/desync.md.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from metrics.desync.video_tower import Aggregate

PATCH, STRIDE = 16, 10


class AudioTower(nn.Module):
    """Log mel spectra [n, frames, mels] -> features [n, steps, width], one for every tenth frame."""

    def __init__(self, width: int, heads: int, depth: int, mels: int, frames: int) -> None:
        super().__init__()
        self._bands, self._steps = ((size - PATCH) // STRIDE + 1 for size in (mels, frames))
        self.ast = _Transformer(width, heads, depth, self._bands * self._steps)
        self.freq_attn_agg = Aggregate(width, heads)

    def forward(self, spectra: Tensor) -> Tensor:
        tokens = self.ast(spectra)[:, 2:].unflatten(1, (self._bands, self._steps))
        features: Tensor = self.freq_attn_agg(tokens.transpose(1, 2))
        return features


class _Transformer(nn.Module):
    def __init__(self, width: int, heads: int, depth: int, patches: int) -> None:
        super().__init__()
        self.embeddings = _Embeddings(width, patches)
        self.encoder = _Encoder(width, heads, depth)
        self.layernorm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, spectra: Tensor) -> Tensor:
        tokens = self.embeddings(spectra)
        for layer in self.encoder.layer:
            tokens = layer(tokens)
        normed: Tensor = self.layernorm(tokens)
        return normed


class _Encoder(nn.Module):
    """A level of names."""

    def __init__(self, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.layer = nn.ModuleList(_Layer(width, heads) for _ in range(depth))


class _Embeddings(nn.Module):
    """Patches of 16 x 16 every ten rows and columns, behind a class and a distillation token."""

    def __init__(self, width: int, patches: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.distillation_token = nn.Parameter(torch.zeros(1, 1, width))
        self.position_embeddings = nn.Parameter(torch.zeros(1, patches + 2, width))
        self.patch_embeddings = _named(projection=nn.Conv2d(1, width, PATCH, STRIDE))

    def forward(self, spectra: Tensor) -> Tensor:
        patches = self.patch_embeddings["projection"](spectra.transpose(1, 2)[:, None]).flatten(2).transpose(1, 2)
        first = torch.cat([self.cls_token, self.distillation_token], dim=1).expand(len(patches), -1, -1)
        return torch.cat([first, patches], dim=1) + self.position_embeddings


class _Layer(nn.Module):
    """Pre-norm transformer layer under the names of the file."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self._heads = heads
        parts = {part: nn.Linear(width, width) for part in ("query", "key", "value")}
        self.attention = _named(attention=_named(**parts), output=_named(dense=nn.Linear(width, width)))
        self.intermediate = _named(dense=nn.Linear(width, 4 * width))
        self.output = _named(dense=nn.Linear(4 * width, width))
        self.layernorm_before = nn.LayerNorm(width, eps=1e-12)
        self.layernorm_after = nn.LayerNorm(width, eps=1e-12)

    def forward(self, tokens: Tensor) -> Tensor:
        normed, parts = self.layernorm_before(tokens), self.attention.get_submodule("attention")
        query, key, value = (
            parts.get_submodule(part)(normed).unflatten(2, (self._heads, -1)).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        mixed = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        tokens = tokens + self.attention.get_submodule("output.dense")(mixed)
        raised = functional.gelu(self.intermediate["dense"](self.layernorm_after(tokens)))
        lowered: Tensor = self.output["dense"](raised)
        return tokens + lowered


def _named(**members: nn.Module) -> nn.ModuleDict:
    """A level of names."""
    return nn.ModuleDict(members)
