"""The command line. `main` is the program; each command is a thin layer over a public function of the suite.

Nothing heavy is imported before a command needs it, so that `mova-eval --help` answers at once.
"""

from __future__ import annotations

from mova_eval.cli.app import app, main

__all__ = ["app", "main"]
