"""MOVA in PyTorch: first frame, prompt and seed to a clip with sound.

>>> from reference_model import MovaSampler
>>> sampler = MovaSampler.seeded("nano")
>>> sampler.sample("a bird sings", seed=1).save("bird.mp4")  # doctest: +SKIP

Importing this package imports neither torch nor anything else heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reference_model.denoise import Progress
    from reference_model.errors import Cancelled, MissingCheckpoint, NotFinite, UnsupportedCheckpoint, UserError
    from reference_model.presets import PRESETS, Preset, get_preset
    from reference_model.sampler import MovaSampler
    from reference_model.sampling import Sample, SampleOptions

_HOME = {
    "Progress": "denoise",
    **dict.fromkeys(("Cancelled", "MissingCheckpoint", "NotFinite", "UnsupportedCheckpoint", "UserError"), "errors"),
    **dict.fromkeys(("PRESETS", "Preset", "get_preset"), "presets"),
    "MovaSampler": "sampler",
    **dict.fromkeys(("Sample", "SampleOptions"), "sampling"),
}

__all__ = [
    "PRESETS",
    "Cancelled",
    "MissingCheckpoint",
    "MovaSampler",
    "NotFinite",
    "Preset",
    "Progress",
    "Sample",
    "SampleOptions",
    "UnsupportedCheckpoint",
    "UserError",
    "get_preset",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
