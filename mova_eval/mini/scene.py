"""What all drawn scenes share: a still background painted once, moving parts per frame, and the jolt of an impact."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from mova_eval.mini.canvas import Array, Canvas, Colour, mix, noise

FPS = 25
_JOLT_DECAY_S = 0.045


class Scene(ABC):
    """A drawn scene, 5 s or longer, at any picture size.

    events: seconds at which something visibly hits something; the whole picture jolts there by `jolt` units, at its
    strongest in the first frame at or after the event, so that the optical flow has one sharp maximum per event.
    """

    events: tuple[float, ...] = ()
    jolt: float = 0.011

    def __init__(self, width: int, height: int) -> None:
        self.back = Canvas(width, height)
        self.paint_back(self.back)

    @abstractmethod
    def paint_back(self, canvas: Canvas) -> None:
        """Paint what never moves."""

    def paint_front(self, canvas: Canvas, t: float) -> None:
        """Paint what moves, as it is at t seconds; nothing unless a scene says so."""
        del canvas, t

    def since_event(self, t: float) -> float:
        """Seconds from the frame that shows the latest event to t; infinite before the first event."""
        shown = [math.ceil(event * FPS - 1e-6) / FPS for event in self.events]
        past = [t - at for at in shown if at <= t + 1e-6]
        return max(min(past), 0.0) if past else math.inf

    def frame(self, t: float) -> NDArray[np.uint8]:
        """Picture at t seconds, uint8 RGB [height, width, 3]."""
        canvas = self.back.copy()
        self.paint_front(canvas, t)
        return canvas.picture(dy=self.jolt * math.exp(-self.since_event(t) / _JOLT_DECAY_S))


def wood(x: Array, y: Array, light: Colour, dark: Colour, seed: int, *, plank: float = 0.0) -> Array:
    """Colours of wood with its grain along x; `plank` is the width of boards, 0 for one piece."""
    row = np.floor(y / np.float32(plank)) if plank else np.zeros_like(y)
    grain = noise(x * 0.25 + row * 7.3, y + row * 3.1, 0.02, seed, octaves=2)
    broad = noise(x * 0.3 + row * 1.7, y, 0.14, seed + 9, octaves=2)
    colour = mix(dark, light, 0.25 + 0.4 * grain + 0.4 * broad - 0.1)
    if plank:
        tone = noise(row * 3.7, row * 0 + 0.5, 1.0, seed + 5)
        seam = np.abs(y / np.float32(plank) - np.round(y / np.float32(plank))) * np.float32(plank)
        colour = colour * ((0.88 + 0.24 * tone) * (0.6 + 0.4 * np.clip(seam / 0.004, 0, 1)))[..., None]
    return colour


def plaster(x: Array, y: Array, top: Colour, bottom: Colour, seed: int) -> Array:
    """Colours of a painted wall, lighter towards the upper left."""
    low, high = float(y.min()), float(y.max())
    shade = (y - np.float32(low)) / np.float32(high - low)
    grain = noise(x, y, 0.05, seed, octaves=3) - 0.5
    glow = np.exp(-((x + 0.5) ** 2 + (y + 0.4) ** 2) / 0.5)
    colour: Array = mix(top, bottom, shade) * (0.94 + 0.07 * grain + 0.12 * glow)[..., None]
    return colour


def vignette(canvas: Canvas, strength: float = 0.35) -> None:
    """Darken the corners."""
    reach = (canvas.x / canvas.right) ** 2 + (canvas.y / canvas.bottom) ** 2
    canvas.scale((1 - strength * np.clip(reach / 2, 0, 1) ** 1.5).astype(np.float32))


def shadow(canvas: Canvas, cx: float, cy: float, rx: float, ry: float, *, alpha: float, soft: float) -> None:
    """Soft elliptic shadow on the ground."""
    canvas.ellipse(cx, cy, rx, ry, (12, 10, 12), alpha=alpha, soft=soft)
