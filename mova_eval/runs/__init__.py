"""Runs: measure the clips of a benchmark into a run directory that can be killed and continued at any moment."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mova_eval.runs.loading import Run, load_run
    from mova_eval.runs.runner import RunOutcome, score_clips
    from mova_eval.runs.summarising import summarise_run

_HOME = {
    "Run": "loading",
    "RunOutcome": "runner",
    "load_run": "loading",
    "score_clips": "runner",
    "summarise_run": "summarising",
}

__all__ = ["Run", "RunOutcome", "load_run", "score_clips", "summarise_run"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mova_eval.runs' has no attribute '{name}'")
    value = getattr(import_module(f"mova_eval.runs.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
