"""The suite: benchmarks, generators, runs, reports, comparison and the command line, over the three other packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mova_eval.runs.loading import load_run

__version__ = "0.1.0"

__all__ = ["load_run"]


def __getattr__(name: str) -> Any:
    if name == "load_run":  # on demand: the package itself stays light
        from mova_eval.runs.loading import load_run

        return load_run
    raise AttributeError(f"module 'mova_eval' has no attribute '{name}'")
