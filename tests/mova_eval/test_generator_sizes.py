"""Sizes and lengths: what a model accepts and what is nearest to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.errors import UserError
from mova_eval.generators.sizes import Grid, kept_share, oriented, size_of


@pytest.mark.parametrize(("seconds", "frames"), [(5, 121), (8, 193), (10, 241), (0.01, 1)])
def test_durations_round_to_valid_counts(seconds: float, frames: int) -> None:
    assert Grid().frames_for(seconds) == frames


@given(st.floats(0.01, 60), st.sampled_from([1, 4, 8]))
def test_no_valid_count_is_nearer(seconds: float, step: int) -> None:
    grid = Grid(step=step)
    chosen = grid.frames_for(seconds)
    assert grid.check_frames(chosen) == chosen
    wanted = seconds * grid.fps
    others = [chosen + step] + ([chosen - step] if chosen > step else [])
    assert all(abs(chosen - wanted) <= abs(other - wanted) + 1e-9 for other in others)


def test_wrong_sizes_and_counts_name_the_nearest() -> None:
    assert Grid().check_size(640, 352) == (640, 352)
    with pytest.raises(UserError, match="size 640x360: sides must be multiples of 16; the nearest is 640x352"):
        Grid().check_size(640, 360)
    with pytest.raises(UserError, match=r"192 frames.* the nearest are 189 and 193"):
        Grid().check_frames(192)
    with pytest.raises(UserError, match="the nearest is 16x16"):
        Grid().check_size(0, -5)


def test_sizes_turn_the_way_of_the_picture() -> None:
    assert oriented((640, 352), (100, 200)) == (352, 640)
    assert oriented((352, 640), (200, 100)) == (640, 352)
    assert oriented((640, 352), (100, 100)) == oriented((640, 352), None) == (640, 352)
    assert size_of("720p") == (1280, 720)
    assert size_of("64X48") == (64, 48)


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_share_left_by_a_crop(width: int, height: int) -> None:
    share = kept_share((width, height), (640, 352))
    assert 0 < share <= 1
    assert share == pytest.approx(kept_share((640, 352), (width, height)))
    assert kept_share((1920, 1080), (640, 352)) == pytest.approx(1056 / 1080)
