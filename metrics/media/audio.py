"""The sound of one clip: decoded once, converted by libswresample exactly as the ffmpeg program converts it.

Channel conversion is therefore not a plain mean, and depends on the output's sample format:
    stereo to mono, "s16": 0.5 L + 0.5 R          stereo to mono, "flt": (L + R) / sqrt(2), not clipped
    mono to stereo: m / sqrt(2) on each channel   mono to mono: unchanged
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import av.error
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from metrics.errors import ClipError
from metrics.media.clock import Clock
from metrics.media.container import opened
from metrics.media.facts import audio_stream
from metrics.media.rates import round_half_away
from metrics.media.resample import sinc_resample
from metrics.media.video import DecodeErrors

Layout = Literal["mono", "stereo"]
SampleFormat = Literal["s16", "flt"]

_USUAL_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}

MAX_SAMPLES = 1 << 28
"""Largest number of decoded samples over all channels (1 GiB as float32, 46 minutes of 48 kHz stereo)."""


@dataclass(frozen=True, slots=True)
class Audio:
    """Samples of a clip.

    samples: [n] for mono, [channels, n] otherwise; int16, or float32 with full scale 1 (values beyond it occur).
    rate: Hz. start: presentation time of the first sample in seconds.
    """

    samples: NDArray[Any]
    rate: int
    start: Fraction

    @property
    def duration(self) -> float:
        """Seconds."""
        return int(self.samples.shape[-1]) / self.rate


class AudioReader:
    """The sound of one file; every result is kept."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path, self._clock = path, clock
        self._frames: list[AudioFrame] | None = None
        self._results: dict[tuple[Any, ...], Audio] = {}
        self.problems: tuple[str, ...] = ()

    def converted(self, rate: int | None, layout: Layout | None, sample_format: SampleFormat) -> Audio:
        """Through libswresample; None keeps the file's own rate or channels. Raises as `native`."""
        native = self.native()  # looks for NaN, which integers cannot show
        key = (rate or native.rate, layout, sample_format)
        if key not in self._results:
            with self._clock:
                self._results[key] = self._convert(*key)
        return self._results[key]

    def native(self) -> Audio:
        """float32 samples at the file's own rate and channels.

        Raises ClipError "no_audio_stream", "empty_audio", "undecodable_audio", "audio_not_finite", "too_large" and
        those of `opened`.
        """
        if ("native",) not in self._results:
            with self._clock:
                audio = self._convert(None, None, "flt")
                finite = np.isfinite(audio.samples)
                if not finite.all():
                    at = int(np.argmin(finite if finite.ndim == 1 else finite.all(axis=0))) / audio.rate
                    raise ClipError(
                        "audio_not_finite",
                        f"{self.path.name} holds samples that are not finite numbers, the first at {at:.3f} s: "
                        "generate it again",
                    )
                self._results["native",] = audio
        return self._results["native",]

    def mean(self, rate: int) -> Audio:
        """float32 [n]: native samples from time 0 on, windowed-sinc resampled, late starts filled with zeros, mean
        over the channels. Raises as `native`."""
        key = ("mean", rate)
        if key not in self._results:
            native = self.native()
            with self._clock:
                samples = np.atleast_2d(native.samples)
                if native.start < 0:
                    samples = samples[:, round_half_away(-native.start * native.rate) :]
                samples = sinc_resample(samples, native.rate, rate)
                late = max(round_half_away(native.start * rate), 0)
                mean = np.pad(samples, ((0, 0), (late, 0))).mean(axis=0, dtype=np.float32)
                self._results[key] = Audio(mean, rate, Fraction(0))
        return self._results[key]

    def close(self) -> None:
        """Free the samples; the next use decodes again."""
        self._frames = None
        self._results.clear()

    def _decoded(self) -> list[AudioFrame]:
        if self._frames is None:
            errors = DecodeErrors()
            frames = list(_decode(self.path, errors))
            self.problems = tuple(errors.describe(self.path, "audio"))
            if not frames:
                raise self._nothing(errors)
            self._frames = frames
        return self._frames

    def _nothing(self, errors: DecodeErrors) -> ClipError:
        name = self.path.name
        if errors.packets or errors.stopped:
            why = errors.last or errors.stopped
            return ClipError("undecodable_audio", f"{name}: its sound cannot be decoded ({why}), generate it again")
        return ClipError("empty_audio", f"{name} has an audio stream without samples, generate it again")

    def _convert(self, rate: int | None, layout: Layout | None, sample_format: SampleFormat) -> Audio:
        frames = self._decoded()
        first = frames[0]
        target_rate, target_layout = rate or first.sample_rate, layout or first.layout
        try:
            parts = list(_resampled(frames, sample_format, target_layout, target_rate))
        except (av.error.FFmpegError, ValueError) as error:
            raise ClipError(
                "undecodable_audio", f"{self.path.name}: its sound cannot be converted ({error}), generate it again"
            ) from error
        if not parts:
            raise ClipError("empty_audio", f"{self.path.name} has too little sound to convert, generate it again")
        channels = parts[0].layout.nb_channels
        packed = np.concatenate([part.to_ndarray().reshape(-1) for part in parts])
        samples = packed if channels == 1 else np.ascontiguousarray(packed.reshape(-1, channels).T)
        start = first.pts * Fraction(first.time_base or 0) if first.pts is not None else Fraction(0)
        samples.flags.writeable = False  # shared by metrics
        return Audio(samples, target_rate, start)


def _decode(path: Path, errors: DecodeErrors) -> Iterator[AudioFrame]:
    with opened(path) as container:
        stream = audio_stream(container)
        if stream is None:
            raise ClipError("no_audio_stream", f"{path.name} has no audio stream")
        if stream.codec_context is None:
            raise ClipError("undecodable_audio", f"{path.name}: no decoder for its audio codec, encode it as AAC")
        _name_layout(stream.codec_context)
        total = 0
        try:
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except av.error.EOFError:
                    break
                except av.error.FFmpegError as error:
                    errors.packets, errors.last = errors.packets + 1, error.strerror or str(error)
                    continue
                for frame in frames:
                    total += frame.samples * frame.layout.nb_channels
                    if total > MAX_SAMPLES:
                        raise ClipError("too_large", f"{path.name} has more than {MAX_SAMPLES} samples: cut it")
                    if frame.samples:
                        yield frame
        except (av.error.FFmpegError, OSError) as error:
            errors.stopped = error.strerror or str(error)


def _name_layout(context: AudioCodecContext) -> None:
    """Give channels that the file does not name (a plain WAV) the usual names, as the ffmpeg program does."""
    usual = _USUAL_LAYOUTS.get(context.layout.nb_channels)
    if usual and context.layout.name.endswith("channels"):
        context.layout = usual


def _resampled(frames: Sequence[AudioFrame], sample_format: str, layout: Any, rate: int) -> Iterator[AudioFrame]:
    """Frames through libswresample; a stream that changes its format half-way gets a new converter there."""
    resampler: AudioResampler | None = None
    shape: tuple[Any, ...] = ()
    for frame in frames:
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or now != shape:
            if resampler is not None:
                yield from resampler.resample(None)
            resampler, shape = AudioResampler(format=sample_format, layout=layout, rate=rate), now
        yield from resampler.resample(frame)
    if resampler is not None:
        yield from resampler.resample(None)
