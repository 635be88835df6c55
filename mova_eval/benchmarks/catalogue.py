"""Which benchmarks are known, what is in them, and where their files come from. Standard library only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from metrics.errors import UserError
from metrics.weights import cache_dir

VERSE_BENCH = "verse-bench"
MYBENCH = "mybench"
MINI = "mini"

_MOVA_FILES = "https://raw.githubusercontent.com/OpenMOSS/MOVA/0fde19d46d95301a26656b6ddac2387419bcb271/evaluation"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that is fetched, not shipped: public address at a fixed revision, digest, name in the cache."""

    benchmark: str
    what: str
    """What `fetch` calls it: "prompts" or "references"."""
    url: str
    sha256: str
    file: str

    @property
    def cached(self) -> Path:
        """Where the file lies once fetched."""
        return cache_dir() / "benchmarks" / self.benchmark / self.file


ASSETS: dict[str, Asset] = {
    VERSE_BENCH: Asset(
        VERSE_BENCH,
        "prompts",
        f"{_MOVA_FILES}/verse_bench_prompts.json",
        "d15d98ddc1bac9591dca2fad3a46d32bd29de698a3049e1a87472dd5ff675c45",
        "verse_bench_prompts.json",
    ),
    MYBENCH: Asset(
        MYBENCH,
        "references",
        f"{_MOVA_FILES}/metrics/cpcer/references.txt",
        "cc82f44f03b1ac5f29dbb4a1dc7a94f124164e6aa5b6122a7a98c2743ffe1c56",
        "references.txt",
    ),
}

FIRST_FRAMES = "https://huggingface.co/datasets/dorni/Verse-Bench/resolve/56201b95f1522285bdb7bcadfa3078786dfd5781"
"""The original Verse-Bench data set; of the first frames it holds those of set1 only, as `set1/<five digits>.jpg`."""


def names() -> tuple[str, ...]:
    """Names of the benchmarks that `load` knows; a path to a benchmark of one's own works as well."""
    return (VERSE_BENCH, MYBENCH, MINI)


@lru_cache(maxsize=8)
def shipped(file: str) -> dict[str, Any]:
    """A JSON file of this package's data folder. Callers must not change what they get."""
    loaded: dict[str, Any] = json.loads((files(__package__) / "data" / file).read_text("utf-8"))
    return loaded


def header_data(name: str) -> dict[str, Any]:
    """The header of a known benchmark as plain data. Raises UserError for an unknown name."""
    if name == MINI:
        from mova_eval import mini

        header: dict[str, Any] = dict(mini.HEADER)
        return header
    if name not in names():
        raise UserError(f"no benchmark is called '{name}'; known: {', '.join(names())}")
    return shipped(f"{name}.json")


def describe(name: str) -> dict[str, Any]:
    """What there is to say about a benchmark before loading it.

    Keys: name, version, title, n_items, sets (name -> number of items), here (whether its texts are on this machine),
    get (one sentence: how to get them, or that nothing is needed), licence. JSON values only.
    Raises UserError for an unknown name.
    """
    header = header_data(name)
    counts = {entry["name"]: entry.get("count") for entry in header["sets"] if not entry.get("optional")}
    asset = ASSETS.get(name)
    return {
        "name": name,
        "version": header["version"],
        "title": header["title"],
        "n_items": sum(count or 0 for count in counts.values()),
        "sets": counts,
        "here": asset is None or asset.cached.is_file(),
        "get": how_to_get(name) if asset else "nothing to fetch: the suite ships or draws all of it",
        "licence": header.get("licence", {}),
    }


def how_to_get(name: str) -> str:
    """What to do when a benchmark's text file is not on this machine: half a sentence."""
    asset = ASSETS[name]
    return f"get it with `mova-eval benchmarks fetch {name}`, or download {asset.url} and give its path with --root"
