"""The parity certificate: golden clips, scored here and held against values frozen with their weights' digests."""

from __future__ import annotations

from mova_eval.parity.check import check_parity, freeze
from mova_eval.parity.golden import GOLDEN, render_golden

__all__ = ["GOLDEN", "check_parity", "freeze", "render_golden"]
