"""A checkpoint on this machine, looked at without loading any of it: where it lies, whether it is whole, its digests.

Standard library only: a probe must not wait for torch to be imported.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metrics.weights import sha256_of
from mova_eval.generators.contract import Check

CHECKPOINTS_VARIABLE = "MOVA_CHECKPOINTS"
"""A folder that holds checkpoints under their own names: MOVA-360p, MOVA-720p."""
COMPONENTS = (
    "video_dit", "video_dit_2", "audio_dit", "dual_tower_bridge", "video_vae", "audio_vae", "text_encoder",
)  # fmt: skip
_FOLDERS = ("tokenizer", "scheduler")
_LONGEST_HEADER = 100 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REVISION = re.compile(r"[0-9a-f]{40}")


def find(repository: str | None, given: str | None) -> Path | None:
    """The folder of a checkpoint: the given one, else a repository's in MOVA_CHECKPOINTS or the model hub's cache.

    given: a folder or the name of a repository. None if it is not on this machine; nothing is downloaded.
    """
    if given is not None:
        folder = Path(given).expanduser()
        if folder.is_dir() or given.count("/") != 1 or folder.is_absolute() or given.startswith("."):
            return folder if folder.is_dir() else None
        repository = given
    if repository is None:
        return None
    root = os.environ.get(CHECKPOINTS_VARIABLE)
    local = Path(root).expanduser() / repository.rsplit("/", 1)[-1] if root else None
    return local if local is not None and local.is_dir() else _in_hub_cache(repository)


def _in_hub_cache(repository: str) -> Path | None:
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub") / f"models--{repository.replace('/', '--')}"
    try:
        snapshot = cache / "snapshots" / (cache / "refs" / "main").read_text().strip()
    except OSError:
        return None
    return snapshot if snapshot.is_dir() else None


def check(folder: Path) -> list[Check]:
    """Whether a folder holds a whole MOVA checkpoint: class, components, every shard as long as its header says."""
    problems = list(_problems(folder))
    if not problems:
        return [Check("checkpoint", "ok", str(folder))]
    remedy = "complete the download of the checkpoint"
    return [Check("checkpoint", state, text, remedy) for state, text in problems]


def _problems(folder: Path) -> Iterator[tuple[Any, str]]:
    index = _json(folder / "model_index.json")
    if index is None:
        yield "missing", f"{folder} has no readable model_index.json"
        return
    if index.get("_class_name") != "MOVA":
        yield "wrong", f"{folder} holds a model of class {index.get('_class_name')}, not MOVA"
        return
    for name in _FOLDERS:
        if not (folder / name).is_dir():
            yield "missing", f"{folder / name} is missing"
    for name in COMPONENTS:
        yield from _component(folder / name)


def _component(folder: Path) -> Iterator[tuple[Any, str]]:
    if not folder.is_dir():
        yield "missing", f"{folder} is missing"
        return
    files = weight_files(folder)
    if not files:
        yield "missing", f"{folder} holds no weights"
    for path in files:
        wrong = header_problem(path)
        if wrong is not None:
            yield ("wrong" if path.exists() else "missing"), f"{path} {wrong}"


def weight_files(folder: Path) -> list[Path]:
    """The files of a component: the shards that its index names, else its single file."""
    for index in sorted(folder.glob("*.safetensors.index.json")):
        places = (_json(index) or {}).get("weight_map")
        if isinstance(places, dict):
            return [folder / name for name in sorted({str(shard) for shard in places.values()})]
    return sorted(folder.glob("*.safetensors"))


def header_problem(path: Path) -> str | None:
    """None for a safetensors file as long as its header says, else what is wrong with it."""
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or not 0 < length <= min(size - 8, _LONGEST_HEADER):
                return "has no safetensors header; it is cut off or of another kind"
            header = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return "has a damaged header"
    expected = 8 + length + max(ends, default=0)
    return None if size == expected else f"has {size:,} bytes, its header promises {expected:,}"


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def digests(folder: Path) -> dict[str, str]:
    """File of the checkpoint -> sha256. A file of the model hub's cache carries its digest as its name."""
    return {f"{name}/{path.name}": _digest(path) for name in COMPONENTS for path in weight_files(folder / name)}


def _digest(path: Path) -> str:
    real = path.resolve()
    return real.name if real.parent.name == "blobs" and _SHA256.fullmatch(real.name) else sha256_of(path)


def revision(folder: Path) -> str:
    """The revision of a snapshot in the model hub's cache; empty for any other folder."""
    return folder.name if folder.parent.name == "snapshots" and _REVISION.fullmatch(folder.name) else ""
