"""The weights that metrics need: declared in one table, found, fetched and verified.

`table` declares every file; `finding` finds it on this machine; `store` fetches it; `lockfile` writes down what a run
used. Importing this package opens no file and no socket.
"""

from __future__ import annotations

from metrics.weights.digests import cache_dir, sha256_of
from metrics.weights.finding import (
    declared,
    digest,
    digest_of,
    install_hint,
    locate,
    missing,
    own_path,
    places,
    problems,
    verified,
)
from metrics.weights.table import TABLE, WeightsFile

__all__ = [
    "TABLE",
    "WeightsFile",
    "cache_dir",
    "declared",
    "digest",
    "digest_of",
    "install_hint",
    "locate",
    "missing",
    "own_path",
    "places",
    "problems",
    "sha256_of",
    "verified",
]
