"""The noise schedule: paired timesteps of video and sound, and the Euler step with its snap to the training grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_model.configs import SchedulerConfig

if TYPE_CHECKING:
    from torch import Tensor

TIMESTEP_SCALE = 1000.0
RELEASED = SchedulerConfig(shift=5.0, sigma_min=0.0, sigma_max=1.0, extra_one_step=True, num_train_timesteps=1000)
"""The schedule of the released checkpoints."""


def sigma_grid(steps: int, shift: float, config: SchedulerConfig = RELEASED) -> Tensor:
    """Noise levels, float32 [steps], falling from sigma_max; the 0 after the last step is not among them."""
    import torch

    if steps < 1:
        raise ValueError(f"{steps} steps: at least 1 is needed")
    if not 0 < shift < float("inf"):
        raise ValueError(f"a shift of {shift}: it must be positive")
    if config.extra_one_step:
        even = torch.linspace(config.sigma_max, config.sigma_min, steps + 1)[:-1]
    else:
        even = torch.linspace(config.sigma_max, config.sigma_min, steps)
    return shift * even / (1 + (shift - 1) * even)


def paired_timesteps(
    steps: int, video_shift: float = 5.0, audio_shift: float = 5.0, config: SchedulerConfig = RELEASED
) -> Tensor:
    """Timesteps on the scale 0..1000, float32 [steps, 2] on the CPU: video, sound.

    Raises ValueError for fewer than one step or a shift that is not positive.
    """
    import torch

    columns = [sigma_grid(steps, shift, config) for shift in (video_shift, audio_shift)]
    return torch.stack(columns, dim=1) * TIMESTEP_SCALE


class Schedule:
    """The steps of one sample.

    timesteps: float32 [steps, 2] as the network is fed. sigmas: float32 [steps + 1, 2], the noise levels between which
    the Euler steps go: each timestep's nearest of the training grid (the first on a tie), and 0 at the end. The snap
    is part of the method; for 30 steps it moves a level by up to 1.3e-3.
    """

    def __init__(self, config: SchedulerConfig, steps: int, video_shift: float, audio_shift: float) -> None:
        import torch

        self.timesteps = paired_timesteps(steps, video_shift, audio_shift, config)
        grid = sigma_grid(config.num_train_timesteps, config.shift, config)
        distance = (grid * TIMESTEP_SCALE - self.timesteps[..., None]).abs()
        self.sigmas = torch.cat([grid[distance.argmin(dim=-1)], torch.zeros(1, 2)])

    def __len__(self) -> int:
        return len(self.timesteps)

    def widths(self, step: int) -> tuple[Tensor, Tensor]:
        """sigma_to - sigma of a step, at most 0, for video and sound: zero-dimensional float32 tensors."""
        change = self.sigmas[step + 1] - self.sigmas[step]
        return change[0], change[1]

    def high_noise_steps(self, boundary: float) -> int:
        """How many steps come before the first whose video timestep is below `boundary`."""
        low = (self.timesteps[:, 0] < boundary).nonzero()
        return int(low[0]) if len(low) else len(self)
