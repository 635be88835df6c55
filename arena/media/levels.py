"""Loudness of a sound track and the gain that brings it to the common level."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
TARGET_LUFS = -23.0
LOWEST_GAIN_DB, HIGHEST_GAIN_DB = -30.0, 12.0
PEAK_LIMIT_DBTP = -1.0

_BLOCK = 0.4
"""Seconds of one gating block of ITU-R BS.1770; a shorter sound has no integrated loudness."""


@dataclass(frozen=True, slots=True)
class Level:
    """lufs: integrated loudness, None below the gate (silence). peak_dbtp: true peak, None for digital silence."""

    lufs: float | None
    peak_dbtp: float | None


def measure_level(samples: NDArray[np.float32]) -> Level:
    """Level of a sound: float32 [channels, n], one or two channels at 48 kHz, full scale 1.

    Loudness after ITU-R BS.1770-4 (pyloudnorm); a sound shorter than one gating block is padded with silence to it,
    which the relative gate then leaves out. True peak by fourfold oversampling, as Annex 2 of the same recommendation.
    """
    import warnings

    import pyloudnorm
    import soxr

    peak = float(np.max(np.abs(samples), initial=0.0))
    if peak == 0.0:
        return Level(None, None)
    between = soxr.resample(np.ascontiguousarray(samples.T), RATE, 4 * RATE)
    true_peak = max(peak, float(np.max(np.abs(between), initial=0.0)))
    shortest = math.ceil(_BLOCK * RATE) + 1
    padded = np.pad(samples, ((0, 0), (0, max(shortest - samples.shape[1], 0))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # log10(0) of a silent block, which means below the gate
        lufs = float(pyloudnorm.Meter(RATE).integrated_loudness(padded.T.astype(np.float64)))
    return Level(lufs if math.isfinite(lufs) and lufs > -70.0 else None, 20 * math.log10(true_peak))


def matching_gain(level: Level, target: float = TARGET_LUFS) -> float:
    """Decibels to add so that a sound has the target loudness, within [-30, +12] and to a true peak of at most -1 dBTP.

    A silent sound gets 0. The upper limit is on purpose: a model that makes almost no sound must not be rescued.
    """
    if level.lufs is None or level.peak_dbtp is None:
        return 0.0
    wanted = min(max(target - level.lufs, LOWEST_GAIN_DB), HIGHEST_GAIN_DB)
    return max(min(wanted, PEAK_LIMIT_DBTP - level.peak_dbtp), LOWEST_GAIN_DB)
