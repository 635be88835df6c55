from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import cv2_frames, make_clip, shared_clip

from metrics import Clip, Measurement
from metrics.av_align import AvAlign, flow_peaks, matches, mean_flow, overlap

TIMES = st.lists(st.integers(0, 100).map(lambda slot: slot / 20), max_size=30)


@pytest.mark.parametrize(
    ("audio", "video", "expected"),
    [
        ([], [], 0.0),
        ([1.0], [], 0.0),
        ([], [1.0], 0.0),
        ([1.0, 2.0], [1.0, 2.0], 1.0),
        ([1.0], [1.03], 1.0),
        ([1.0], [1.05], 0.0),
        ([1.0, 1.01], [1.0], 0.5),
        ([1.0, 3.0], [1.0, 2.0], 1 / 3),
    ],
)
def test_overlap(audio: list[float], video: list[float], expected: float) -> None:
    assert overlap(audio, video, 25) == pytest.approx(expected)


def test_exactly_one_frame_apart_is_too_far() -> None:
    assert overlap([1.25], [1.0], 4) == 0.0
    assert overlap([0.75], [1.0], 4) == 0.0
    assert overlap([1.25 - 1e-9], [1.0], 4) == 1.0


def test_an_onset_takes_the_earliest_peak_in_reach_not_the_nearest() -> None:
    assert matches([1.0], [0.97, 1.0], 25) == [(0, 0)]
    assert matches([1.0, 1.02], [0.97, 1.0], 25) == [(0, 0), (1, 1)]


def slow_matches(audio: list[float], video: list[float], fps: float) -> int:
    """The rule as written: each onset in time order takes the first peak in reach that is still free."""
    used: set[int] = set()
    for onset in sorted(audio):
        for place, peak in enumerate(sorted(video)):
            if place not in used and peak - 1 / fps < onset < peak + 1 / fps:
                used.add(place)
                break
    return len(used)


@settings(max_examples=200, deadline=None)
@given(TIMES, TIMES, st.sampled_from([8.0, 10.0, 24.0, 30000 / 1001]))
def test_overlap_follows_the_rule_as_written(audio: list[float], video: list[float], fps: float) -> None:
    met = slow_matches(audio, video, fps)
    union = len(audio) + len(video) - met
    assert overlap(audio, video, fps) == (met / union if union else 0.0)
    assert 0.0 <= overlap(audio, video, fps) <= 1.0
    assert overlap(list(reversed(audio)), video, fps) == overlap(audio, video, fps)
    assert len(matches(audio, video, fps)) == met


def test_a_list_against_itself_is_one_and_far_away_is_nothing() -> None:
    times = [0.1, 0.5, 1.7]
    assert overlap(times, times, Fraction(24000, 1001)) == 1.0
    assert overlap(times, [time + 10 for time in times], 24) == 0.0


@pytest.mark.parametrize("fps", [0, -25, float("nan"), float("inf")])
def test_a_rate_must_be_positive(fps: float) -> None:
    with pytest.raises(ValueError, match="fps must be a positive number"):
        overlap([1.0], [1.0], fps)


def test_times_must_be_finite() -> None:
    with pytest.raises(ValueError, match="video peaks is not finite"):
        overlap([1.0], [float("nan")], 25)


def test_flow_peaks() -> None:
    flow = [9.0, 0.0, 0.5, 0.2, 0.2, 0.2, 0.09, 0.3, 0.3, 0.0, 0.099, 0.0, 0.1, 0.0, 9.0]
    np.testing.assert_allclose(flow_peaks(flow, 10), [0.2, 1.2])
    for short in ([], [1.0], [1.0, 2.0]):
        assert len(flow_peaks(short, 10)) == 0


def moving(steps: list[int], size: int = 64) -> list[np.ndarray]:
    """Gray frames of one texture moved to the right by `steps` pixels each."""
    import cv2

    texture = np.random.default_rng(1).uniform(0, 255, (size, size)).astype(np.uint8)
    texture = cv2.GaussianBlur(texture, (0, 0), 3)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    return [np.roll(texture, place, axis=1) for place in np.cumsum([0, *steps])]


