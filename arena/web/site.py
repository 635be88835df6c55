"""The installation that the pages of this process serve, and what differs between a browser and a test."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arena.config import ArenaConfig
from arena.context import Arena, open_arena
from arena.web import player
from arena.web.cookies import admin_cookie_of_context, cookie_of_context

_CONFIG_VARIABLE = "ARENA_CONFIG"
_FETCHES_KEPT = 5000


@dataclass
class Fetched:
    """What was fetched of one side of one battle; times in ms since 1970."""

    first_ms: int
    last_ms: int
    bytes: int = 0
    requests: int = 0


class FetchLog:
    """Fetches of the newest clips, in memory: evidence that a browser loaded what it says it watched."""

    def __init__(self, kept: int = _FETCHES_KEPT) -> None:
        self._kept = kept
        self._rows: OrderedDict[str, Fetched] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, token: str, now_ms: int, count: int) -> None:
        """A request for a clip was answered with `count` bytes."""
        with self._lock:
            row = self._rows.setdefault(token, Fetched(now_ms, now_ms))
            self._rows.move_to_end(token)
            row.last_ms, row.bytes, row.requests = now_ms, row.bytes + count, row.requests + 1
            while len(self._rows) > self._kept:
                self._rows.popitem(last=False)

    def of(self, token: str) -> dict[str, int] | None:
        """What is known about a media token, as plain numbers."""
        with self._lock:
            row = self._rows.get(token)
            return None if row is None else dict(vars(row))


@dataclass
class Site:
    """cookie, admin_cookie: read this visitor's cookies. player: draws the clips and says what was watched. They are
    replaced in tests, which have neither a browser nor cookies."""

    arena: Arena
    cookie: Callable[[], str | None] = cookie_of_context
    admin_cookie: Callable[[], str | None] = admin_cookie_of_context
    player: Callable[[Mapping[str, Any]], player.Watch | None] = player.show
    fetches: FetchLog = field(default_factory=FetchLog)


_lock = threading.Lock()
_site: Site | None = None


def install(site: Site | None) -> None:
    """Make this the site of the process (None: none)."""
    global _site  # noqa: PLW0603 (one process serves one installation)
    _site = site


def current() -> Site:
    """The site of this process; opened from ARENA_CONFIG and ARENA_* variables if none was installed."""
    with _lock:
        if _site is None:
            install(Site(open_arena(config_from_environment(), background=True)))
        assert _site is not None
        return _site


def config_from_environment() -> ArenaConfig:
    """Configuration of the service: the file that ARENA_CONFIG names, and ARENA_* variables."""
    file = os.environ.get(_CONFIG_VARIABLE)
    return ArenaConfig.load(Path(file) if file else None)
