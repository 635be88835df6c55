"""Generators: what makes the clip of an item. One contract for every model, whether it runs here or elsewhere.

Importing this package is light; the parts behind the names below are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mova_eval.generators.contract import (
        Bench,
        Check,
        ClipRequest,
        GenerationError,
        Generator,
        GeneratorCard,
        Identity,
        Lane,
        MadeClip,
        NotRunnable,
        PlanOptions,
    )
    from mova_eval.generators.making import GenerationOutcome, generate_clips
    from mova_eval.generators.registry import available, make
    from mova_eval.generators.settings import Setting

_HOME = {
    "Bench": "contract",
    "Check": "contract",
    "ClipRequest": "contract",
    "GenerationError": "contract",
    "GenerationOutcome": "making",
    "Generator": "contract",
    "GeneratorCard": "contract",
    "Identity": "contract",
    "Lane": "contract",
    "MadeClip": "contract",
    "NotRunnable": "contract",
    "PlanOptions": "contract",
    "Setting": "settings",
    "available": "registry",
    "generate_clips": "making",
    "make": "registry",
}

__all__ = [
    "Bench",
    "Check",
    "ClipRequest",
    "GenerationError",
    "GenerationOutcome",
    "Generator",
    "GeneratorCard",
    "Identity",
    "Lane",
    "MadeClip",
    "NotRunnable",
    "PlanOptions",
    "Setting",
    "available",
    "generate_clips",
    "make",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
