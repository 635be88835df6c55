"""The audio VAE: a continuous DAC for mono sound. 48 kHz and 50 latents per second in the released models.

Parameter names are those of the released checkpoints (weight norm folded).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from reference_model.configs import AudioVaeConfig

DILATIONS = (1, 3, 9)


class Snake(nn.Module):
    """x + sin(alpha x)^2 / alpha, alpha per channel. The reciprocal is computed in the parameter's own type."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        wave = torch.sin(self.alpha.to(x.dtype) * x)
        return torch.addcmul(x, (self.alpha + 1e-9).reciprocal().to(x.dtype), wave * wave)


class Conv(nn.Conv1d):
    """A convolution that computes in the type of its input, whatever the type of its weights."""

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return nnf.conv1d(x, self.weight.to(x.dtype), bias, self.stride, self.padding, self.dilation)


class ConvTranspose(nn.ConvTranspose1d):
    """As `Conv`, transposed."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        if output_size is not None:
            raise ValueError("the output size follows from the stride")
        bias = None if self.bias is None else self.bias.to(x.dtype)
        padding: Any = self.padding
        return nnf.conv_transpose1d(x, self.weight.to(x.dtype), bias, self.stride, padding, self.output_padding)


class Residual(nn.Module):
    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            Snake(channels),
            Conv(channels, channels, 7, dilation=dilation, padding=3 * dilation),
            Snake(channels),
            Conv(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)  # type: ignore[no-any-return]


class Stage(nn.Module):
    """One stage of encoder or decoder; its layers stand under `block`."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x)  # type: ignore[no-any-return]


def _down(channels: int, stride: int) -> Stage:
    return Stage(
        *(Residual(channels, dilation) for dilation in DILATIONS),
        Snake(channels),
        Conv(channels, 2 * channels, 2 * stride, stride=stride, padding=(stride + 1) // 2),
    )


def _up(channels: int, stride: int) -> Stage:
    half = channels // 2
    up = ConvTranspose(channels, half, 2 * stride, stride=stride, padding=(stride + 1) // 2, output_padding=stride % 2)
    return Stage(Snake(channels), up, *(Residual(half, dilation) for dilation in DILATIONS))


class Encoder(nn.Module):
    def __init__(self, config: AudioVaeConfig) -> None:
        super().__init__()
        widths = [config.encoder_dim * 2**i for i in range(len(config.encoder_rates) + 1)]
        stages = (_down(width, rate) for width, rate in zip(widths, config.encoder_rates, strict=False))
        self.block = nn.Sequential(
            Conv(1, widths[0], 7, padding=3),
            *stages,
            Snake(widths[-1]),
            Conv(widths[-1], config.latent_dim, 3, padding=1),
        )


class Decoder(nn.Module):
    def __init__(self, config: AudioVaeConfig) -> None:
        super().__init__()
        widths = [config.decoder_dim // 2**i for i in range(len(config.decoder_rates) + 1)]
        stages = (_up(width, rate) for width, rate in zip(widths, config.decoder_rates, strict=False))
        self.model = nn.Sequential(
            Conv(config.latent_dim, widths[0], 7, padding=3),
            *stages,
            Snake(widths[-1]),
            Conv(widths[-1], 1, 7, padding=3),
            nn.Tanh(),
        )


class AudioVae(nn.Module):
    """Waveforms [B, 1, samples] in -1..1 to latents [B, latent_dim, length] and back. No latent scale or shift."""

    def __init__(self, config: AudioVaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.quant_conv = Conv(config.latent_dim, 2 * config.latent_dim, 1)
        self.post_quant_conv = Conv(config.latent_dim, config.latent_dim, 1)
        self.decoder = Decoder(config)

    def encode(self, waveform: Tensor) -> Tensor:
        """The mean of the latent distribution; the waveform is padded with zeros to a multiple of the hop."""
        padded = nnf.pad(waveform, (0, -waveform.shape[-1] % self.config.hop))
        mean, _ = self.quant_conv(self.encoder.block(padded)).chunk(2, dim=1)
        return mean  # type: ignore[no-any-return]

    def decode(self, latents: Tensor) -> Tensor:
        """[B, 1, length * hop], in -1..1, computed in the latents' type (give float32)."""
        return self.decoder.model(self.post_quant_conv(latents))  # type: ignore[no-any-return]
