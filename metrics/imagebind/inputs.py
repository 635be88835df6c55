"""What ImageBind sees and hears of a clip, as av-benchmark and the MOVA toolkit prepare it."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from metrics.imagebind.network import MELS, SIDE, SPECTRUM_FRAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 16_000
WINDOW_SECONDS = 2
WINDOWS = 3
_FRAME, _SHIFT, _FFT = 400, 160, 512
_MEAN = torch.tensor((0.48145466, 0.4578275, 0.40821073))
_STD = torch.tensor((0.26862954, 0.26130258, 0.27577711))


def picture_pairs(pictures: Tensor) -> Tensor:
    """Pictures uint8 [n, 3, h, w], n > 0, shorter side 224 -> normalised pairs float32 [pairs * 3, 3, 2, 224, 224].

    Consecutive pictures make a pair (a single one is taken twice), each at the start, the middle and the end of the
    longer side.
    """
    if len(pictures) == 1:
        pictures = pictures.repeat(2, 1, 1, 1)
    height, width = pictures.shape[-2:]
    spare = (height if height > width else width) - SIDE
    crops = []
    for offset in (0, ceil(spare / 2), spare):
        top, left = (offset, 0) if height > width else (0, offset)
        crop = pictures[..., top : top + SIDE, left : left + SIDE].float() / 255.0
        crops.append((crop - _MEAN[:, None, None]) / _STD[:, None, None])
    pairs = [torch.stack([crop[at], crop[at + 1]], dim=1) for at in range(len(pictures) - 1) for crop in crops]
    return torch.stack(pairs)


def window_bounds(samples: int) -> list[tuple[int, int]]:
    """First and last sample of the three windows of 2 s: at the start, in the middle and at the end of the sound.

    In the arithmetic of pytorchvideo's sampler, whose rounding decides about single samples.
    """
    latest = Fraction(max(samples / RATE - WINDOW_SECONDS, 0))
    starts = [latest / (WINDOWS - 1) * place for place in range(WINDOWS)]
    return [(int(start * RATE), int((start + WINDOW_SECONDS) * RATE)) for start in starts]


def sound_spectra(channels: NDArray[np.float32]) -> Tensor:
    """Sound float32 [channels, n] at 16 kHz, n >= 400 -> normalised log mel spectra float32 [3, 1, 128, 204].

    The mean over all channels is taken off each window, whose first channel is then heard. As in the official tool,
    where windows overlap (sounds of less than 6 s) the later one begins with what the earlier one was made into.
    """
    samples, spectra = torch.from_numpy(channels.copy()), []
    for first, last in window_bounds(channels.shape[1]):
        window = samples[:, first:last]
        window -= window.mean()
        mel = kaldi_fbank(window[0]).T[:, :SPECTRUM_FRAMES]
        spectra.append(functional.pad(mel, (0, SPECTRUM_FRAMES - mel.shape[1])))
    return (torch.stack(spectra)[:, None] + 4.268) / 9.138


def kaldi_fbank(samples: Tensor) -> Tensor:
    """Kaldi's log mel filter bank of samples [n] at 16 kHz, n >= 400: float32 [frames, 128].

    Frames of 25 ms every 10 ms, inside the signal only; in each the mean is taken off, then pre-emphasis of 0.97 and
    a symmetric Hann window; 128 triangles between 20 Hz and 8 kHz on the scale 1127 ln(1 + f / 700); log of power, at
    least that of the machine's epsilon. No dither, no energy.
    """
    frames = samples.unfold(0, _FRAME, _SHIFT)
    frames = frames - frames.mean(dim=1, keepdim=True)
    before = functional.pad(frames[None], (1, 0), mode="replicate")[0, :, :-1]
    frames = (frames - 0.97 * before) * torch.hann_window(_FRAME, periodic=False)
    power = torch.fft.rfft(functional.pad(frames, (0, _FFT - _FRAME))).abs() ** 2
    epsilon = torch.tensor(torch.finfo(torch.float32).eps)
    return torch.maximum(power @ _kaldi_filters(), epsilon).log()


@lru_cache(maxsize=1)
def _kaldi_filters() -> Tensor:
    """Triangles that are straight on the mel scale: float32 [257, 128]; the bin at 8 kHz takes no part."""
    bottom, top = (1127.0 * np.log(1.0 + edge / 700.0) for edge in (20.0, RATE / 2))
    step = (top - bottom) / (MELS + 1)
    left = bottom + torch.arange(MELS) * step
    mel = 1127.0 * torch.log(1.0 + torch.arange(_FFT // 2)[:, None] * (RATE / _FFT) / 700.0)
    rising, falling = (mel - left) / step, (left + 2 * step - mel) / step
    filters = torch.clamp(torch.minimum(rising, falling), min=0.0).float()
    return functional.pad(filters, (0, 0, 0, 1))
