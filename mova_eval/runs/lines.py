"""Append-only files of lines, each line on the disk before anybody is told of it.

A crash can at most leave a torn last line without its line end, which is cut off when the file is opened again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mova_eval.runs.paths import sync_folder


def whole_lines(path: Path) -> tuple[list[bytes], int]:
    """Lines without their ends, and how many bytes they take; a torn last line is left out and not counted.

    A file that is not there has no lines.
    """
    if not path.exists():
        return [], 0
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    return whole.split(b"\n")[:-1], len(whole)


class LineFile:
    """The one writer of such a file. size: bytes of whole lines that are there; what is beyond is cut off."""

    def __init__(self, path: Path, size: int) -> None:
        fresh = not path.exists()
        self._descriptor: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._size = size
        os.ftruncate(self._descriptor, size)
        if fresh:
            sync_folder(path.parent)

    def append(self, lines: bytes) -> None:
        """Write lines, ends included, and return when they are on the disk.

        Raises OSError when the disk refuses; the file then holds what it held before the call.
        """
        if self._descriptor is None:
            raise RuntimeError("the file is closed")
        data = memoryview(lines)
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._descriptor, data[written:], self._size + written)
            os.fsync(self._descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size += written

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
