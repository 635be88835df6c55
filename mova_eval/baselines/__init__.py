"""Published results of other systems, and tables that put a run's numbers beside them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mova_eval.baselines.loading import published
    from mova_eval.baselines.records import Standing
    from mova_eval.baselines.schema import Published, PublishedRow
    from mova_eval.baselines.standing import beside_baselines
    from mova_eval.baselines.writing import write_tables

_HOME = {
    "Published": "schema",
    "PublishedRow": "schema",
    "Standing": "records",
    "beside_baselines": "standing",
    "published": "loading",
    "write_tables": "writing",
}

__all__ = ["Published", "PublishedRow", "Standing", "beside_baselines", "published", "write_tables"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mova_eval.baselines' has no attribute '{name}'")
    return getattr(import_module(f"mova_eval.baselines.{_HOME[name]}"), name)
