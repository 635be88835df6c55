"""What LAION-CLAP hears: peak normalisation, chunks of 10 s, log mel spectra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from metrics.networks.spectra import decibels, mel_power

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 48_000
SAMPLES = 10 * RATE
MELS = 64
HOP = 480
FRAMES = SAMPLES // HOP + 1
_PEAK = 10.0 ** (-1.0 / 20.0)


@dataclass(frozen=True, slots=True)
class Spectra:
    """Input of the audio tower for one sound.

    mel: float32 [4, 1001, 64]: the whole sound and three chunks of it, four copies where it is not longer than 10 s.
    longer: whether the chunks differ, so that the network fuses them. starts: their first frames.
    """

    mel: Tensor
    longer: bool
    starts: tuple[int, ...] = ()


def normalised(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scaled to a peak of -1 dB, then through 16 bits and back, truncated towards zero; silence stays silence.

    (The official tool divides by a peak of zero there, and the conversion to integers makes zeros of the result.)
    """
    peak = float(np.abs(sound).max())
    if peak == 0.0:
        return np.zeros_like(sound)
    scaled = np.clip(sound * (_PEAK / peak), -1.0, 1.0)
    levels = (scaled * 32767.0).astype(np.int16)
    back: NDArray[np.float32] = (levels / 32767.0).astype(np.float32)
    return back


def spectra_of(sound: NDArray[np.float32], seed: int) -> Spectra:
    """Spectra of a normalised sound [n], n > 0, taken for one at 48 kHz.

    Up to 10 s it is repeated as often as it fits whole and filled up with zeros. A longer one gives its whole spectrum,
    shrunk to 1001 frames, and one chunk of 10 s from each third of the possible starts. seed: for these starts, which
    the official tool draws without one.
    """
    if len(sound) <= SAMPLES:
        times = SAMPLES // len(sound)
        filled = np.zeros(SAMPLES, np.float32)
        filled[: times * len(sound)] = np.tile(sound, times)
        return Spectra(_log_mel(filled).expand(4, -1, -1), longer=False)
    mel = _log_mel(sound)
    if len(mel) == FRAMES:  # less than one frame longer
        return Spectra(mel.expand(4, -1, -1), longer=False)
    random = np.random.RandomState(seed)
    thirds = np.array_split(np.arange(len(mel) - FRAMES + 1), 3)
    starts = tuple(int(random.choice(third if len(third) else [0])) for third in thirds)
    shrunk = functional.interpolate(mel[None, None], (FRAMES, MELS), mode="bilinear", antialias=True)[0, 0]
    return Spectra(
        torch.stack([shrunk, *(mel[start : start + FRAMES] for start in starts)]), longer=True, starts=starts
    )


def _log_mel(sound: NDArray[np.float32]) -> Tensor:
    """float32 [frames, 64]."""
    power = mel_power(
        torch.from_numpy(sound), rate=RATE, n_fft=1024, window=1024, hop=HOP, mels=MELS, low=50.0, high=14_000.0
    )
    return decibels(power).T