def test_mean_flow_is_the_distance_moved() -> None:
    steps = [1, 1, 3, 1, 0, 2, 0]
    flow = mean_flow(moving(steps))
    assert len(flow) == len(steps) + 1
    assert flow[0] == flow[1]
    np.testing.assert_allclose(flow[1:], steps, atol=0.5)
    np.testing.assert_allclose(flow_peaks(flow, 10), [0.3, 0.6])


def test_mean_flow_needs_two_frames() -> None:
    assert len(mean_flow([])) == 0
    assert len(mean_flow(moving([]))) == 0


def test_mean_flow_of_one_pixel_is_nothing() -> None:
    np.testing.assert_array_equal(mean_flow([np.full((1, 1), value, np.uint8) for value in (0, 200, 9)]), np.zeros(3))


def test_threads_do_not_change_the_flow() -> None:
    import cv2

    frames = moving([1, 2, 1], size=200)
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        one = mean_flow(frames)
        cv2.setNumThreads(4)
        np.testing.assert_array_equal(mean_flow(frames), one)
    finally:
        cv2.setNumThreads(before)


RATE, FPS = 44_100, 25
BURSTS = (10, 22, 36)  # frames into which the picture jumps


def film(bursts: tuple[int, ...] = BURSTS, count: int = 50) -> Callable[[int], np.ndarray]:
    """Index -> uint8 RGB picture of a texture that stands still and jumps 3 pixels at `bursts`."""
    gray = moving([3 * (step in bursts) for step in range(1, count)])
    return lambda index: np.repeat(gray[index][..., None], 3, axis=2)


def clicks(times: Sequence[float], seconds: float = 2.0, level: float = 0.5) -> np.ndarray:
    samples = np.zeros(round(seconds * RATE), np.float32)
    for time in times:
        samples[round(time * RATE) : round(time * RATE) + 200] = level
    return samples


def exact_clip(path: Path, samples: np.ndarray | None, **more: Any) -> Path:
    """A clip without coding loss: what is put in is what the metric sees."""
    more = {"pictures": film(), "frames": 50, "fps": FPS, "size": (64, 64), **more}
    return make_clip(
        path, video_codec="ffv1", pixel_format="bgr0", audio=samples, audio_rate=RATE, audio_codec="pcm_f32le", **more
    )


def measure(path: Path, **options: Any) -> Measurement:
    with Clip(path) as clip:
        return AvAlign(**options).measure(clip)


def test_clicks_at_the_jumps_are_aligned_and_clicks_between_are_not(tmp_path: Path) -> None:
    times = [frame / FPS for frame in BURSTS]
    together = measure(exact_clip(tmp_path / "together.mkv", clicks(times)))
    assert together.scores == {"av_align": 1.0}
    assert together.details["video_peaks"] == times
    assert together.details["matches"] == [[0, 0], [1, 1], [2, 2]]
    apart = measure(exact_clip(tmp_path / "apart.mkv", clicks([time + 0.2 for time in times])))
    assert apart.scores == {"av_align": 0.0}
    assert apart.flags == ()
    one = measure(exact_clip(tmp_path / "one.mkv", clicks([times[1]])))
    assert one.scores["av_align"] == pytest.approx(1 / 3)


def reference(path: Path) -> tuple[float, list[float], list[float]]:
    """AV-Align with librosa and OpenCV's own reader, in the words of the definition: score, onsets, video peaks."""
    import cv2
    import librosa

    with Clip(path) as clip:
        samples = clip.audio(rate=RATE, layout="mono", sample_format="flt").samples
    onsets = list(librosa.onset.onset_detect(y=samples, sr=RATE, units="time"))
    capture = cv2.VideoCapture(str(path))
    fps = capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    gray = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in cv2_frames(path)]
    lengths = []
    for before, after in itertools.pairwise(gray):
        flow = cv2.calcOpticalFlowFarneback(before, after, None, 0.5, 3, 15, 3, 5, 1.2, 0)
        lengths.append(float(np.mean(np.hypot(flow[..., 0], flow[..., 1]), dtype=np.float64)))
    lengths = [lengths[0], *lengths]
    inner = range(1, len(lengths) - 1)
    peaks = [i / fps for i in inner if lengths[i - 1] < lengths[i] > lengths[i + 1] and lengths[i] >= 0.1]
    met = slow_matches(onsets, peaks, fps)
    return met / (len(onsets) + len(peaks) - met), onsets, peaks


