"""AV-Align: do bursts of motion in the picture coincide with onsets in the sound?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from metrics.metric import Metric
from metrics.types import Measurement, Need, Request, ScoreSpec

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from metrics.clip import Clip

AUDIO_RATE = 44_100
MIN_FLOW = 0.1
"""Pixels per frame; a weaker maximum of the mean flow is no peak."""

_FARNEBACK = {
    "pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3, "poly_n": 5, "poly_sigma": 1.2, "flags": 0,
}  # fmt: skip
_OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")


def matches(audio_peaks: Iterable[float], video_peaks: Iterable[float], fps: float | Fraction) -> list[tuple[int, int]]:
    """Pairs (onset, video peak), as positions in the sorted peaks, that lie less than one frame apart.

    Each onset in time order takes the earliest video peak v that no earlier onset took, with v - 1/fps < onset <
    v + 1/fps. Peaks are times in seconds. Raises ValueError for a rate that is not positive or a time that is not
    finite.
    """
    onsets, peaks = _times(audio_peaks, "audio"), _times(video_peaks, "video")
    rate = float(fps)
    if not (np.isfinite(rate) and rate > 0):
        raise ValueError(f"fps must be a positive number, not {fps}")
    window = 1.0 / rate
    pairs, at = [], 0
    for place, onset in enumerate(onsets):
        while at < len(peaks) and onset >= peaks[at] + window:
            at += 1  # too early for this onset, hence for every later one
        if at < len(peaks) and peaks[at] - window < onset:
            pairs.append((place, at))
            at += 1
    return pairs


def _times(values: Iterable[float], what: str) -> list[float]:
    times = sorted(float(value) for value in values)
    if not np.isfinite(times).all():
        raise ValueError(f"a time of the {what} peaks is not finite")
    return times


def overlap(audio_peaks: Iterable[float], video_peaks: Iterable[float], fps: float | Fraction) -> float:
    """Intersection over union of onsets and video peaks (both times in seconds, in any order), in [0, 1].

    matches / (onsets + video peaks - matches), 0.0 when there is neither; see `matches` for when two meet.
    Raises ValueError for a rate that is not positive or a time that is not finite.
    Source: Yariv et al. 2024 (TempoTokens), as in the MOVA evaluation toolkit.
    """
    audio_peaks, video_peaks = list(audio_peaks), list(video_peaks)
    met = len(matches(audio_peaks, video_peaks, fps))
    union = len(audio_peaks) + len(video_peaks) - met
    return met / union if union else 0.0


def mean_flow(gray_frames: Iterable[NDArray[Any]]) -> NDArray[np.float64]:
    """Mean length of the optical flow into each frame, in pixels: [n] for n gray frames uint8 [H, W].

    Farneback's dense flow at full resolution. The first frame has no predecessor and repeats the second's value; empty
    for fewer than two frames. Two frames are held at a time.
    """
    import cv2

    lengths: list[float] = []
    previous = None
    for frame in gray_frames:
        if previous is not None:
            flow = cv2.calcOpticalFlowFarneback(previous, frame, None, **_FARNEBACK)  # type: ignore[call-overload]
            magnitude, _ = cv2.cartToPolar(flow[..., 0], flow[..., 1])
            lengths.append(cv2.mean(magnitude)[0])
        previous = frame
    return np.array(lengths[:1] + lengths, dtype=np.float64)


def flow_peaks(flow: Sequence[float] | NDArray[np.float64], fps: float | Fraction) -> NDArray[np.float64]:
    """Times in seconds of the inner strict local maxima of a mean flow [n] that reach `MIN_FLOW`: index / fps."""
    values = np.asarray(flow, dtype=np.float64)
    if len(values) < 3:
        return np.zeros(0, dtype=np.float64)
    before, at, after = values[:-2], values[1:-1], values[2:]
    return (np.flatnonzero((before < at) & (at > after) & (at >= MIN_FLOW)) + 1) / float(fps)


def _rounded(times: Iterable[float]) -> list[float]:
    return [round(float(time), 6) for time in times]


class AvAlign(Metric):
    """AV-Align (`av_align`, 0 to 1, higher is better): overlap of audio onsets with peaks of the optical flow.

    Sound at 44.1 kHz mono; every decoded frame at full resolution and at the rate OpenCV reports. A clip whose sound
    has no onset (flag "no_onsets", with "silent_audio" for digital silence) or whose picture has no peak of motion
    (flag "no_motion_peaks") scores a true 0. A clip that lacks a stream, cannot be decoded or has one frame only has
    no score here; the official tool counts it as 0 (`failure_value`, for the `compat` aggregate).

    Both protocols agree: no lossy file is involved. `threads` does not change the score.
    Compared with the official pipeline (librosa 0.11, OpenCV 5.0) on five real clips: onsets, peaks and scores equal.
    """

    name: ClassVar[str] = "av_align"
    title: ClassVar[str] = "Audio-visual alignment (AV-Align)"
    scores: ClassVar[tuple[ScoreSpec, ...]] = (
        ScoreSpec(
            "av_align", "AV-Align", "higher", "ratio", (0.0, 1.0),
            "Yariv et al. 2024 (TempoTokens); MOVA evaluation toolkit, AV-Align", failure_value=0.0,
        ),
    )  # fmt: skip
    needs: ClassVar[frozenset[Need]] = frozenset({Need.AUDIO, Need.VIDEO})
    packages: ClassVar[tuple[str, ...]] = ("cv2",)

    def identity(self) -> Mapping[str, str]:
        from importlib.metadata import PackageNotFoundError, version

        for distribution in _OPENCV:
            try:
                return {"opencv": version(distribution)}
            except PackageNotFoundError:
                continue
        return {}

    def load(self) -> None:
        import cv2  # noqa: F401 - so that the first clip is not charged with the import

    def compute(self, clip: Clip, request: Request) -> Measurement:
        import cv2

        from metrics.onsets import onset_times
        from metrics.signals import is_silent

        samples = clip.audio(rate=AUDIO_RATE, layout="mono", sample_format="flt").samples
        frames = clip.frames("bgr24")
        if not frames.rate > 0:
            return Measurement.failed(self.name, "no_frame_rate", f"{clip.path.name} does not tell its frame rate")
        cv2.setNumThreads(self.threads)
        # OpenCV's own gray, since the decoder's luma has another range and other weights
        flow = mean_flow(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames)
        if len(flow) < 2:
            reason = f"{clip.path.name} has one frame, optical flow needs two"
            return Measurement.failed(self.name, "too_few_frames", reason)
        onsets, peaks = onset_times(samples, AUDIO_RATE), flow_peaks(flow, frames.rate)
        pairs = matches(onsets, peaks, frames.rate)
        flags = {
            "silent_audio": is_silent(samples),
            "no_onsets": not len(onsets),
            "no_motion_peaks": not len(peaks),
        }
        details = {
            "fps": round(float(frames.rate), 6),
            "onsets": _rounded(onsets),
            "video_peaks": _rounded(peaks),
            "matches": [list(pair) for pair in pairs],
        }
        return Measurement.scored(
            self.name,
            {"av_align": overlap(onsets, peaks, frames.rate)},
            details=details,
            flags=tuple(flag for flag, holds in flags.items() if holds),
        )
