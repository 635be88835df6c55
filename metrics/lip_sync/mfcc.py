"""Mel-frequency cepstral coefficients as SyncNet was trained on them.

The definition is that of python_speech_features 0.6 with its defaults (13 coefficients of 26 HTK mel bands, rectangular
25 ms windows every 10 ms), on int16 amplitudes. Written here without a Python loop over frames, so that the package,
whose last release is of 2017, is not needed at run time; a test holds the two equal.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
HOP = 160
WINDOW = 400
COEFFICIENTS = 13
_FFT = 512
_BANDS = 26
_LIFTER = 22
_PRE_EMPHASIS = 0.97


def mfcc(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """Coefficients of a mono signal: samples int16 [n] at 16 kHz -> float64 [frames, 13].

    frames = 1 + ceil((n - 400) / 160), at least 1; the last frame is completed with zeros. Coefficient 0 is the log
    energy of the frame. Raises ValueError for samples that are not one-dimensional int16 or are empty.
    """
    if samples.ndim != 1 or samples.dtype != np.int16 or not samples.size:
        raise ValueError(f"samples must be int16 [n] with n > 0, not {samples.dtype} {list(samples.shape)}")
    spectrum = np.abs(np.fft.rfft(_frames(samples), _FFT)) ** 2 / _FFT
    energy = _no_zeros(spectrum.sum(axis=1))
    bands = _no_zeros(spectrum @ _filter_bank().T)
    coefficients = np.log(bands) @ _cosines().T
    coefficients[:, 0] = np.log(energy)
    return coefficients


def _frames(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    signal = samples.astype(np.float64)
    signal[1:] -= _PRE_EMPHASIS * samples[:-1]
    count = 1 + max(0, -(-(len(signal) - WINDOW) // HOP))
    padded = np.zeros((count - 1) * HOP + WINDOW)
    kept = min(len(signal), len(padded))
    padded[:kept] = signal[:kept]
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]


def _no_zeros(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of silence: zeros become the smallest double step, as in the reference."""
    return np.where(values == 0, np.finfo(float).eps, values)


@lru_cache(maxsize=1)
def _filter_bank() -> NDArray[np.float64]:
    """Triangular mel filters [26, 257] between 0 and 8000 Hz, edges on whole FFT bins."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, top, _BANDS + 2) / 2595) - 1)
    edges = np.floor((_FFT + 1) * hertz / RATE)
    bins = np.arange(_FFT // 2 + 1)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (bins >= low) & (bins < middle)
    falling = (bins >= middle) & (bins < high)
    return np.where(rising, (bins - low) / (middle - low), np.where(falling, (high - bins) / (high - middle), 0.0))


@lru_cache(maxsize=1)
def _cosines() -> NDArray[np.float64]:
    """Orthonormal DCT-II and the sinusoidal lifter in one matrix [13, 26]."""
    n = np.arange(COEFFICIENTS)[:, None]
    basis = np.cos(np.pi * n * (np.arange(_BANDS) + 0.5) / _BANDS) * np.sqrt(2 / _BANDS)
    basis[0] /= np.sqrt(2)
    lifter: NDArray[np.float64] = 1 + _LIFTER / 2 * np.sin(np.pi * n / _LIFTER)
    scaled: NDArray[np.float64] = basis * lifter
    return scaled
