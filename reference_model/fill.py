"""Deterministic weights and inputs, independent of any framework's generator: for tests and the seeded nano model."""

from __future__ import annotations

import math
from collections.abc import Iterable
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

TRANSFORMER_GAIN = 3.0
VAE_GAIN = 2.0


def uniform(key: str, count: int) -> NDArray[np.float64]:
    """`count` values in [-0.5, 0.5) that follow from the key alone: an integer hash of crc32(key) and the index."""
    h = np.arange(count, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(crc32(key.encode()))
    for _ in range(2):
        h ^= h >> np.uint32(16)
        h *= np.uint32(0x45D9F3B)
    h ^= h >> np.uint32(16)
    return h / 2.0**32 - 0.5


def values(key: str, shape: Iterable[int]) -> Tensor:
    """An input: float32 of the shape, with unit variance."""
    size = tuple(shape)
    return torch.from_numpy((math.sqrt(12) * uniform(key, math.prod(size))).astype(np.float32)).reshape(size)


def weight(key: str, shape: torch.Size, gain: float) -> Tensor:
    """A weight of a component, float32; key: component/state-dict name."""
    name = key.rsplit(".", 1)[-1]
    u = uniform(key, math.prod(shape))
    if name in ("alpha", "gamma") or (len(shape) == 1 and name == "weight"):
        u = 1 + 0.5 * u
    elif len(shape) == 1 or name == "modulation":
        u = 0.2 * u
    else:
        u = u * gain / math.sqrt(math.prod(shape[1:]))
    return torch.from_numpy(u.astype(np.float32)).reshape(shape)


def gain_of(component: str) -> float:
    """The scale of a component's weights."""
    return VAE_GAIN if component.endswith("_vae") else TRANSFORMER_GAIN


@torch.no_grad()
def fill(module: nn.Module, component: str, gain: float | None = None) -> None:
    """Give every tensor of a module on the CPU its value."""
    scale = gain_of(component) if gain is None else gain
    for name, tensor in module.state_dict().items():
        tensor.copy_(weight(f"{component}/{name}", tensor.shape, scale))
