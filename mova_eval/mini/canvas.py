"""Drawing on float pixels with signed distances: anti-aliased, sub-pixel exact, the same picture at every size.

Coordinates: origin in the middle, x to the right, y down, one unit = the shorter side of the picture. A shape is a
function of (x, y) that is negative inside and grows by one per unit of distance outside.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Sdf = Callable[[Array, Array], Array]
Colour = tuple[float, float, float]
Paint = Colour | Callable[[Array, Array], Array]
"""RGB in 0..255, or a function of (x, y) that gives [..., 3]."""
Box = tuple[float, float, float, float]


class Canvas:
    """RGB picture under construction: float32 [height, width, 3], values 0..255."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.unit = float(min(width, height))
        self.right, self.bottom = width / 2 / self.unit, height / 2 / self.unit
        self.pixels: Array = np.zeros((height, width, 3), np.float32)
        xs = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / self.unit
        ys = (np.arange(height, dtype=np.float32) + 0.5 - height / 2) / self.unit
        self.x: Array = np.broadcast_to(xs[None, :], (height, width))
        self.y: Array = np.broadcast_to(ys[:, None], (height, width))

    def copy(self) -> Canvas:
        """The same picture, with pixels of its own."""
        twin = Canvas.__new__(Canvas)
        twin.__dict__.update(self.__dict__)
        twin.pixels = self.pixels.copy()
        return twin

    def fill(self, paint: Callable[[Array, Array], Array]) -> None:
        """Paint every pixel; paint(x, y) gives [height, width, 3]."""
        self.pixels[:] = paint(self.x, self.y)

    def scale(self, factor: Array | float) -> None:
        """Multiply the brightness by a number or a map [height, width]."""
        self.pixels *= factor[:, :, None] if isinstance(factor, np.ndarray) else np.float32(factor)

    def shape(self, sdf: Sdf, box: Box, paint: Paint, *, alpha: float = 1.0, soft: float = 0.0) -> None:
        """Paint a shape.

        box: (left, top, right, bottom) that holds the shape without its soft edge. alpha: opacity 0..1. soft: width of
        the edge in units; 0 gives an edge of one pixel.
        """
        edge = max(soft, 1.0 / self.unit)
        rows = self._span(box[1] - edge, box[3] + edge, self.height)
        cols = self._span(box[0] - edge, box[2] + edge, self.width)
        if rows.start >= rows.stop or cols.start >= cols.stop:
            return
        x, y = self.x[rows, cols], self.y[rows, cols]
        cover = np.clip(0.5 - sdf(x, y) / np.float32(edge), 0, 1)
        if soft:
            cover = cover * cover * (3 - 2 * cover)
        cover = (cover * np.float32(alpha))[:, :, None]
        colour = paint(x, y) if callable(paint) else np.asarray(paint, np.float32)
        target = self.pixels[rows, cols]
        target += (colour - target) * cover

    def _span(self, low: float, high: float, size: int) -> slice:
        first = int(np.floor(low * self.unit + size / 2))
        last = int(np.ceil(high * self.unit + size / 2))
        return slice(max(first, 0), min(last, size))

    # Shapes with their boxes, for the common cases.

    def ellipse(self, cx: float, cy: float, rx: float, ry: float, paint: Paint, **how: Any) -> None:
        """Axis-aligned ellipse."""
        self.shape(ellipse(cx, cy, rx, ry), (cx - rx, cy - ry, cx + rx, cy + ry), paint, **how)

    def line(self, x0: float, y0: float, x1: float, y1: float, radius: float, paint: Paint, **how: Any) -> None:
        """Line with round ends; radius is half its thickness."""
        box = (min(x0, x1) - radius, min(y0, y1) - radius, max(x0, x1) + radius, max(y0, y1) + radius)
        self.shape(capsule(x0, y0, x1, y1, radius), box, paint, **how)

    def rect(self, left: float, top: float, right: float, bottom: float, paint: Paint, **how: Any) -> None:
        """Rectangle; `radius` rounds its corners, `turn` rotates it about its middle (radians)."""
        radius, turn = how.pop("radius", 0.0), how.pop("turn", 0.0)
        cx, cy, hx, hy = (left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2
        reach = float(np.hypot(hx, hy)) if turn else 0.0
        box = (cx - reach, cy - reach, cx + reach, cy + reach) if turn else (left, top, right, bottom)
        self.shape(rectangle(cx, cy, hx, hy, radius, turn), box, paint, **how)

    def polygon(self, points: list[tuple[float, float]], paint: Paint, **how: Any) -> None:
        """Simple polygon."""
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        self.shape(polygon(points), (min(xs), min(ys), max(xs), max(ys)), paint, **how)

    def picture(self, *, dx: float = 0.0, dy: float = 0.0) -> NDArray[np.uint8]:
        """The finished picture, uint8 [height, width, 3]; dx, dy shift it by (a part of) units, edges repeated."""
        pixels = self.pixels
        for axis, move in ((0, dy * self.unit), (1, dx * self.unit)):
            if abs(move) > 1e-3:
                pixels = _shifted(pixels, move, axis)
        rounded = np.rint(np.clip(pixels, 0, 255))
        return rounded.astype(np.uint8)


def _shifted(pixels: Array, move: float, axis: int) -> Array:
    size = pixels.shape[axis]
    where = np.clip(np.arange(size) - move, 0, size - 1)
    low = np.floor(where).astype(np.intp)
    high = np.minimum(low + 1, size - 1)
    part = (where - low).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    first, second = np.take(pixels, low, axis=axis), np.take(pixels, high, axis=axis)
    mixed: Array = first + (second - first) * part
    return mixed


def ellipse(cx: float, cy: float, rx: float, ry: float) -> Sdf:
    """Distance to an ellipse, exact at its edge and for circles."""

    def sdf(x: Array, y: Array) -> Array:
        u, v = (x - np.float32(cx)) / np.float32(rx), (y - np.float32(cy)) / np.float32(ry)
        reach = np.hypot(u, v)
        slope = np.hypot(u / np.float32(rx), v / np.float32(ry)) / np.maximum(reach, 1e-6)
        distance: Array = (reach - 1) / np.maximum(slope, 1e-6)
        return distance

    return sdf


def capsule(x0: float, y0: float, x1: float, y1: float, radius: float) -> Sdf:
    """Distance to a line of thickness 2 * radius with round ends."""
    dx, dy = x1 - x0, y1 - y0
    length = max(dx * dx + dy * dy, 1e-12)

    def sdf(x: Array, y: Array) -> Array:
        px, py = x - np.float32(x0), y - np.float32(y0)
        along = np.clip((px * np.float32(dx) + py * np.float32(dy)) / np.float32(length), 0, 1)
        return np.hypot(px - along * np.float32(dx), py - along * np.float32(dy)) - np.float32(radius)

    return sdf


def rectangle(cx: float, cy: float, hx: float, hy: float, radius: float = 0.0, turn: float = 0.0) -> Sdf:
    """Distance to a rectangle with half sides hx, hy, rounded corners and a rotation in radians."""
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))

    def sdf(x: Array, y: Array) -> Array:
        px, py = x - np.float32(cx), y - np.float32(cy)
        u = np.abs(px * cos + py * sin) - np.float32(hx - radius)
        v = np.abs(py * cos - px * sin) - np.float32(hy - radius)
        outside = np.hypot(np.maximum(u, 0), np.maximum(v, 0))
        return outside + np.minimum(np.maximum(u, v), 0) - np.float32(radius)

    return sdf


