"""Synchformer (Iashin et al. 2024): features of segments of picture and sound, and the offset between them.

State-dict keys equal those of `synchformer_state_dict.pth`. A segment is 0.64 s: 16 frames at 25 per second, 10,240
samples at 16 kHz; segments follow each other every 0.32 s. Fourteen of them are compared at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from metrics.desync.audio_tower import AudioTower
from metrics.desync.video_tower import VideoTower
from metrics.networks.spectra import mel_power

FRAME_RATE, SAMPLE_RATE = 25, 16_000
SIDE = 224
SEGMENT_FRAMES, STEP_FRAMES = 16, 8
SEGMENT_SAMPLES, STEP_SAMPLES = 10_240, 5_120
MELS, SPECTRUM_FRAMES = 128, 66
COMPARED = 14
"""Segments that one comparison sees."""
OFFSETS = torch.linspace(-2.0, 2.0, 21, dtype=torch.float64)
"""Seconds by which picture and sound may be apart, one per class."""


@dataclass(frozen=True, slots=True)
class SynchformerConfig:
    """Sizes; the defaults are those of the published network."""

    width: int = 768
    heads: int = 12
    depth: int = 12
    joint_depth: int = 3
    joint_heads: int = 8


class Synchformer(nn.Module):
    """The whole network; its parts are called one after the other."""

    def __init__(self, config: SynchformerConfig | None = None) -> None:
        super().__init__()
        sizes = config or SynchformerConfig()
        width, heads, depth = sizes.width, sizes.heads, sizes.depth
        self.vfeat_extractor = VideoTower(width, heads, depth, SIDE, SEGMENT_FRAMES)
        self.afeat_extractor = AudioTower(width, heads, depth, MELS, SPECTRUM_FRAMES)
        self.vproj = nn.Linear(width, width)
        self.aproj = nn.Linear(width, width)
        self.transformer = _Joint(width, sizes.joint_heads, sizes.joint_depth)

    def see(self, segments: Tensor) -> Tensor:
        """Segments uint8 [n, 16, 3, 224, 224] RGB -> features [n, 8, width]."""
        features: Tensor = self.vfeat_extractor((segments.float() / 255.0 - 0.5) / 0.5)
        return features

    def hear(self, segments: Tensor) -> Tensor:
        """Segments float32 [n, 10240] -> features [n, 6, width]."""
        mel = mel_power(
            segments, rate=SAMPLE_RATE, n_fft=1024, window=400, hop=160, mels=MELS, low=0.0, high=SAMPLE_RATE / 2
        )
        spectra = functional.pad(torch.log(mel + 1e-6), (0, SPECTRUM_FRAMES - mel.shape[-1]))
        features: Tensor = self.afeat_extractor(((spectra + 4.2677393) / (2 * 4.5689974)).transpose(1, 2))
        return features

    def compare(self, seen: Tensor, heard: Tensor) -> Tensor:
        """Features of the same 14 segments, [n, 14, 8, width] and [n, 14, 6, width] -> activations [n, 21]."""
        activations: Tensor = self.transformer(self.vproj(seen).flatten(1, 2), self.aproj(heard).flatten(1, 2))
        return activations


class _Joint(nn.Module):
    """A small transformer over both kinds of features; the token before them tells the offset."""

    def __init__(self, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.vis_in_lnorm = nn.LayerNorm(width)
        self.aud_in_lnorm = nn.LayerNorm(width)
        self.OFF_tok = nn.Parameter(torch.zeros(1, 1, width))
        self.MOD_tok = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_emb_cfg = _Positions(2 + COMPARED * (8 + 6), width)
        self.blocks = nn.Sequential(*(_JointBlock(width, heads) for _ in range(depth)))
        self.ln_f = nn.LayerNorm(width)
        self.off_head = nn.Linear(width, len(OFFSETS))

    def forward(self, seen: Tensor, heard: Tensor) -> Tensor:
        count = len(seen)
        off, mod = (token.expand(count, -1, -1) for token in (self.OFF_tok, self.MOD_tok))
        tokens = torch.cat([off, self.vis_in_lnorm(seen), mod, self.aud_in_lnorm(heard)], dim=1)
        tokens = self.blocks(tokens + self.pos_emb_cfg.pos_emb)
        activations: Tensor = self.off_head(self.ln_f(tokens[:, 0]))
        return activations


class _Positions(nn.Module):
    """A level of names."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.pos_emb = nn.Parameter(torch.zeros(1, count, width))


class _JointBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln1 = nn.LayerNorm(width)
        self.ln2 = nn.LayerNorm(width)
        self.attn = _JointAttention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.ln1(tokens))
        raised: Tensor = self.mlp(self.ln2(tokens))
        return tokens + raised


class _JointAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.key, self.query, self.value, self.proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = (
            layer(tokens).unflatten(2, (self._heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        joined: Tensor = self.proj(mixed)
        return joined
