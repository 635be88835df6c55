"""`mova-eval arena`: the voting site, from importing clips to exported votes."""

from __future__ import annotations

from mova_eval.cli.arena import campaigns, importing, people, results, serving, simulating

__all__ = ["campaigns", "importing", "people", "results", "serving", "simulating"]
