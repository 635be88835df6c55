"""What the tests of the sampler share: the nano model with its deterministic weights and inputs."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from reference_model import fill
from reference_model.components import TRANSFORMERS, skeleton
from reference_model.latents import Latents
from reference_model.network import Network
from reference_model.presets import NANO

VIDEO = (1, 16, 5, 8, 12)
AUDIO = (1, 16, 36)


@cache
def nano_module(component: str) -> Any:
    """A component of the nano model in float32. Shared: do not change its weights."""
    module = skeleton(component, NANO).to_empty(device="cpu")
    fill.fill(module, component)
    return module


def nano_network() -> Network:
    """The four transformers (a new container around shared modules)."""
    video, second, audio, bridge = (nano_module(name) for name in TRANSFORMERS)
    return Network({"video_dit": video, "video_dit_2": second}, audio, bridge)


def inputs() -> Latents:
    """Latents to start from."""
    return Latents(fill.values("input/video_latents", VIDEO), fill.values("input/audio_latents", AUDIO))


def condition() -> Tensor:
    """Mask and first-frame latents, [1, 20, 5, 8, 12]."""
    mask = torch.zeros(1, 4, 5, 8, 12)
    mask[:, :, 0] = 1
    return torch.cat([mask, fill.values("input/first_frame_latents", VIDEO)], dim=1)


def contexts() -> tuple[Tensor, Tensor]:
    """Of the prompt (20 rows, then zeros) and the negative prompt (12 rows, then zeros), [1, 512, 64] each."""
    found = []
    for key, rows in (("input/context", 20), ("input/negative_context", 12)):
        value = fill.values(key, (1, 512, 64))
        value[:, rows:] = 0
        found.append(value)
    return found[0], found[1]


def statistics(x: Tensor) -> dict[str, Any]:
    """Size, mean, population deviation, largest magnitude, and the values at 0, 1, n//3, n//2, n-1."""
    flat = x.detach().double().flatten()
    n = len(flat)
    return {
        "n": n,
        "mean": float(flat.mean()),
        "std": float(flat.std(unbiased=False)),
        "max": float(flat.abs().max()),
        "probes": [float(flat[i]) for i in (0, 1, n // 3, n // 2, n - 1)],
    }
