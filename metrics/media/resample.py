"""Windowed-sinc resampling with the defaults of torchaudio.functional.resample.

The filter is a sinc low-pass at `rolloff` times the lower Nyquist frequency under a Hann window that spans
`lowpass_filter_width` zero crossings to each side; the output has ceil(n * new / old) samples.
Definition: J. O. Smith, "Digital Audio Resampling", https://ccrma.stanford.edu/~jos/resample/.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, gcd

import numpy as np
from numpy.typing import NDArray

LOWPASS_FILTER_WIDTH = 6
ROLLOFF = 0.99


@lru_cache(maxsize=16)
def _taps(old: int, new: int) -> tuple[NDArray[np.float64], int]:
    """Impulse response on the grid of 1/(old*new), and the position of its centre (a multiple of `old`)."""
    cutoff = min(old, new) * ROLLOFF
    half = ceil(LOWPASS_FILTER_WIDTH * old / cutoff) * new
    centre = ceil(half / old) * old
    crossings = np.arange(-centre, centre + 1, dtype=np.float64) * (cutoff / (old * new))
    window = np.cos(np.clip(crossings, -LOWPASS_FILTER_WIDTH, LOWPASS_FILTER_WIDTH) * np.pi / LOWPASS_FILTER_WIDTH / 2)
    taps = np.sinc(crossings) * window**2 * (cutoff / old)
    taps[np.abs(crossings) >= LOWPASS_FILTER_WIDTH] = 0.0
    return taps, centre


def sinc_resample(samples: NDArray[np.float32], old_rate: int, new_rate: int) -> NDArray[np.float32]:
    """Resample along the last axis.

    samples: [..., n] float32 at `old_rate` Hz. Returns [..., ceil(n * new_rate / old_rate)] float32 at `new_rate` Hz;
    the input itself when the rates are equal. Raises ValueError for a rate below 1.
    """
    if old_rate < 1 or new_rate < 1:
        raise ValueError(f"sample rates must be positive, not {old_rate} and {new_rate}")
    if old_rate == new_rate:
        return samples
    from scipy.signal import upfirdn

    common = gcd(old_rate, new_rate)
    old, new = old_rate // common, new_rate // common
    length = -(-samples.shape[-1] * new // old)
    if length == 0:
        return samples
    taps, centre = _taps(old, new)
    filtered = upfirdn(taps, samples.astype(np.float64), up=new, down=old, axis=-1)
    first = centre // old
    wanted: NDArray[np.float32] = filtered[..., first : first + length].astype(np.float32)
    if wanted.shape[-1] < length:  # the very last output may lie beyond the filter's reach
        pad = [(0, 0)] * (wanted.ndim - 1) + [(0, length - wanted.shape[-1])]
        wanted = np.pad(wanted, pad)
    return wanted
