"""Scenes of music: piano, metronome, hand drum."""

from __future__ import annotations

import math

import numpy as np

from mova_eval.mini.canvas import Array, Canvas, mix, noise, smooth
from mova_eval.mini.scene import FPS, Scene, shadow, vignette, wood
from mova_eval.mini.scenes_events import table_room


class Piano(Scene):
    """Piano keys from above; a key goes down at each note."""

    jolt = 0.006
    n_white = 15

    def __init__(self, width: int, height: int, events: tuple[float, ...], keys: tuple[int, ...]) -> None:
        self.events, self.keys = events, keys
        super().__init__(width, height)

    def paint_back(self, canvas: Canvas) -> None:
        canvas.fill(lambda x, y: wood(x, y, (58, 34, 24), (26, 14, 10), 171))
        canvas.rect(-1, -0.2, 1, 0.5, (20, 16, 14))
        for key in range(self.n_white):
            self._white(canvas, key, 0.0)
        self._blacks(canvas)
        canvas.rect(-1, -0.235, 1, -0.2, lambda x, y: mix((128, 18, 26), (64, 8, 14), (y + 0.235) / 0.035))
        vignette(canvas)

    def _white(self, canvas: Canvas, key: int, down: float) -> None:
        wide = 1.84 / self.n_white
        left = -0.92 + key * wide
        bottom = 0.4 + 0.012 * down

        def paint(x: Array, y: Array) -> Array:
            light = 1 - 0.12 * (x - left) / wide - 0.1 * smooth(0.3, 0.4, y) - 0.22 * down
            grain = noise(x, y * 0.2, 0.02, 172 + key) - 0.5
            return mix((0, 0, 0), (246, 240, 226), light + 0.02 * grain)

        canvas.rect(left + 0.003, -0.2, left + wide - 0.003, bottom, paint, radius=0.008)
        canvas.rect(left + 0.003, bottom - 0.018, left + wide - 0.003, bottom, (196, 186, 168), radius=0.008, alpha=0.6)

    def _blacks(self, canvas: Canvas) -> None:
        wide = 1.84 / self.n_white
        for key in range(self.n_white - 1):
            if key % 7 in (2, 6):
                continue
            middle = -0.92 + (key + 1) * wide
            canvas.rect(middle - 0.03, -0.2, middle + 0.046, 0.17, (10, 10, 10), alpha=0.35, soft=0.025)
            canvas.rect(middle - 0.034, -0.2, middle + 0.034, 0.15, (16, 15, 16), radius=0.008)
            canvas.rect(middle - 0.026, -0.2, middle + 0.022, 0.125, (58, 56, 58), radius=0.01, alpha=0.75, soft=0.02)

    def paint_front(self, canvas: Canvas, t: float) -> None:
        for event, key in zip(self.events, self.keys, strict=True):
            after = t - math.ceil(event * FPS - 1e-6) / FPS
            if -1e-6 <= after < 0.8:
                self._white(canvas, key, 1.0 - after / 0.8)
        self._blacks(canvas)


class Metronome(Scene):
    """A wooden metronome; it ticks each time its bar passes the middle."""

    jolt = 0.008
    period = 1.0

    def __init__(self, width: int, height: int, events: tuple[float, ...]) -> None:
        self.events = events
        super().__init__(width, height)

    def paint_back(self, canvas: Canvas) -> None:
        table_room(canvas, 0.2, 181)
        shadow(canvas, 0.04, 0.4, 0.34, 0.03, alpha=0.6, soft=0.06)
        body = [(-0.1, -0.36), (0.1, -0.36), (0.24, 0.38), (-0.24, 0.38)]
        canvas.polygon(body, lambda x, y: wood(y, x, (168, 92, 48), (86, 40, 22), 182))
        canvas.polygon([(-0.06, -0.3), (0.06, -0.3), (0.13, 0.16), (-0.13, 0.16)], (34, 20, 14), soft=0.01)
        for mark in range(9):
            y = -0.26 + mark * 0.045
            canvas.rect(-0.02, y, 0.02, y + 0.004, (210, 180, 110), alpha=0.8)
        canvas.rect(
            -0.17, 0.22, 0.17, 0.31, lambda x, y: mix((214, 184, 110), (140, 104, 48), (y - 0.22) / 0.09), radius=0.01
        )
        vignette(canvas)

    def paint_front(self, canvas: Canvas, t: float) -> None:
        angle = 0.42 * math.sin(2 * math.pi * t / self.period)
        tip_x, tip_y = 0.5 * math.sin(angle), 0.14 - 0.5 * math.cos(angle)
        canvas.line(0.012, 0.15, tip_x + 0.012, tip_y + 0.012, 0.007, (10, 8, 8), alpha=0.4, soft=0.012)
        canvas.line(0, 0.14, tip_x, tip_y, 0.006, (206, 210, 216))
        bob_x, bob_y = 0.36 * math.sin(angle), 0.14 - 0.36 * math.cos(angle)
        canvas.rect(bob_x - 0.03, bob_y - 0.024, bob_x + 0.03, bob_y + 0.024, (222, 190, 116), turn=angle, radius=0.006)
        canvas.ellipse(0, 0.14, 0.014, 0.014, (226, 200, 140))


