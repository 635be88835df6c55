"""Short-time spectra as librosa 0.11 computes them, in plain numpy.

librosa is the yardstick of these functions, yet importing it brings a compiler along and costs every worker process
seconds. What the metrics need of it is small: a power spectrogram, the Slaney mel filters and decibels. Compared with
librosa over random signals: filters equal bit for bit, spectrograms to 1e-15 of their maximum (equal in float32).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SILENCE_PEAK = 2.0**-16
"""Half a step of 16-bit audio: a signal that never reaches it is digital silence."""

_BLOCK = 1024  # frames transformed at a time, so that a long clip does not need all its windowed frames in memory


def is_silent(samples: NDArray[Any]) -> bool:
    """Whether float samples (full scale 1.0) hold digital silence: no sample reaches half a 16-bit step."""
    return samples.size == 0 or float(np.abs(samples).max()) < SILENCE_PEAK


def _slaney_mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's Auditory Toolbox scale: linear up to 1 kHz (15 mel), then 27 mel per factor 6.4."""
    linear = mel * (200.0 / 3.0)
    return np.where(mel < 15.0, linear, 1000.0 * np.exp((np.log(6.4) / 27.0) * (mel - 15.0)))


@lru_cache(maxsize=8)
def mel_filters(rate: int, n_fft: int, n_mels: int) -> NDArray[np.float32]:
    """Triangular Slaney mel filters from 0 to rate/2 with Slaney's area normalisation, float32 [n_mels, n_fft//2+1]."""
    top_hz = rate / 2.0
    top_mel = top_hz * 3.0 / 200.0 if top_hz < 1000.0 else 15.0 + np.log(top_hz / 1000.0) * 27.0 / np.log(6.4)
    edges = _slaney_mel_to_hz(np.linspace(0.0, top_mel, n_mels + 2))
    bins = np.fft.rfftfreq(n_fft, d=1.0 / rate)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - left) / (centre - left), (right - bins) / (right - centre)
    filters = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    filters *= 2.0 / (right - left)
    return filters


def mel_spectrogram(samples: NDArray[Any], *, rate: int, n_fft: int, hop: int, n_mels: int) -> NDArray[Any]:
    """Mel power spectrogram [n_mels, frames] of mono samples [n], n >= 1, in the precision of the samples.

    Frames are centred on multiples of `hop` with zeros beyond both ends; the window is a periodic Hann of `n_fft`.
    frames = 1 + (n + 2*(n_fft//2) - n_fft) // hop.
    """
    dtype = np.dtype(np.float64 if samples.dtype == np.float64 else np.float32)
    spectrum_dtype = np.complex128 if dtype == np.float64 else np.complex64
    padded = np.pad(samples.astype(dtype, copy=False), n_fft // 2)
    if len(padded) < n_fft:
        raise ValueError(f"{len(samples)} samples are too few for a window of {n_fft}")
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n_fft) / n_fft)
    filters = mel_filters(rate, n_fft, n_mels)
    mel = np.empty((n_mels, len(frames)), dtype=dtype)
    for start in range(0, len(frames), _BLOCK):
        # transformed in double, then rounded: float32 input keeps the rounding that librosa gives it
        spectrum = np.fft.rfft(window * frames[start : start + _BLOCK], axis=1).astype(spectrum_dtype, copy=False)
        mel[:, start : start + _BLOCK] = filters @ (np.abs(spectrum) ** 2).T
    return mel


def power_to_db(power: NDArray[Any], *, reference: float = 1.0, floor: float = 1e-10, span: float = 80.0) -> Any:
    """Decibels of `power` against `reference`, both raised to at least `floor`; at most `span` dB below the maximum."""
    decibels = 10.0 * np.log10(np.maximum(floor, power))
    decibels -= 10.0 * np.log10(max(floor, reference))
    return np.maximum(decibels, decibels.max() - span)
