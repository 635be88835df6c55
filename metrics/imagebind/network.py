"""The picture and sound towers of ImageBind (Girdhar et al. 2023).

State-dict keys equal those of `imagebind_huge.pth`; its towers for text, depth, heat and motion are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from metrics.networks.states import StateDict, loaded

SIDE, FRAMES = 224, 2
MELS, SPECTRUM_FRAMES = 128, 204
_OTHER_TOWERS = re.compile(r"modality_(preprocessors|trunks|heads|postprocessors)\.(text|depth|thermal|imu)\.")


@dataclass(frozen=True, slots=True)
class Tower:
    """Sizes of one tower."""

    width: int
    depth: int
    heads: int


@dataclass(frozen=True, slots=True)
class ImageBindConfig:
    """Sizes; the defaults are those of the published network."""

    vision: Tower = Tower(1280, 32, 16)
    audio: Tower = Tower(768, 12, 12)
    out: int = 1024


class ImageBind(nn.Module):
    """Pictures and sounds -> vectors in one space."""

    def __init__(self, config: ImageBindConfig | None = None) -> None:
        super().__init__()
        sizes = config or ImageBindConfig()
        vision, audio, out = sizes.vision, sizes.audio, sizes.out
        places = (SIDE // 14) ** 2
        patches = ((MELS - 16) // 10 + 1) * ((SPECTRUM_FRAMES - 16) // 10 + 1)
        tube = nn.Conv3d(3, vision.width, (FRAMES, 14, 14), (FRAMES, 14, 14), bias=False)
        square = nn.Conv2d(1, audio.width, 16, 10, bias=False)
        self.modality_preprocessors = nn.ModuleDict(
            {
                "vision": _Tokens(nn.Sequential(nn.Identity(), tube), None, vision.width, places),
                "audio": _Tokens(square, nn.LayerNorm(audio.width), audio.width, patches),
            }
        )
        self.modality_trunks = nn.ModuleDict(
            {
                "vision": _Trunk(vision, nn.LayerNorm(vision.width, eps=1e-6), with_bias=False),
                "audio": _Trunk(audio, nn.Identity(), with_bias=True),
            }
        )
        self.modality_heads = nn.ModuleDict({"vision": _head(vision.width, out), "audio": _head(audio.width, out)})
        self.modality_postprocessors = nn.ModuleDict({"audio": nn.Sequential(nn.Identity(), _Scale())})

    def see(self, pairs: Tensor) -> Tensor:
        """Pairs of normalised pictures float [n, 3, 2, 224, 224] -> unit vectors [n, out]."""
        return self._embed("vision", pairs)

    def hear(self, spectra: Tensor) -> Tensor:
        """Normalised log mel spectra float [n, 1, 128, 204] -> vectors [n, out] of the length 20."""
        scaled: Tensor = self.modality_postprocessors["audio"](self._embed("audio", spectra))
        return scaled

    def _embed(self, tower: str, inputs: Tensor) -> Tensor:
        tokens = self.modality_trunks[tower](self.modality_preprocessors[tower](inputs))
        return functional.normalize(self.modality_heads[tower](tokens), dim=-1)


class _Stem(nn.Module):
    def __init__(self, proj: nn.Module, norm_layer: nn.Module | None) -> None:
        super().__init__()
        self.proj, self.norm_layer = proj, norm_layer

    def forward(self, inputs: Tensor) -> Tensor:
        tokens: Tensor = self.proj(inputs).flatten(2).transpose(1, 2)
        return tokens if self.norm_layer is None else self.norm_layer(tokens)


class _Tokens(nn.Module):
    """Patches behind a class token, with learned positions."""

    def __init__(self, proj: nn.Module, norm: nn.Module | None, width: int, patches: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.rgbt_stem = _Stem(proj, norm)
        self.pos_embedding_helper = _Positions(patches + 1, width)

    def forward(self, inputs: Tensor) -> Tensor:
        patches = self.rgbt_stem(inputs)
        tokens = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1)
        return tokens + self.pos_embedding_helper.pos_embed


class _Positions(nn.Module):
    """A level of names."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, count, width))


class _Trunk(nn.Module):
    def __init__(self, sizes: Tower, first: nn.Module, *, with_bias: bool) -> None:
        super().__init__()
        self.pre_transformer_layer = nn.Sequential(first)
        self.blocks = nn.Sequential(*(_Block(sizes, with_bias=with_bias) for _ in range(sizes.depth)))

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.blocks(self.pre_transformer_layer(tokens))
        return out


class _Block(nn.Module):
    """Pre-norm transformer block. with_bias: attention also to one learned key and value (`add_bias_kv`)."""

    def __init__(self, sizes: Tower, *, with_bias: bool) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(sizes.width, sizes.heads, add_bias_kv=with_bias, batch_first=True)
        self.norm_1 = nn.LayerNorm(sizes.width, eps=1e-6)
        self.mlp = _Perceptron(sizes.width)
        self.norm_2 = nn.LayerNorm(sizes.width, eps=1e-6)

    def forward(self, tokens: Tensor) -> Tensor:
        normed = self.norm_1(tokens)
        tokens = tokens + self.attn(normed, normed, normed, need_weights=False)[0]
        raised: Tensor = self.mlp(self.norm_2(tokens))
        return tokens + raised


class _Perceptron(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        raised: Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return raised


class _First(nn.Module):
    """The first token."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, 0]


def _head(width: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(width, eps=1e-6), _First(), nn.Linear(width, out, bias=False))


class _Scale(nn.Module):
    """Multiplies by the exponential of a stored logarithm (of 20), at most by 100."""

    log_logit_scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("log_logit_scale", torch.zeros(()))

    def forward(self, vectors: Tensor) -> Tensor:
        return torch.clip(self.log_logit_scale.exp(), max=100.0) * vectors


def imagebind(state: StateDict, config: ImageBindConfig | None = None) -> ImageBind:
    """The two towers with the weights of the published file. Raises UserError naming a key that does not fit."""
    kept = {key: value for key, value in state.items() if not _OTHER_TOWERS.match(key)}
    return loaded(lambda: ImageBind(config), kept, "ImageBind")
