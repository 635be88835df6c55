from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.av_align import flow_peaks, matches, mean_flow, overlap

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
