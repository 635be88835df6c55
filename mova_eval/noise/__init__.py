"""The noise floor: how far scores move between evaluations that should be equal."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mova_eval.noise.measuring import measure_noise
    from mova_eval.noise.records import Noise, floors_of

_HOME = {"Noise": "records", "floors_of": "records", "measure_noise": "measuring"}

__all__ = ["Noise", "floors_of", "measure_noise"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mova_eval.noise' has no attribute '{name}'")
    return getattr(import_module(f"mova_eval.noise.{_HOME[name]}"), name)
