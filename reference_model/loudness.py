"""Optional loudness normalisation: one gain to a target (ITU-R BS.1770), held back by the true peak."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SILENCE_LUFS = -70.0
PEAK_LIMIT_DBFS = -1.0
OVERSAMPLING = 4
BLOCK_SECONDS = 0.4


@dataclass(frozen=True)
class LoudnessChange:
    """What normalisation did. measured: LUFS before, None for silence. gain_db: what was applied. limited: whether the
    true peak held the gain back."""

    target: float
    measured: float | None
    gain_db: float
    limited: bool


def integrated_loudness(samples: NDArray[np.floating[Any]], rate: int) -> float | None:
    """LUFS of mono samples [n]; None for silence, or for less than one block of 400 ms."""
    from pyloudnorm import Meter

    if len(samples) < BLOCK_SECONDS * rate:
        return None
    value = float(Meter(rate, block_size=BLOCK_SECONDS).integrated_loudness(samples.astype(np.float64)))
    return value if math.isfinite(value) and value > SILENCE_LUFS else None


def true_peak(samples: NDArray[np.floating[Any]]) -> float:
    """The largest absolute value between and at the samples (four times oversampled), full scale 1.0."""
    from scipy.signal import resample_poly

    dense = resample_poly(samples.astype(np.float64), OVERSAMPLING, 1)
    return float(max(np.abs(dense).max(initial=0.0), np.abs(samples).max(initial=0.0)))


def normalise(samples: NDArray[np.float32], rate: int, target: float) -> tuple[NDArray[np.float32], LoudnessChange]:
    """Bring mono samples [n] to `target` LUFS, with a true peak of at most -1 dBFS. Silence stays as it is."""
    measured = integrated_loudness(samples, rate)
    if measured is None:
        return samples, LoudnessChange(target, None, 0.0, False)
    gain = target - measured
    room = PEAK_LIMIT_DBFS - 20 * math.log10(true_peak(samples))
    applied = min(gain, room)
    scaled = (samples * 10 ** (applied / 20)).astype(np.float32)
    return scaled, LoudnessChange(target, measured, applied, applied < gain)
