"""Cnn14 of PANNs (Kong et al. 2020): a VGG-like network over log mel spectra, 527 AudioSet classes.

State-dict keys equal those of `Cnn14_mAP=0.431.pth`, windowed Fourier bases and mel filters included: the spectra are
computed with what the file holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 527
RATE = 32_000
SAMPLES = 10 * RATE
"""Samples that one pass sees: 10 s."""


@dataclass(frozen=True, slots=True)
class Cnn14Config:
    """Sizes; the defaults are those of the published network."""

    window: int = 1024
    hop: int = 320
    mels: int = 64
    channels: tuple[int, ...] = (64, 128, 256, 512, 1024, 2048)
    hidden: int = 2048
    classes: int = CLASSES


class Cnn14(nn.Module):
    """Waveforms float32 [n, samples] at 32 kHz -> class activations before the sigmoid, float32 [n, classes]."""

    def __init__(self, config: Cnn14Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Cnn14Config()
        bins = config.window // 2 + 1
        self.spectrogram_extractor = _Spectrogram(config.window, config.hop)
        self.logmel_extractor = _LogMel(bins, config.mels)
        self.bn0 = nn.BatchNorm2d(config.mels)
        inputs = (1, *config.channels[:-1])
        for place, (before, after) in enumerate(zip(inputs, config.channels, strict=True), 1):
            self.add_module(f"conv_block{place}", _ConvBlock(before, after))
        self.fc1 = nn.Linear(config.channels[-1], config.hidden)
        self.fc_audioset = nn.Linear(config.hidden, config.classes)

    def blocks(self) -> Sequence[nn.Module]:
        """The convolution blocks in order."""
        return [self.get_submodule(f"conv_block{place}") for place in range(1, len(self.config.channels) + 1)]

    def forward(self, waveforms: Tensor) -> Tensor:
        power = self.spectrogram_extractor(waveforms)
        mel = self.logmel_extractor(power)  # [n, frames, mels]
        pictures = self.bn0(mel.transpose(1, 2)[..., None]).permute(0, 3, 2, 1)
        *first, last = self.blocks()
        for block in first:
            pictures = functional.avg_pool2d(block(pictures), 2)
        over_time = last(pictures).mean(dim=3)
        pooled = over_time.amax(dim=2) + over_time.mean(dim=2)
        activations: Tensor = self.fc_audioset(functional.relu(self.fc1(pooled)))
        return activations


class _Spectrogram(nn.Module):
    """A level of names without arithmetic of its own."""

    def __init__(self, window: int, hop: int) -> None:
        super().__init__()
        self.stft = _Stft(window, hop)

    def forward(self, waveforms: Tensor) -> Tensor:
        power: Tensor = self.stft(waveforms)
        return power


class _Stft(nn.Module):
    """Power spectrum by convolution with windowed Fourier bases, centred, the signal reflected at its ends."""

    def __init__(self, window: int, hop: int) -> None:
        super().__init__()
        bins = window // 2 + 1
        self.conv_real = nn.Conv1d(1, bins, window, hop, bias=False)
        self.conv_imag = nn.Conv1d(1, bins, window, hop, bias=False)
        self._pad = window // 2

    def forward(self, waveforms: Tensor) -> Tensor:
        """[n, samples] -> [n, frames, bins]."""
        padded = functional.pad(waveforms[:, None], (self._pad, self._pad), mode="reflect")
        power: Tensor = self.conv_real(padded) ** 2 + self.conv_imag(padded) ** 2
        return power.transpose(1, 2)


class _LogMel(nn.Module):
    """10 log10 of mel energies, at least -100."""

    def __init__(self, bins: int, mels: int) -> None:
        super().__init__()
        self.melW = nn.Parameter(torch.zeros(bins, mels))

    def forward(self, power: Tensor) -> Tensor:
        return 10.0 * torch.log10(torch.clamp(power @ self.melW, min=1e-10))


class _ConvBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, pictures: Tensor) -> Tensor:
        pictures = functional.relu(self.bn1(self.conv1(pictures)), inplace=True)
        return functional.relu(self.bn2(self.conv2(pictures)), inplace=True)


def posteriors(activations: Tensor) -> Tensor:
    """Class probabilities as the official tool makes them of the network's output, float32, each row with sum 1.

    That tool is given p = sigmoid(activation), keeps p >= 1e-8, and takes the softmax of the recovered log-odds
    ln p - ln(1 - p). Where p is rounded to 1 its log-odds are infinite; the activation itself stands in there.
    """
    probabilities = torch.sigmoid(activations.float()).clamp(min=1e-8)
    logits = torch.log(probabilities) - torch.log(1 - probabilities)
    return torch.softmax(torch.where(probabilities < 1, logits, activations.float()), dim=-1)
