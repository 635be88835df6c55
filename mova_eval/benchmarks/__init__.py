"""Benchmarks: named, versioned lists of items in sets, and the way from a folder of clips to those items.

Importing this package is light; the parts behind the names below are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mova_eval.benchmarks.catalogue import describe, names

if TYPE_CHECKING:
    from mova_eval.benchmarks.assets import fetch
    from mova_eval.benchmarks.hashing import content_sha256, media_sha256
    from mova_eval.benchmarks.loading import load
    from mova_eval.benchmarks.matching import Matching, match_clips
    from mova_eval.benchmarks.schema import Benchmark, FirstFrame, Header, Item, Reference, SetInfo, Speech
    from mova_eval.benchmarks.text import fits_duration, fold, speaking_seconds
    from mova_eval.benchmarks.verification import Finding, verify

_HOME = {
    "fetch": "assets",
    "content_sha256": "hashing",
    "media_sha256": "hashing",
    "load": "loading",
    "Matching": "matching",
    "match_clips": "matching",
    "Benchmark": "schema",
    "FirstFrame": "schema",
    "Header": "schema",
    "Item": "schema",
    "Reference": "schema",
    "SetInfo": "schema",
    "Speech": "schema",
    "fits_duration": "text",
    "fold": "text",
    "speaking_seconds": "text",
    "Finding": "verification",
    "verify": "verification",
}

__all__ = [
    "Benchmark",
    "Finding",
    "FirstFrame",
    "Header",
    "Item",
    "Matching",
    "Reference",
    "SetInfo",
    "Speech",
    "content_sha256",
    "describe",
    "fetch",
    "fits_duration",
    "fold",
    "load",
    "match_clips",
    "media_sha256",
    "names",
    "speaking_seconds",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
