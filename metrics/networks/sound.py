"""The sound of a clip as the official pipelines hand it to their networks, each form made once per clip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from metrics.media.resample import sinc_resample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from metrics.clip import Clip

TOOLKIT_RATE = 32_000


def toolkit_sound(clip: Clip, rate: int = TOOLKIT_RATE) -> NDArray[np.float32]:
    """float32 [samples] at 32 kHz: ffmpeg to 16-bit stereo, then the mean of the two channels; shared by IS and CLAP.

    A mono file comes out 3 dB quieter: libswresample gives each channel 1/sqrt(2) of it. Raises ClipError as
    `Clip.audio`.
    """

    def make() -> NDArray[np.float32]:
        stereo = clip.audio(rate=rate, layout="stereo", sample_format="s16").samples
        mean: NDArray[np.float32] = (stereo.astype(np.float32) / 32768.0).mean(axis=0)
        return mean

    return clip.memo(("sound.toolkit", rate), make)


def channels_at(clip: Clip, rate: int) -> NDArray[np.float32]:
    """float32 [channels, samples]: all channels of the file, resampled as torchaudio does. Raises as `Clip.audio`."""
    return clip.memo(("sound.channels", rate), lambda: _resampled(clip, rate, mean=False))


def mean_at(clip: Clip, rate: int) -> NDArray[np.float32]:
    """float32 [samples]: the mean of the file's channels, then resampled as torchaudio does. Raises as `Clip.audio`."""
    if clip.audio_native().samples.ndim == 1:  # one channel is its own mean
        one: NDArray[np.float32] = channels_at(clip, rate)[0]
        return one
    return clip.memo(("sound.mean", rate), lambda: _resampled(clip, rate, mean=True)[0])


def _resampled(clip: Clip, rate: int, *, mean: bool) -> NDArray[Any]:
    native = clip.audio_native()
    samples = np.atleast_2d(native.samples)
    return sinc_resample(samples.mean(axis=0, keepdims=True) if mean else samples, native.rate, rate)
