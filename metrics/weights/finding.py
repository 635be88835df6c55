"""Where weights lie on this machine, and whether they are what they should be.

A file is looked for in this order: a path of one's own (`MOVA_EVAL_WEIGHTS_PATHS`), the folder named by
`MOVA_EVAL_WEIGHTS`, the Python package that ships it, the cache (`MOVA_EVAL_CACHE` or the user's cache folder,
sub-folder `weights`), and the model hub's own cache.
"""

from __future__ import annotations

import json
import os
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from metrics.errors import MissingWeights, UserError
from metrics.weights.digests import cache_dir, sha256_of, sha256_of_text
from metrics.weights.table import TABLE, WeightsFile

OWN_FOLDER = "MOVA_EVAL_WEIGHTS"
OWN_PATHS = "MOVA_EVAL_WEIGHTS_PATHS"
RECEIPT = ".mova-eval.json"
"""File in a fetched folder (or beside a fetched file, after its name) that says what arrived."""

_EXTRA_OF_PACKAGE = {
    "torch": "models", "transformers": "models", "whisper": "whisper", "syncnet_python": "lipsync",
}  # fmt: skip
_TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt")


def install_hint(package: str) -> str:
    """What to type to get an importable package."""
    extra = _EXTRA_OF_PACKAGE.get(package)
    return f"install it with: pip install 'mova-eval[{extra}]'" if extra else "install it with: pip install mova-eval"


def declared(name: str) -> WeightsFile:
    """The declaration of a weights file. Raises UserError for an unknown name."""
    if name not in TABLE:
        import difflib

        near = difflib.get_close_matches(name, TABLE, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(TABLE)}"
        raise UserError(f"no weights are called '{name}'; {hint}")
    return TABLE[name]


def own_path(name: str) -> Path | None:
    """The path that the user gave for these weights: `MOVA_EVAL_WEIGHTS_PATHS` holds NAME=PATH, one or more, separated
    as in PATH. Raises UserError for an entry of another shape or an unknown name."""
    for entry in filter(None, os.environ.get(OWN_PATHS, "").split(os.pathsep)):
        known, equals, path = entry.partition("=")
        if not equals or not path:
            raise UserError(f"{OWN_PATHS} holds '{entry}'; write NAME=PATH, several separated by '{os.pathsep}'")
        if declared(known).name == name:
            return Path(path).expanduser()
    return None


def cached_place(entry: WeightsFile) -> Path:
    """Where a fetched file or folder lies."""
    return cache_dir() / "weights" / entry.file


def places(name: str) -> list[Path]:
    """Where the weights would be found, first choice first. A path of one's own is the only place."""
    entry = declared(name)
    own = own_path(name)
    if own is not None:
        return [own]
    found = []
    given = os.environ.get(OWN_FOLDER)
    if given:
        found.append(Path(given).expanduser() / entry.file)
    if entry.package is not None:
        spec = find_spec(entry.package[0])  # finds the folder without importing the package
        if spec is not None and spec.submodule_search_locations:
            found.extend(Path(root) / entry.package[1] for root in spec.submodule_search_locations)
    found.append(cached_place(entry))
    if entry.repo is not None:
        snapshot = _hub_snapshot(entry)
        found.extend([snapshot if entry.path is None else snapshot / entry.path] if snapshot else [])
    return found


def hub_cache() -> Path:
    """The model hub's own cache folder, as its library finds it."""
    given = os.environ.get("HF_HUB_CACHE")
    if given:
        return Path(given).expanduser()
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(home).expanduser() / "hub"


def _hub_snapshot(entry: WeightsFile) -> Path | None:
    """Folder of the pinned revision in the hub's own cache, None if it is not there."""
    root = hub_cache() / f"models--{(entry.repo or '').replace('/', '--')}"
    try:
        commit = (root / "refs" / entry.revision).read_text().strip()
    except OSError:
        commit = entry.revision
    folder = root / "snapshots" / commit
    return folder if folder.is_dir() else None


def is_here(entry: WeightsFile, place: Path) -> bool:
    """Whether the file, or every file that the folder must have, is at this place."""
    return _whole_folder(entry, place) if entry.is_folder else place.is_file()


