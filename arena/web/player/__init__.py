"""The player: both clips of a battle in one component, and what it says about how they were watched."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Literal

KEY = "player"
_MAX_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class PlaybackError:
    """side: which clip failed. cause: "media" after two failures, "skip" when the voter gave up on it."""

    side: Literal["left", "right"]
    cause: Literal["media", "skip"]
    code: int


@dataclass(frozen=True, slots=True)
class Watch:
    """What a browser says about a battle; every value is forced into its range, for a browser can say anything.

    watched_left, watched_right: fraction in [0, 1] that ran at normal speed, seen and heard. Times in ms.
    """

    battle: str
    watched_left: float = 0.0
    watched_right: float = 0.0
    plays_left: int = 0
    plays_right: int = 0
    first_played: Literal["left", "right"] | None = None
    hidden_ms: int = 0
    stalled_ms: int = 0
    muted: bool = False
    min_volume: float = 1.0
    viewport_w: int = 0
    viewport_h: int = 0
    fullscreen: bool = False
    input: Literal["mouse", "keyboard", "touch", "unknown"] = "unknown"
    error: PlaybackError | None = None

    def complete(self, minimum: float) -> bool:
        """Whether both clips were watched to the asked fraction."""
        return min(self.watched_left, self.watched_right) >= minimum


def read_watch(state: Any) -> Watch | None:
    """The component's state as a `Watch`; None for anything that does not even name a battle."""
    if not isinstance(state, Mapping) or not isinstance(state.get("battle"), str):
        return None
    viewport = state.get("viewport")
    width, height = viewport if isinstance(viewport, list) and len(viewport) == 2 else (0, 0)
    watch = Watch(
        battle=state["battle"][:64],
        watched_left=_number(state.get("watched_left"), 0, 1),
        watched_right=_number(state.get("watched_right"), 0, 1),
        plays_left=int(_number(state.get("plays_left"), 0, 1000)),
        plays_right=int(_number(state.get("plays_right"), 0, 1000)),
        hidden_ms=int(_number(state.get("hidden_ms"), 0, _MAX_MS)),
        stalled_ms=int(_number(state.get("stalled_ms"), 0, _MAX_MS)),
        muted=state.get("muted") is True,
        min_volume=_number(state.get("min_volume"), 0, 1),
        viewport_w=int(_number(width, 0, 32767)),
        viewport_h=int(_number(height, 0, 32767)),
        fullscreen=state.get("fullscreen") is True,
        error=_error(state.get("error")),
    )
    first, given = state.get("first_played"), state.get("input")
    if first in ("left", "right"):
        watch = replace(watch, first_played=first)
    if given in ("mouse", "keyboard", "touch"):
        watch = replace(watch, input=given)
    return watch


def _number(value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return low
    return float(min(max(value, low), high))


def _error(value: Any) -> PlaybackError | None:
    if not isinstance(value, Mapping) or value.get("side") not in ("left", "right"):
        return None
    cause: Literal["media", "skip"] = "skip" if value.get("cause") == "skip" else "media"
    return PlaybackError(value["side"], cause, int(_number(value.get("code"), 0, 99)))


def show(data: Mapping[str, Any]) -> Watch | None:
    """Draw the player for a battle (`data` as `player.js` reads it) and return what was watched so far."""
    result = _component()(key=KEY, data=dict(data), on_watch_change=_nothing)
    return read_watch(result.get("watch"))


@cache
def _component() -> Any:
    import streamlit as st

    html, css, js = (read_asset(name) for name in ("player.html", "player.css", "player.js"))
    return st.components.v2.component("mova_eval_arena_player", html=html, css=css, js=js)


def read_asset(name: str) -> str:
    """Text of a packaged file of the player."""
    return files(__package__).joinpath(name).read_text("utf-8")


def _nothing() -> None:
    """State values exist only for names that have a callback."""