class Drum(Scene):
    """A hand drum between two hands; the left and the right one strike in turn."""

    jolt = 0.009

    def __init__(self, width: int, height: int, events: tuple[float, ...]) -> None:
        self.events = events
        super().__init__(width, height)

    def paint_back(self, canvas: Canvas) -> None:
        def paint(x: Array, y: Array) -> Array:
            blur = noise(x, y, 0.16, 191, octaves=3)
            dusk = mix((150, 96, 60), (58, 44, 52), smooth(-0.8, 0.5, y))
            return dusk * (0.75 + 0.5 * blur)[..., None]

        canvas.fill(paint)
        for person in range(9):
            cx = -0.52 + person * 0.13
            cy = -0.34 + 0.07 * math.sin(person * 2.3)
            tone = (46 + 12 * (person % 3), 36 + 9 * (person % 2), 40)
            canvas.ellipse(cx, cy, 0.055, 0.07, tone, soft=0.03)
            canvas.ellipse(cx, cy + 0.2, 0.095, 0.15, tone, soft=0.03)
        canvas.rect(
            -0.5, -0.1, 0.5, 0.95, lambda x, y: wood(x, y, (112, 84, 62), (60, 42, 32), 193, plank=0.14), soft=0.03
        )
        canvas.ellipse(0.03, 0.62, 0.42, 0.09, (14, 10, 8), alpha=0.6, soft=0.1)

        def shell(x: Array, y: Array) -> Array:
            lit: Array = wood(y, x, (190, 110, 58), (94, 44, 22), 192) * (1.05 - 1.1 * np.abs(x + 0.1))[..., None]
            return lit

        canvas.polygon([(-0.36, 0.2), (0.36, 0.2), (0.24, 0.62), (-0.24, 0.62)], shell)
        canvas.ellipse(0, 0.62, 0.24, 0.05, shell)
        for rope in range(9):
            x = -0.34 + rope * 0.085
            canvas.line(x, 0.23, x * 0.68, 0.62, 0.005, (226, 206, 170))
        canvas.ellipse(0, 0.2, 0.375, 0.135, (84, 48, 28))

        def skin(x: Array, y: Array) -> Array:
            return mix((238, 220, 186), (188, 156, 112), noise(x, y, 0.06, 194, octaves=3) * 0.5 + np.hypot(x, y - 0.2))

        canvas.ellipse(0, 0.19, 0.35, 0.12, skin)
        vignette(canvas)

    def paint_front(self, canvas: Canvas, t: float) -> None:
        for hand, side in ((0, -1), (1, 1)):
            lift = self._lift(t, hand)
            x, y = side * 0.15, 0.16 - 0.12 * lift
            canvas.ellipse(x + 0.02, 0.2, 0.09, 0.03, (60, 40, 24), alpha=0.4 / (1 + 2 * lift), soft=0.05)
            sleeve = (52, 74, 104) if side < 0 else (46, 66, 94)
            canvas.line(side * 0.58, 0.34 - 0.05 * lift, side * 0.33, 0.22 - 0.1 * lift, 0.075, sleeve)
            canvas.line(side * 0.36, 0.23 - 0.1 * lift, x, y, 0.045, (176, 120, 86))
            for finger in range(4):
                tip_y = y - 0.03 + finger * 0.024
                canvas.line(
                    x, tip_y, x - side * (0.1 - 0.012 * abs(finger - 1.5)), tip_y + 0.012, 0.014, (186, 130, 94)
                )

    def _lift(self, t: float, hand: int) -> float:
        """Height of a hand 0..1: up after its stroke, down just before the next."""
        mine = [math.ceil(e * FPS - 1e-6) / FPS for k, e in enumerate(self.events) if k % 2 == hand]
        past = [t - e for e in mine if e <= t + 1e-6]
        ahead = [e - t for e in mine if e > t + 1e-6]
        up = 1 - math.exp(-max(min(past), 0.0) / 0.2) if past else 0.9
        return up * (1 - math.exp(-min(ahead) / 0.08)) if ahead else up