def _whole_folder(entry: WeightsFile, folder: Path) -> bool:
    if not folder.is_dir():
        return False
    if (folder / RECEIPT).is_file():
        names = receipt_of(folder / RECEIPT).get("files", {})
        return bool(names) and all((folder / name).is_file() for name in names)
    names = [path.relative_to(folder).as_posix() for path in members(entry, folder)]
    networks = [n for n in names if n.endswith((".safetensors", ".bin", ".pth", ".pt"))]
    if not any(pattern.endswith((".safetensors", ".bin", ".pth")) for pattern in entry.patterns):
        return any(name in names for name in _TOKENIZERS)
    shards: set[str] = set()
    for index in folder.glob("*.index.json"):
        shards |= set(json.loads(index.read_text("utf-8")).get("weight_map", {}).values())
    return bool(networks) and shards <= set(names)


def members(entry: WeightsFile, folder: Path) -> list[Path]:
    """The files of a folder that belong to the weights, sorted by name."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and wanted(entry, path.relative_to(folder).as_posix()) and path.name != RECEIPT
    )


def wanted(entry: WeightsFile, name: str) -> bool:
    """Whether a file of a hub repository belongs to the weights. name: its path in the repository."""
    return any(fnmatchcase(name, pattern) for pattern in entry.patterns) and not name.startswith(".")


def receipt_of(path: Path) -> dict[str, Any]:
    """What was written down when the weights were fetched; empty without (or with an unreadable) receipt."""
    try:
        read = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def receipt_place(entry: WeightsFile, place: Path) -> Path:
    """Where the receipt of weights lies that were fetched to a place."""
    return place / RECEIPT if entry.is_folder else place.with_name(place.name + RECEIPT)


def locate(name: str) -> Path:
    """Path of a weights file or folder on this machine. Raises MissingWeights with what to do."""
    entry = declared(name)
    for place in places(name):
        if is_here(entry, place):
            return place
    raise MissingWeights(missing(name) or "")


def missing(name: str) -> str | None:
    """None if the weights are here, else one sentence that says how to get them."""
    entry = declared(name)
    candidates = places(name)
    if any(is_here(entry, place) for place in candidates):
        return None
    if own_path(name) is not None:
        return f"weights {name} missing: there is nothing at {candidates[0]}, which {OWN_PATHS} names"
    if entry.fetchable:
        return f"weights {name} missing, get them with: mova-eval weights fetch {name}"
    return f"weights {name} missing: get {entry.file} from {entry.source} and put it at {candidates[-1]}"


def verified(name: str) -> Path:
    """Path of weights whose length and digest are right, as far as they are known.

    A path of one's own is taken as it is: its digest differs, and is part of every key and report.
    Raises MissingWeights, or UserError saying what is wrong with the file and what to do.
    """
    entry, path = declared(name), locate(name)
    if own_path(name) is None:
        for problem in problems(entry, path):
            raise UserError(f"weights {name}: {problem}")
    return path


def digest(name: str) -> str:
    """sha256 of verified weights; of a folder: over the names and digests of its files. Raises as `verified`."""
    return digest_of(declared(name), verified(name))


def digest_of(entry: WeightsFile, place: Path) -> str:
    """sha256 of a file; of a folder the sha256 over lines `<sha256> <name>`."""
    if not place.is_dir():
        return sha256_of(place)
    lines = [f"{sha256_of(path)} {path.relative_to(place).as_posix()}\n" for path in members(entry, place)]
    return sha256_of_text("".join(lines))


def problems(entry: WeightsFile, place: Path) -> list[str]:
    """What is wrong with weights at a place: their length, their digest; one sentence each, with the remedy."""
    again = f"remove it and get it again with: mova-eval weights fetch {entry.name}"
    if not entry.fetchable:
        again = f"remove it and get it again from {entry.source}"
    if not entry.is_folder:
        told = receipt_of(receipt_place(entry, place))
        expected = entry.sha256 or told.get("sha256")
        found = _wrong(place, entry.size, expected, again)
        return [found] if found else []
    expected = dict(entry.digests)
    files = receipt_of(place / RECEIPT).get("files", {})
    if isinstance(files, dict):
        expected = {name: facts["sha256"] for name, facts in files.items()} | expected
    checks = (_wrong(place / name, None, sha256, again) for name, sha256 in expected.items())
    return [found for found in checks if found]


def _wrong(path: Path, size: int | None, sha256: object, again: str) -> str | None:
    if not path.is_file():
        return f"{path} is missing; {again}"
    length = path.stat().st_size
    if size is not None and length != size:
        what = "cut short" if length < size else "another file"
        return f"{path} is {what}: {length:,} bytes, expected {size:,}; {again}"
    if sha256 is not None and sha256_of(path) != sha256:
        return f"{path} has sha256 {sha256_of(path)[:12]}..., expected {str(sha256)[:12]}...; {again}"
    return None
