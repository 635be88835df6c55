"""Many runs of one model over time: each score as a line, and the changes that are real."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mova_eval.history.records import History
    from mova_eval.history.tracing import trace_history
    from mova_eval.history.writing import write_history

_HOME = {"History": "records", "trace_history": "tracing", "write_history": "writing"}

__all__ = ["History", "trace_history", "write_history"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mova_eval.history' has no attribute '{name}'")
    return getattr(import_module(f"mova_eval.history.{_HOME[name]}"), name)
