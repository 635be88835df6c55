"""Where the files of a run lie, and how they are written: whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from metrics.errors import UserError

_LONGEST_NAME = 100
"""Characters of one part of a file name; three parts and a suffix stay below the usual limit of 255 bytes."""


@dataclass(frozen=True, slots=True)
class RunPaths:
    """The files of one run directory."""

    root: Path

    @property
    def manifest(self) -> Path:
        return self.root / "run.json"

    @property
    def items(self) -> Path:
        return self.root / "items.jsonl"

    @property
    def journal(self) -> Path:
        return self.root / "scores.jsonl"

    @property
    def timings(self) -> Path:
        return self.root / "timings.jsonl"

    @property
    def features(self) -> Path:
        return self.root / "features"

    @property
    def clips(self) -> Path:
        return self.root / "clips"

    @property
    def generation_manifest(self) -> Path:
        return self.root / "generation.json"

    @property
    def generation(self) -> Path:
        """Journal of the making of clips."""
        return self.root / "generation.jsonl"

    @property
    def scratch(self) -> Path:
        """What belongs to clips that are not done yet."""
        return self.root / "making"

    @property
    def rejected(self) -> Path:
        """Clips that were made and are not what was asked for."""
        return self.root / "rejected"

    def clip(self, set_: str, item: str, suffix: str) -> Path:
        """Where the clip of an item lies."""
        return self.clips / safe_name(set_) / f"{safe_name(item)}{suffix}"

    @property
    def summary(self) -> Path:
        return self.root / "summary.json"

    @property
    def weights_lock(self) -> Path:
        """Which weights the run used."""
        return self.root / "weights.lock"

    @property
    def lock(self) -> Path:
        return self.root / ".lock"

    @property
    def worker_log(self) -> Path:
        """What worker processes and the libraries in them print."""
        return self.root / "workers.log"

    def feature_name(self, set_: str, item: str, metric: str) -> str:
        """File name under `features/` of one measurement's arrays."""
        return f"{safe_name(set_)}__{safe_name(item)}__{safe_name(metric)}.npz"


def safe_name(text: str) -> str:
    """A text as one part of a file name: distinct texts give distinct names, plain ones stay as they are."""
    name = quote(text, safe=" ")
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME - 17]}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return name


def canonical_json(value: Any) -> str:
    """Strict JSON with sorted keys and no blanks: equal values give equal texts.

    Raises ValueError for NaN and infinities, TypeError for what JSON has no word for.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def write_atomically(path: Path, data: bytes, *, durable: bool = True, durable_name: bool = True) -> None:
    """Replace a file by new content: after a crash the old or the new content is there, never a mixture.

    durable: wait until the content is on the disk, and with durable_name until its name is, too.
    Raises OSError, with no temporary file left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    if durable and durable_name:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems have no fsync for folders
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write below a run directory into one sentence.

    Raises UserError for any OSError inside the block.
    """
    try:
        yield
    except OSError as error:
        what = error.filename or root
        raise UserError(
            f"cannot write {what}: {error.strerror or error}; free space or mend permissions and start the same "
            f"command again, everything measured so far is kept"
        ) from error
