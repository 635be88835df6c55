"""The video VAE: diffusers' AutoencoderKLWan, with the normalisation of its latents and the types it runs in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from reference_model.configs import VideoVaeConfig


def build(config: VideoVaeConfig) -> nn.Module:
    """The network, with fresh weights."""
    from dataclasses import asdict

    from diffusers import AutoencoderKLWan

    settings = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(config).items()}
    network: Any = AutoencoderKLWan(**settings)
    return network  # type: ignore[no-any-return]


class VideoVae:
    """Pictures [B, 3, F, H, W] in -1..1 to normalised latents float32 [B, 16, T, h, w] and back.

    exact_output: the decoder's last norm and convolution run in float32, so that pictures are not rounded to bfloat16
    before they become 8 bit.
    """

    def __init__(self, network: nn.Module, *, exact_output: bool = True) -> None:
        self.network: Any = network
        config: Any = network.config
        shape = (1, -1, 1, 1, 1)
        self._mean = torch.tensor(config.latents_mean, dtype=torch.float32).view(shape)
        self._std = torch.tensor(config.latents_std, dtype=torch.float32).view(shape)
        if exact_output:
            keep_float32(network)

    def tile(self) -> None:
        """Decode and encode in spatial tiles: less memory, other pixels at the seams."""
        self.network.enable_tiling()

    @torch.inference_mode()
    def encode(self, pictures: Tensor) -> Tensor:
        """The normalised mean (nothing is drawn), computed in the network's type."""
        parameter = next(self.network.parameters())
        coded: Any = self.network.encode(pictures.to(parameter))
        mean = coded.latent_dist.mode().float()
        return (mean - self._mean.to(mean.device)) * (1.0 / self._std).to(mean.device)  # type: ignore[no-any-return]

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """Pictures in -1..1. With bfloat16 weights on a GPU under autocast, as upstream; else in the weights' type."""
        z = latents.float() * self._std.to(latents.device) + self._mean.to(latents.device)
        dtype = next(self.network.parameters()).dtype
        context: AbstractContextManager[Any] = nullcontext()
        if dtype != torch.float32 and z.device.type == "cuda":
            context = torch.autocast("cuda", dtype=dtype)
        else:
            z = z.to(dtype)
        with context:
            decoded: Any = self.network.decode(z)
        return decoded.sample  # type: ignore[no-any-return]


def keep_float32(network: nn.Module) -> None:
    """Let the decoder's last norm and convolution compute in float32, whatever surrounds them."""
    decoder: Any = network.get_submodule("decoder")
    for layer in (decoder.norm_out, decoder.conv_out):
        inner = layer.forward
        layer.float()

        def forward(x: Tensor, *cache: Tensor | None, inner: Any = inner) -> Tensor:
            wide = [None if c is None else c.float() for c in cache]
            with torch.autocast(x.device.type, enabled=False):
                return inner(x.float(), *wide)  # type: ignore[no-any-return]

        layer.forward = forward
