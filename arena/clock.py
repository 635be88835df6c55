"""Time. Nothing else in the package asks the system for it, so that tests and the simulator decide what time it is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


class Clock(Protocol):
    """Milliseconds since 1970 (UTC), which may jump, and a monotonic count of milliseconds, which does not."""

    def now_ms(self) -> int: ...

    def monotonic_ms(self) -> int: ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass
class FakeClock:
    """A clock that stands still until told; `sleep` moves it."""

    at_ms: int = 1_800_000_000_000
    ticks_ms: int = 0

    def now_ms(self) -> int:
        return self.at_ms

    def monotonic_ms(self) -> int:
        return self.ticks_ms

    def sleep(self, seconds: float) -> None:
        self.advance(round(seconds * 1000))

    def advance(self, ms: int) -> None:
        """Both counts move on by `ms` >= 0."""
        self.at_ms += ms
        self.ticks_ms += ms

    def jump(self, ms: int) -> None:
        """The wall clock alone is set forward or back, as by an administrator."""
        self.at_ms += ms


def day_of(ms: int) -> int:
    """Days since 1970 (UTC)."""
    return ms // DAY_MS
