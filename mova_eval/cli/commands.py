"""Importing this module registers every command; each lives in a module of its own."""

from __future__ import annotations

from mova_eval.cli import (
    agree,
    arena,
    benchmarks,
    compare,
    doctor,
    export,
    generate,
    generators,
    history,
    inspect,
    metrics_list,
    noise,
    planning,
    profile,
    report,
    run,
    score,
    weights,
)

__all__ = [
    "agree",
    "arena",
    "benchmarks",
    "compare",
    "doctor",
    "export",
    "generate",
    "generators",
    "history",
    "inspect",
    "metrics_list",
    "noise",
    "planning",
    "profile",
    "report",
    "run",
    "score",
    "weights",
]
