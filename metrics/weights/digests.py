"""Digests of files, computed once per file and kept: hashing a network of 5 GB takes longer than loading it."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

_WORTH_KEEPING = 1 << 26
"""Bytes from which on a digest is kept on the disk."""


def cache_dir() -> Path:
    """The suite's cache folder: `MOVA_EVAL_CACHE`, else the user's cache folder."""
    given = os.environ.get("MOVA_EVAL_CACHE")
    if given:
        return Path(given).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("mova-eval")


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Hex sha256 of a file; remembered per path, size and modification time. Raises OSError."""
    stat = os.stat(path)
    return _sha256(os.path.abspath(path), stat.st_size, stat.st_mtime_ns)


def sha256_of_text(text: str) -> str:
    """Hex sha256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=4096)
def _sha256(path: str, size: int, mtime: int) -> str:
    if size < _WORTH_KEEPING:
        return _computed(path)
    memory = cache_dir() / "digests" / f"{sha256_of_text(path)}.json"
    facts = {"path": path, "size": size, "mtime_ns": mtime}
    with suppress(OSError, ValueError):
        kept = json.loads(memory.read_text("utf-8"))
        if isinstance(kept, dict) and {**kept, **facts} == kept:
            return str(kept["sha256"])
    found = _computed(path)
    with suppress(OSError):  # a cache that cannot be written only costs time
        memory.parent.mkdir(parents=True, exist_ok=True)
        temporary = memory.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps({**facts, "sha256": found}), "utf-8")
        os.replace(temporary, memory)
    return found


def _computed(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
