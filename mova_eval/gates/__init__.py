"""Gates: whether a comparison passes, by rules that speak of the interval of the loss and of coverage."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mova_eval.gates.deciding import decide
    from mova_eval.gates.outputs import write_outputs
    from mova_eval.gates.records import Check, GateResult
    from mova_eval.gates.rules import GateFile, Rule, default_gate, read_gate

_HOME = {
    "Check": "records",
    "GateFile": "rules",
    "GateResult": "records",
    "Rule": "rules",
    "decide": "deciding",
    "default_gate": "rules",
    "read_gate": "rules",
    "write_outputs": "outputs",
}

__all__ = ["Check", "GateFile", "GateResult", "Rule", "decide", "default_gate", "read_gate", "write_outputs"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mova_eval.gates' has no attribute '{name}'")
    return getattr(import_module(f"mova_eval.gates.{_HOME[name]}"), name)
