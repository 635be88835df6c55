"""The noise schedule against the numbers of the released configuration."""

from __future__ import annotations

import pytest
import torch

from reference_model.presets import NANO
from reference_model.schedule import Schedule, paired_timesteps, sigma_grid

ROWS = {
    0: (1000.000000, 1.00000000, -0.00406504),
    1: (995.934937, 0.99593496, -0.00419950),
    2: (991.735474, 0.99173546, -0.00434059),
    3: (987.394897, 0.98739487, -0.00448895),
    4: (982.905945, 0.98290592, -0.00464505),
    45: (357.142822, 0.35714287, -0.05411255),
    46: (303.030304, 0.30303031, -0.06109482),
    47: (241.935455, 0.24193549, -0.06952168),
    48: (172.413788, 0.17241381, -0.07982121),
    49: (92.592583, 0.09259260, -0.09259260),
}
AUDIO_SHIFT_ONE = {
    0: 1.00000000, 1: 0.97990483, 2: 0.96011120, 3: 0.93998015, 4: 0.92001057,
    45: 0.10110294, 46: 0.07958803, 47: 0.06178707, 48: 0.03875969, 49: 0.01968504,
}  # fmt: skip
THIRTY = {
    0: (1000, 1.00000000), 1: (993.150574, 0.99322104), 2: (985.915405, 0.98584110), 3: (978.260864, 0.97826087),
    4: (970.149292, 0.97023278), 25: (500.000000, 0.50059956), 26: (434.782623, 0.43407309),
    27: (357.142853, 0.35714287), 28: (263.157898, 0.26419559), 29: (147.058823, 0.14575972),
}  # fmt: skip


def schedule(steps: int, video: float = 5.0, audio: float = 5.0) -> Schedule:
    return Schedule(NANO.scheduler, steps, video, audio)


def test_fifty_steps() -> None:
    plan = schedule(50)
    assert plan.timesteps.shape == (50, 2)
    assert plan.timesteps.dtype == torch.float32
    assert torch.equal(plan.timesteps[:, 0], plan.timesteps[:, 1])
    for step, (t, sigma, width) in ROWS.items():
        assert plan.timesteps[step].tolist() == pytest.approx([t, t], abs=1e-3)
        assert plan.sigmas[step].tolist() == pytest.approx([sigma, sigma], abs=1e-7)
        assert [float(w) for w in plan.widths(step)] == pytest.approx([width, width], abs=1e-7)


def test_audio_shift_of_one() -> None:
    plan = schedule(50, 5.0, 1.0)
    assert plan.timesteps[:, 1].tolist() == pytest.approx([1000 - 20 * k for k in range(50)], abs=1e-3)
    for step, sigma in AUDIO_SHIFT_ONE.items():
        assert float(plan.sigmas[step, 1]) == pytest.approx(sigma, abs=1e-7)
    assert torch.equal(plan.sigmas[:, 0], schedule(50).sigmas[:, 0])


def test_thirty_steps_snap_to_the_training_grid() -> None:
    plan = schedule(30)
    for step, (t, sigma) in THIRTY.items():
        assert float(plan.timesteps[step, 0]) == pytest.approx(t, abs=1e-3)
        assert float(plan.sigmas[step, 0]) == pytest.approx(sigma, abs=1e-7)
    moved = (plan.sigmas[:-1] - plan.timesteps / 1000).abs().max()
    assert 1e-3 < float(moved) < 1.4e-3


def test_training_grid_and_four_steps() -> None:
    train = 1000 * sigma_grid(1000, 5.0)
    assert train[:3].tolist() == pytest.approx([1000, 999.799805, 999.599426], abs=1e-3)
    assert train[-2:].tolist() == pytest.approx([9.920635, 4.980080], abs=1e-3)
    assert paired_timesteps(4, 5.0, 5.0)[:, 0].tolist() == pytest.approx([1000, 937.5, 833.333313, 625], abs=1e-3)


@pytest.mark.parametrize(("steps", "high"), [(20, 8), (25, 9), (30, 11), (40, 15), (50, 18), (4, 2)])
def test_the_switch_looks_at_the_video_column(steps: int, high: int) -> None:
    assert schedule(steps).high_noise_steps(900.0) == high
    assert schedule(steps, 5.0, 1.0).high_noise_steps(900.0) == high


@pytest.mark.parametrize("steps", [1, 2, 7, 20, 30, 50, 100, 333])
@pytest.mark.parametrize("shift", [1.0, 3.0, 5.0, 12.0])
def test_steps_sum_to_minus_one(steps: int, shift: float) -> None:
    plan = schedule(steps, shift, 1.0)
    widths = torch.tensor([[float(w) for w in plan.widths(k)] for k in range(steps)], dtype=torch.float64)
    assert widths.sum(dim=0).tolist() == pytest.approx([-1.0, -1.0], abs=1e-5)
    assert bool((widths <= 0).all())  # two steps may snap to one point of the training grid


@pytest.mark.parametrize("steps", [20, 25, 40, 50, 100])
def test_divisors_of_the_grid_do_not_snap(steps: int) -> None:
    plan = schedule(steps)
    assert float((plan.sigmas[:-1] - plan.timesteps / 1000).abs().max()) < 2e-7


@pytest.mark.parametrize(("steps", "shift"), [(0, 5.0), (-1, 5.0), (4, 0.0), (4, -1.0), (4, float("nan"))])
def test_no_schedule_from_nonsense(steps: int, shift: float) -> None:
    with pytest.raises(ValueError, match=r"steps|shift"):
        paired_timesteps(steps, shift, 5.0)
