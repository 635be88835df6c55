"""Drawn people who speak: a head and shoulders each, whose mouth follows a given opening."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mova_eval.mini.canvas import Array, Canvas, Colour, mix, noise, smooth
from mova_eval.mini.scene import Scene, plaster, vignette

Mouth = Callable[[float], float]
"""Opening of the mouth, 0 shut to 1 wide open, at t seconds."""


@dataclass(frozen=True)
class Person:
    """Looks and place of one person; x, y: middle of the face, size: height of the head, in units."""

    x: float
    y: float
    size: float
    skin: Colour
    hair: Colour
    shirt: Colour
    long_hair: bool


_LOOKS: tuple[tuple[Colour, Colour, Colour, bool], ...] = (
    ((232, 190, 160), (82, 50, 30), (46, 92, 120), True),
    ((206, 156, 120), (34, 26, 24), (120, 60, 52), False),
    ((160, 110, 78), (24, 18, 18), (196, 160, 70), True),
    ((240, 204, 178), (150, 104, 52), (70, 100, 70), False),
    ((222, 176, 140), (26, 22, 26), (96, 72, 116), True),
    ((190, 136, 100), (44, 32, 26), (52, 60, 74), False),
)


def people(count: int, first_look: int, *, far: bool = False) -> tuple[Person, ...]:
    """`count` (1 to 3) people side by side; looks are taken in turn from a fixed list, starting at `first_look`."""
    size = 0.3 if far else (0.62, 0.46, 0.4)[count - 1]
    xs = ((0.0,), (-0.4, 0.4), (-0.56, 0.0, 0.56))[count - 1]
    y = 0.02 if far else -0.02
    return tuple(Person(x, y, size, *_LOOKS[(first_look + k) % len(_LOOKS)]) for k, x in enumerate(xs))


class Talk(Scene):
    """People in a room who look at the camera and speak.

    mouths: one opening function per person; None keeps all mouths shut. wall: upper and lower colour of the wall.
    rain: a window with rain behind.
    """

    jolt = 0.0

    def __init__(
        self,
        width: int,
        height: int,
        persons: tuple[Person, ...],
        mouths: tuple[Mouth, ...] | None = None,
        *,
        wall: tuple[Colour, Colour] = ((186, 196, 196), (132, 142, 146)),
        window: bool = False,
        seed: int = 11,
    ) -> None:
        self.persons, self.wall, self.window, self.seed = persons, wall, window, seed
        self.mouths = mouths or tuple(lambda _: 0.0 for _ in persons)
        super().__init__(width, height)

    def paint_back(self, canvas: Canvas) -> None:
        canvas.fill(lambda x, y: plaster(x, y, *self.wall, self.seed))
        side = -1 if self.seed % 2 else 1
        x = side * min(0.62, canvas.right)
        if self.window:
            self._window(canvas, x)
        elif len(self.persons) == 1:
            canvas.rect(x - 0.16, -0.4, x + 0.16, -0.12, (88, 66, 48), soft=0.03)

            def picture(px: Array, py: Array) -> Array:
                return mix((196, 170, 120), (96, 130, 140), noise(px, py, 0.1, self.seed + 3, octaves=2))

            canvas.rect(x - 0.14, -0.38, x + 0.14, -0.14, picture, soft=0.03)
            canvas.ellipse(-x, -0.14, 0.26, 0.3, (255, 236, 196), alpha=0.4, soft=0.3)
        for person in self.persons:
            self._body(canvas, person)
        vignette(canvas, 0.3)

    def _window(self, canvas: Canvas, x: float) -> None:
        canvas.rect(x - 0.27, -0.46, x + 0.27, 0.2, (226, 224, 216), soft=0.02)

        def pane(px: Array, py: Array) -> Array:
            return mix((98, 118, 126), (160, 176, 182), noise(px * 2, py * 0.5, 0.05, self.seed + 4, octaves=3))

        canvas.rect(x - 0.245, -0.435, x + 0.245, 0.17, pane, soft=0.01)
        dice = np.random.default_rng(self.seed + 6)
        for px, py in dice.uniform((x - 0.23, -0.42), (x + 0.23, 0.16), (70, 2)).tolist():
            canvas.ellipse(px, py, 0.005, 0.008, (206, 216, 220), alpha=0.8)
        canvas.rect(x - 0.01, -0.44, x + 0.01, 0.18, (226, 224, 216))

    @staticmethod
    def _body(canvas: Canvas, p: Person) -> None:
        s = p.size
        if p.long_hair:
            canvas.ellipse(p.x, p.y + 0.1 * s, 0.47 * s, 0.62 * s, _hair(p))
        canvas.ellipse(p.x + 0.06 * s, p.y + 1.3 * s, 1.0 * s, 0.72 * s, (20, 20, 24), alpha=0.25, soft=0.2 * s)

        def cloth(x: Array, y: Array) -> Array:
            return mix(p.shirt, (10, 10, 14), 0.1 + 0.5 * np.abs((x - p.x) / s) ** 2 + 0.12 * noise(x, y, 0.03, 7))

        canvas.ellipse(p.x, p.y + 1.3 * s, 0.92 * s, 0.68 * s, cloth)

        def neck(x: Array, y: Array) -> Array:
            return mix(p.skin, (60, 30, 24), 0.55 - 0.9 * (y - p.y - 0.45 * s) / s + 0.6 * np.abs(x - p.x) / s)

        canvas.line(p.x, p.y + 0.35 * s, p.x, p.y + 0.62 * s, 0.17 * s, neck)
        canvas.ellipse(p.x, p.y + 0.67 * s, 0.24 * s, 0.1 * s, neck)

    def paint_front(self, canvas: Canvas, t: float) -> None:
        for k, (person, mouth) in enumerate(zip(self.persons, self.mouths, strict=True)):
            opening = float(np.clip(mouth(t), 0, 1))
            dx = 0.008 * math.sin(1.1 * t + 2 * k) * person.size
            dy = 0.01 * math.sin(1.7 * t + k) * person.size
            self._head(canvas, person, person.x + dx, person.y + dy, opening, _blink(t + 1.3 * k))

    @staticmethod
    def _head(canvas: Canvas, p: Person, cx: float, cy: float, opening: float, lid: float) -> None:
        s = p.size

        def skin(x: Array, y: Array) -> Array:
            u, v = (x - cx) / s, (y - cy) / s
            shade = 0.08 + 0.55 * smooth(0.1, 0.62, np.hypot(u + 0.07, (v + 0.05) * 0.72))
            cheek = np.exp(-((np.abs(u) - 0.2) ** 2 + (v - 0.14) ** 2) / 0.008)
            colour = mix(p.skin, (84, 44, 34), shade)
            warm: Array = colour + cheek[..., None] * np.asarray((14, -6, -6), np.float32)
            return warm

        for side in (-1, 1):
            canvas.ellipse(cx + side * 0.385 * s, cy + 0.03 * s, 0.06 * s, 0.11 * s, skin)
        canvas.ellipse(cx, cy + 0.02 * opening * s, 0.38 * s, (0.5 + 0.02 * opening) * s, skin)
        _eyes(canvas, p, cx, cy, lid)
        canvas.line(
            cx + 0.012 * s,
            cy - 0.02 * s,
            cx + 0.035 * s,
            cy + 0.11 * s,
            0.012 * s,
            _darker(p.skin, 0.68),
            alpha=0.55,
            soft=0.04 * s,
        )
        canvas.ellipse(cx, cy + 0.125 * s, 0.062 * s, 0.036 * s, _darker(p.skin, 0.9), alpha=0.8, soft=0.03 * s)
        for side in (-1, 1):
            canvas.ellipse(
                cx + side * 0.032 * s, cy + 0.142 * s, 0.015 * s, 0.009 * s, _darker(p.skin, 0.42), soft=0.01 * s
            )
        _mouth(canvas, p, cx, cy + 0.265 * s, opening)
        _fringe(canvas, p, cx, cy)


def _eyes(canvas: Canvas, p: Person, cx: float, cy: float, lid: float) -> None:
    s = p.size
    for side in (-1, 1):
        x, y = cx + side * 0.155 * s, cy - 0.06 * s
        canvas.ellipse(x, y, 0.085 * s, 0.05 * s, _darker(p.skin, 0.72), alpha=0.5, soft=0.05 * s)
        tall = 0.03 * s * (1 - 0.92 * lid)
        canvas.ellipse(x, y, 0.062 * s, tall, (244, 242, 238))
        if lid < 0.5:
            canvas.ellipse(x, y, 0.028 * s, min(0.028 * s, tall), (74, 52, 36))
            canvas.ellipse(x, y, 0.014 * s, 0.014 * s, (10, 8, 8))
            canvas.ellipse(x - 0.009 * s, y - 0.01 * s, 0.006 * s, 0.006 * s, (255, 255, 255))
        canvas.line(
            x - 0.058 * s, y - tall * 0.75, x + 0.058 * s, y - tall * 0.75, 0.006 * s, (38, 26, 22), soft=0.012 * s
        )
        canvas.line(
            x - 0.075 * s,
            y - 0.078 * s - side * 0.002 * s,
            x + 0.075 * s,
            y - 0.078 * s + side * 0.002 * s,
            0.012 * s,
            _darker(p.hair, 0.8),
            alpha=0.9,
            soft=0.012 * s,
        )


def _mouth(canvas: Canvas, p: Person, x: float, y: float, opening: float) -> None:
    s = p.size
    wide, tall = (0.13 - 0.03 * opening) * s, (0.012 + 0.085 * opening) * s
    lip: Colour = (150, 66, 62) if p.long_hair else (146, 84, 74)
    drop = y + 0.5 * tall
    canvas.ellipse(x, drop, wide + 0.014 * s, tall + 0.026 * s, lip, soft=0.012 * s)
    canvas.ellipse(x, drop, wide, tall, (44, 12, 14))
    for side in (-1, 1):
        canvas.line(
            x + side * wide * 0.7,
            drop,
            x + side * (wide + 0.016 * s),
            drop - 0.016 * s,
            0.005 * s,
            _darker(lip, 0.7),
            soft=0.01 * s,
        )
    if opening > 0.15:
        canvas.ellipse(x, drop - tall * 0.62, wide * 0.72, tall * 0.24, (236, 232, 224))
        canvas.ellipse(x, drop + tall * 0.58, wide * 0.55, tall * 0.3, (176, 78, 80), soft=0.01 * s)


def _fringe(canvas: Canvas, p: Person, cx: float, cy: float) -> None:
    s = p.size

    def cap(x: Array, y: Array) -> Array:
        u, v = (x - cx) / (0.42 * s), (y - cy + 0.05 * s) / (0.52 * s)
        ball = (np.hypot(u, v) - 1) * 0.45 * s
        part = (x - cx) / s
        line = 0.28 - 0.5 * np.abs(part + 0.08) if p.long_hair else 0.35 - 1.3 * part**2
        both: Array = np.maximum(ball, y - cy + line * s)
        return both

    canvas.shape(cap, (cx - 0.43 * s, cy - 0.6 * s, cx + 0.43 * s, cy + 0.3 * s), _hair(p), soft=0.012 * s)


def _hair(p: Person) -> Callable[[Array, Array], Array]:
    def paint(x: Array, y: Array) -> Array:
        strand = noise(x * 1.0, y * 0.12, 0.012, 5, octaves=2)
        gloss = np.exp(-(((y - p.y) / p.size + 0.4) ** 2) / 0.01) * 0.35
        return mix(_darker(p.hair, 0.6), _darker(p.hair, 1.35), 0.25 + 0.5 * strand + gloss)

    return paint


def _darker(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255.0, part * factor) for part in colour)
    return red, green, blue


def _blink(t: float) -> float:
    """Lid 0 open .. 1 shut: a blink of 0.16 s every 2.7 s."""
    part = (t % 2.7) - 2.3
    return math.exp(-((part / 0.06) ** 2))
