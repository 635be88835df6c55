"""Stopping in good order: the first Ctrl-C (or SIGTERM) finishes what is being written, the second one does not."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """A flag that signals set, as a context manager; its file descriptor becomes readable when it is set."""

    def __init__(self) -> None:
        self._set = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._previous: dict[signal.Signals, Callable[[int, FrameType | None], Any] | int | None] = {}

    def is_set(self) -> bool:
        return self._set

    def fileno(self) -> int:
        """Readable as soon as the flag is set, so that a waiting program wakes up."""
        return self._reader

    def set(self) -> None:
        """Ask for a stop."""
        self._set = True
        with suppress(OSError):
            os.write(self._writer, b"x")

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._set:
            raise KeyboardInterrupt
        self.set()

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python allows no handlers
            for number in _SIGNALS:
                self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()
        os.close(self._reader)
        os.close(self._writer)
