"""A clip: one file with video and sound, decoded once and shared by all metrics."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from metrics.errors import ClipError, UserError
from metrics.media.audio import Audio, AudioReader, Layout, SampleFormat
from metrics.media.clock import Clock
from metrics.media.facts import ClipFacts, read_facts
from metrics.media.pixels import PIXEL_FORMATS, PixelFormat
from metrics.media.video import Frames, VideoReader

__all__ = ["Audio", "Clip", "ClipFacts", "Frames"]

T = TypeVar("T")

FRAME_BUDGET = 1 << 30
"""Bytes of decoded pictures that a clip keeps by default."""

THREADS_VARIABLE = "MOVA_EVAL_DECODE_THREADS"


def _default_threads() -> int:
    given = os.environ.get(THREADS_VARIABLE, "2")
    if not given.isdecimal() or int(given) < 1:
        raise UserError(f"{THREADS_VARIABLE} is '{given}', give a number of threads from 1 on")
    return int(given)


class Clip:
    """One media file (MP4, MOV, MKV, WebM, AVI ...), opened when something is asked of it.

    path: the file. threads: decoding threads (environment MOVA_EVAL_DECODE_THREADS, else 2). frame_budget: bytes of
    decoded pictures to keep in memory; a clip above it is decoded again on each pass, with a few pictures in memory.

    Everything below raises `ClipError` for a file that cannot give what is asked: "unreadable", "not_media",
    "truncated" or "too_large" from any of them. One clip belongs to one thread.

    >>> with Clip("clip.mp4") as clip:  # doctest: +SKIP
    ...     clip.facts.fps, clip.audio(rate=16000, layout="mono").duration
    (Fraction(25, 1), 5.056)
    """

    def __init__(
        self, path: str | os.PathLike[str], *, threads: int | None = None, frame_budget: int = FRAME_BUDGET
    ) -> None:
        self.path = Path(path)
        self._clock = Clock()
        self._video = VideoReader(self.path, self._clock, threads=threads or _default_threads(), budget=frame_budget)
        self._sound = AudioReader(self.path, self._clock)
        self._facts: ClipFacts | ClipError | None = None
        self._sha256: str | None = None
        self._memo: dict[Hashable, Any] = {}

    def __repr__(self) -> str:
        return f"Clip({str(self.path)!r})"

    @property
    def decode_seconds(self) -> float:
        """Seconds spent so far in work shared by metrics: reading facts, decoding, resampling, pixel conversion."""
        return self._clock.seconds

    @property
    def sha256(self) -> str:
        """Hex digest of the file. Raises ClipError "unreadable"."""
        if self._sha256 is None:
            from metrics.weights import sha256_of

            try:
                with self._clock:
                    self._sha256 = sha256_of(self.path)
            except OSError as error:
                reason = f"{self.path.name} cannot be read: {error.strerror or error} ({self.path}), check the path"
                raise ClipError("unreadable", reason) from error
        return self._sha256

    @property
    def facts(self) -> ClipFacts:
        """What the file holds, without decoding it; what decoding has found since is added to `problems`."""
        if self._facts is None:
            with self._clock:
                try:
                    self._facts = read_facts(self.path)
                except ClipError as error:
                    self._facts = error
        if isinstance(self._facts, ClipError):
            raise ClipError(self._facts.code, self._facts.reason)
        return self._with_findings(self._facts)

    def _with_findings(self, facts: ClipFacts) -> ClipFacts:
        found = [*facts.problems, *self._sound.problems]
        frames = facts.frames
        if (index := self._video.found) is not None:
            found += index.problems
            if len(index.times) < frames:
                name = self.path.name
                found.append(f"frames: {name} holds {frames} frames, {len(index.times)} of them can be decoded")
            frames = len(index.times)
        return replace(facts, frames=frames, problems=tuple(dict.fromkeys(found)))

    def audio(
        self, *, rate: int | None = None, layout: Layout | None = None, sample_format: SampleFormat = "flt"
    ) -> Audio:
        """The sound as the ffmpeg program converts it (libswresample, its channel rules included; see `Audio`).

        rate in Hz and layout: None keeps the file's own. sample_format: "s16" gives int16, "flt" float32. The result
        starts with the first decoded sample and is not cut to the container's duration; do not write to it.

        Raises ClipError "no_audio_stream", "empty_audio", "undecodable_audio", "audio_not_finite".
        """
        if layout not in (None, "mono", "stereo") or sample_format not in ("s16", "flt"):
            raise ValueError(f"no audio layout {layout!r} with sample format {sample_format!r}")
        if rate is not None and rate < 1:
            raise ValueError(f"a sample rate of {rate} Hz")
        return self._sound.converted(rate, layout, sample_format)

    def audio_native(self) -> Audio:
        """float32 samples at the file's own rate and channels. Raises as `audio`."""
        return self._sound.native()

    def audio_mean(self, rate: int = 48000) -> Audio:
        """float32 [n] from time 0 on: native samples, windowed-sinc resampled to `rate` Hz (torchaudio's defaults),
        a late start filled with zeros, mean over the channels. Raises as `audio`."""
        return self._sound.mean(rate)

    def frames(self, pixel_format: PixelFormat = "rgb24", *, rate: int | Fraction | None = None) -> Frames:
        """The pictures, upright, equal to those of OpenCV's VideoCapture.

        rate None: every decoded picture. A rate in frames per second repeats and drops pictures as FFmpeg's filter
        `fps=rate` does; a clip shorter than half a tick gives no picture then.

        Raises ClipError "no_video_stream", "empty_video", "undecodable_video".
        """
        if pixel_format not in PIXEL_FORMATS:
            raise ValueError(f"no pixel format {pixel_format!r}; known: {', '.join(PIXEL_FORMATS)}")
        if rate is not None and rate <= 0:
            raise ValueError(f"a frame rate of {rate}")
        return Frames(self._video, pixel_format, None if rate is None else Fraction(rate))

    def memo(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returns, computed once per clip and key: for work that several metrics share."""
        if key not in self._memo:
            self._memo[key] = make()
        result: T = self._memo[key]
        return result

    def close(self) -> None:
        """Free pictures, samples and memoised results. The clip can be used again, and is decoded again then."""
        self._video.close()
        self._sound.close()
        self._memo.clear()

    def __enter__(self) -> Clip:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
