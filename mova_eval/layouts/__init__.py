"""Clips of a run in the folder layouts that other evaluation tools expect.

Reading those layouts needs nothing of its own: `mova-eval score` and `--model folder` match files by these names.
"""

from __future__ import annotations

from mova_eval.layouts.exporting import LAYOUTS, Exported, export_run

__all__ = ["LAYOUTS", "Exported", "export_run"]
