"""Two runs on the same items: what differs, how sure that is, and which clips it comes from."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mova_eval.comparison.cards import card_of, differences
    from mova_eval.comparison.comparing import compare
    from mova_eval.comparison.records import Comparison, ProtocolCard, ScoreComparison
    from mova_eval.comparison.writing import write_comparison

_HOME = {
    "Comparison": "records",
    "ProtocolCard": "records",
    "ScoreComparison": "records",
    "card_of": "cards",
    "compare": "comparing",
    "differences": "cards",
    "write_comparison": "writing",
}

__all__ = ["Comparison", "ProtocolCard", "ScoreComparison", "card_of", "compare", "differences", "write_comparison"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mova_eval.comparison' has no attribute '{name}'")
    return getattr(import_module(f"mova_eval.comparison.{_HOME[name]}"), name)
