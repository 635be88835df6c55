"""The suite: benchmarks, generators, runs, reports, comparison and the command line, over the three other packages."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mova_eval.agreement import agree
    from mova_eval.baselines import beside_baselines, published
    from mova_eval.comparison import compare
    from mova_eval.gates import decide, read_gate
    from mova_eval.history import trace_history
    from mova_eval.noise import measure_noise
    from mova_eval.runs.loading import load_run

__version__ = "0.1.0"

_HOME = {
    "agree": "agreement",
    "beside_baselines": "baselines",
    "compare": "comparison",
    "decide": "gates",
    "load_run": "runs.loading",
    "measure_noise": "noise",
    "published": "baselines",
    "read_gate": "gates",
    "trace_history": "history",
}

__all__ = [
    "agree",
    "beside_baselines",
    "compare",
    "decide",
    "load_run",
    "measure_noise",
    "published",
    "read_gate",
    "trace_history",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mova_eval' has no attribute '{name}'")
    value = getattr(import_module(f"mova_eval.{_HOME[name]}"), name)  # on demand: the package itself stays light
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