def polygon(points: list[tuple[float, float]]) -> Sdf:
    """Distance to a simple polygon: nearest edge, with the sign of the even-odd rule."""

    def sdf(x: Array, y: Array) -> Array:
        near = np.full(x.shape, 1e9, np.float32)
        inside = np.zeros(x.shape, bool)
        for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
            near = np.minimum(near, capsule(x0, y0, x1, y1, 0.0)(x, y))
            crosses = (np.float32(y0) > y) != (np.float32(y1) > y)
            if y1 != y0:
                inside ^= crosses & (x < np.float32(x0) + (y - np.float32(y0)) * np.float32((x1 - x0) / (y1 - y0)))
        return np.where(inside, -near, near)

    return sdf


def mix(first: Colour, second: Colour, amount: Array) -> Array:
    """Colours between two, for a map of amounts 0..1: [..., 3]."""
    amount = np.clip(amount, 0, 1)[..., None]
    return np.asarray(first, np.float32) + (np.asarray(second, np.float32) - np.asarray(first, np.float32)) * amount


def smooth(low: float, high: float, value: Array) -> Array:
    """0 below `low`, 1 above `high`, a cubic between."""
    part = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    eased: Array = part * part * (3 - 2 * part)
    return eased


def noise(x: Array, y: Array, scale: float, seed: int, *, octaves: int = 1) -> Array:
    """Value noise in 0..1 on a lattice of `scale` units; octaves add detail at half the scale and half the weight."""
    total: Array = np.zeros(x.shape, np.float32)
    weight, norm = 1.0, 0.0
    for octave in range(octaves):
        total += np.float32(weight) * _lattice(x / np.float32(scale), y / np.float32(scale), seed + octave)
        norm += weight
        weight, scale = weight / 2, scale / 2
    return total / np.float32(norm)


def _lattice(u: Array, v: Array, seed: int) -> Array:
    table = _table(seed)
    i, j = np.floor(u), np.floor(v)
    fu, fv = u - i, v - j
    fu, fv = fu * fu * (3 - 2 * fu), fv * fv * (3 - 2 * fv)
    left, above = i.astype(np.int32) & 63, (j.astype(np.int32) & 63) << 6
    right, below = (left + 1) & 63, (above + 64) & 4095
    top, low = table[above + left], table[below + left]
    top = top + (table[above + right] - top) * fu
    low = low + (table[below + right] - low) * fu
    mixed: Array = top + (low - top) * fv
    return mixed


@lru_cache(maxsize=256)
def _table(seed: int) -> Array:
    return np.random.default_rng(seed).random(64 * 64, np.float32)