@pytest.mark.parametrize("fps", [24, 25, Fraction(30000, 1001)])
def test_a_coded_clip_scores_as_with_librosa_and_opencv(tmp_path: Path, fps: Fraction) -> None:
    rng = np.random.default_rng(3)
    samples = (0.3 * rng.standard_normal(2 * RATE) * np.repeat(rng.random(21) ** 3, 4200)[: 2 * RATE]).astype(
        np.float32
    )
    bursts = tuple(range(3, 48, 4))
    path = make_clip(tmp_path / "coded.mp4", pictures=film(bursts), frames=50, fps=fps, size=(64, 64), audio=samples,
                     audio_rate=RATE)  # fmt: skip
    score, onsets, peaks = reference(path)
    result = measure(path)
    assert len(onsets) > 3
    assert len(peaks) > 3
    assert result.details["onsets"] == pytest.approx(onsets, abs=1e-6)
    assert result.details["video_peaks"] == pytest.approx(peaks, abs=1e-6)
    assert result.scores["av_align"] == score


def test_silence_and_stillness_are_a_true_zero(tmp_path: Path) -> None:
    silent = measure(exact_clip(tmp_path / "silent.mkv", clicks([])))
    assert (silent.status, silent.scores) == ("scored", {"av_align": 0.0})
    assert silent.flags == ("silent_audio", "no_onsets")
    steady = np.full(2 * RATE, 0.1, np.float32)
    assert "silent_audio" not in measure(exact_clip(tmp_path / "steady.mkv", steady)).flags
    still = measure(exact_clip(tmp_path / "still.mkv", clicks([0.5, 1.0]), pictures=film(())))
    assert (still.status, still.scores) == ("scored", {"av_align": 0.0})
    assert still.flags == ("no_motion_peaks",)


@pytest.mark.parametrize("samples", [clicks([], 0.05), clicks([0.01], 0.05), np.sign(clicks([0.4, 0.88]) - 0.1)])
def test_odd_sound_is_scored(tmp_path: Path, samples: np.ndarray) -> None:
    result = measure(exact_clip(tmp_path / "odd.mkv", samples.astype(np.float32)))
    assert result.status == "scored"


def test_what_cannot_be_computed_fails_and_counts_zero_in_the_official_tool(
    tmp_path: Path, mute_clip: Path, sound_only_clip: Path
) -> None:
    one_frame = exact_clip(tmp_path / "one.mkv", clicks([0.5]), frames=1)
    nan = exact_clip(tmp_path / "nan.mkv", np.full(RATE, np.nan, np.float32))
    codes = {mute_clip: "no_audio_stream", sound_only_clip: "no_video_stream", one_frame: "too_few_frames",
             nan: "audio_not_finite"}  # fmt: skip
    for path, code in codes.items():
        result = measure(path)
        assert (result.status, result.code) == ("failed", code)
        assert path.name in str(result.reason)
    assert AvAlign.scores[0].failure_value == 0.0


def test_two_frames_and_single_pixels_are_scored(tmp_path: Path) -> None:
    assert measure(exact_clip(tmp_path / "two.mkv", clicks([0.5]), frames=2)).scores == {"av_align": 0.0}
    pixel = exact_clip(
        tmp_path / "pixel.mkv", clicks([0.5]), size=(1, 1), pictures=lambda i: np.full((1, 1, 3), 9 * i % 256, np.uint8)
    )
    assert measure(pixel).flags == ("no_motion_peaks",)


def test_threads_do_not_change_the_score(tiny_clip: Path) -> None:
    one, two = measure(tiny_clip, threads=1), measure(tiny_clip, threads=2)
    assert (one.scores, one.details) == (two.scores, two.details)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "score", "onsets", "peaks"),
    [
        ("00000", 0.1111111, 10, 10),
        ("00023", 0.2941176, 53, 35),
        ("01083", 0.3095238, 37, 18),
        ("419", 0.3611111, 65, 33),
        ("talking_woman", 0.3018868, 37, 32),
    ],
)
def test_real_clips_score_as_in_the_official_tool(name: str, score: float, onsets: int, peaks: int) -> None:
    result = measure(shared_clip(f"{name}.mp4"))
    assert (len(result.details["onsets"]), len(result.details["video_peaks"])) == (onsets, peaks)
    assert result.scores["av_align"] == pytest.approx(score, abs=1e-7)
