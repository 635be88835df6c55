"""The suite: benchmarks, generators, runs, reports, comparison and the command line, over the three other packages."""

from __future__ import annotations

__version__ = "0.1.0"
