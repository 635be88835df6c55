"""In which types the parts of a model are kept and compute."""

from __future__ import annotations

from typing import Literal

import torch

from reference_model.components import COMPONENTS

Precision = Literal["auto", "float32", "bf16", "upstream"]
PRECISIONS: tuple[Precision, ...] = ("auto", "float32", "bf16", "upstream")


def resolve(precision: Precision, device: torch.device) -> Precision:
    """What "auto" means on a device: bf16 on a GPU, float32 elsewhere."""
    if precision != "auto":
        return precision
    return "bf16" if device.type == "cuda" else "float32"


def dtypes(precision: Precision, device: torch.device) -> dict[str, torch.dtype]:
    """The type of every component's weights.

    The VAEs of a CPU stay in float32: half precision is slow there and upstream has no figures for it.
    """
    low = torch.float32 if precision == "float32" else torch.bfloat16
    vae = low if device.type == "cuda" else torch.float32
    return {name: vae if name.endswith("_vae") else low for name in COMPONENTS}
