"""Do automatic metrics agree with people? Scores of runs held against votes of an arena."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mova_eval.agreement.agreeing import agree
    from mova_eval.agreement.records import Agreement
    from mova_eval.agreement.writing import write_agreement

_HOME = {"Agreement": "records", "agree": "agreeing", "write_agreement": "writing"}

__all__ = ["Agreement", "agree", "write_agreement"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mova_eval.agreement' has no attribute '{name}'")
    return getattr(import_module(f"mova_eval.agreement.{_HOME[name]}"), name)
