"""Reading safetensors files straight into existing memory.

The safetensors library maps files, so that a tensor on the CPU either stays a view of the file or exists twice for a
while. Here every tensor is read once, into the place where it will stay or, for another device or type, through one
buffer of its own size.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from reference_model.errors import MissingCheckpoint, UnsupportedCheckpoint

_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
_HEADER_LIMIT = 100_000_000


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies. start: byte in the file."""

    file: Path
    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(path: Path) -> dict[str, Entry]:
    """The tensors of a file, by name. Reads the header alone, and checks that the file is as long as it says.

    Raises MissingCheckpoint for a missing or shortened file, UnsupportedCheckpoint for one that is none.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, _HEADER_LIMIT):
                raise _cut(path) if length <= _HEADER_LIMIT and size > 8 else _foreign(path)
            header: dict[str, Any] = json.loads(file.read(length))
    except FileNotFoundError:
        raise MissingCheckpoint(f"{path} is missing: complete the download of the checkpoint") from None
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise _foreign(path) from None
    found, end = {}, 0
    try:
        for name, facts in header.items():
            if name == "__metadata__":
                continue
            begin, stop = facts["data_offsets"]
            entry = Entry(path, name, _DTYPES[facts["dtype"]], tuple(facts["shape"]), 8 + length + begin)
            if stop - begin != entry.nbytes:
                raise ValueError(name)
            found[name], end = entry, max(end, 8 + length + stop)
    except (KeyError, TypeError, ValueError):
        raise _foreign(path) from None
    if size < end:
        raise _cut(path)
    return found


def _cut(path: Path) -> MissingCheckpoint:
    return MissingCheckpoint(f"{path} is cut short at {path.stat().st_size:,} bytes: download it again")


def _foreign(path: Path) -> UnsupportedCheckpoint:
    return UnsupportedCheckpoint(f"{path} is not a safetensors file: download it again")


class Reader:
    """Reads tensors of several files; keeps one file open at a time."""

    def __init__(self) -> None:
        self._file: BinaryIO | None = None
        self._path: Path | None = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def into(self, entry: Entry, target: Tensor) -> None:
        """Read a tensor into one of the same shape, any type and device."""
        direct = target.device.type == "cpu" and target.dtype == entry.dtype and target.is_contiguous()
        place = target if direct else torch.empty(entry.shape, dtype=entry.dtype)
        self._read(entry, place)
        if not direct:
            target.copy_(place)

    def tensor(self, entry: Entry) -> Tensor:
        """Read a tensor on the CPU, in its own type."""
        place = torch.empty(entry.shape, dtype=entry.dtype)
        self._read(entry, place)
        return place

    def _read(self, entry: Entry, place: Tensor) -> None:
        if entry.file != self._path:
            if self._file is not None:
                self._file.close()
            self._file, self._path = entry.file.open("rb", buffering=0), entry.file
        file = self._file
        assert file is not None
        file.seek(entry.start)
        octets: Any = place.reshape(-1).view(torch.uint8).numpy()
        view = memoryview(octets)
        for piece in _pieces(len(view)):
            if file.readinto(view[piece]) != piece.stop - piece.start:  # type: ignore[attr-defined]
                raise _cut(entry.file)


def _pieces(length: int, size: int = 1 << 28) -> Iterator[slice]:
    """One read of the system takes at most 2 GiB."""
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))
