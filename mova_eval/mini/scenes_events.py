"""Scenes in which something happens at known times: ball, hammer, glass, lightning."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from mova_eval.mini.canvas import Array, Canvas, mix, noise, smooth
from mova_eval.mini.scene import FPS, Scene, plaster, shadow, vignette, wood

GRAVITY = 1.5


def table_room(canvas: Canvas, horizon: float, seed: int) -> None:
    """A wall above a wooden surface, lit from the upper left."""

    def paint(x: Array, y: Array) -> Array:
        wall = plaster(x, y, (196, 190, 178), (150, 142, 132), seed)
        depth = np.maximum(y - np.float32(horizon), 0.004) + np.float32(0.12)
        board = wood(x / depth * 0.3, 1 / depth * 0.12, (206, 150, 96), (120, 74, 42), seed + 1, plank=0.12)
        board = board * (0.72 + 0.5 * (y - horizon))[..., None]
        return np.where((y < horizon)[..., None], wall, board)

    canvas.fill(paint)
    canvas.rect(-canvas.right, horizon - 0.012, canvas.right, horizon + 0.004, (72, 48, 32), soft=0.012)


class Ball(Scene):
    """A rubber ball bounces on a wooden table."""

    jolt = 0.014
    floor = 0.28
    radius = 0.047

    def __init__(self, width: int, height: int, events: tuple[float, ...]) -> None:
        self.events = events
        super().__init__(width, height)

    def paint_back(self, canvas: Canvas) -> None:
        table_room(canvas, 0.08, 131)
        canvas.rect(-0.78, -0.34, -0.42, -0.06, (84, 66, 50), soft=0.008)
        canvas.rect(-0.765, -0.325, -0.435, -0.075, lambda x, y: mix((120, 150, 170), (210, 190, 150), (y + 0.32) * 4))
        vignette(canvas)

    def height(self, t: float) -> float:
        """Height of the ball's underside over the table, units."""
        times = self.events
        first = times[1] - times[0]
        drop = times[0] - first / 2
        if t <= drop:
            return GRAVITY * (first / 2) ** 2 / 2
        if t < times[0]:
            return GRAVITY * ((first / 2) ** 2 - (t - drop) ** 2) / 2
        for start, end in pairwise(times):
            if start <= t < end:
                return GRAVITY * (t - start) * (end - t) / 2
        return 0.0

    def paint_front(self, canvas: Canvas, t: float) -> None:
        high = self.height(t)
        squash = 0.22 * math.exp(-self.since_event(t) / 0.05)
        wide, tall = self.radius * (1 + squash), self.radius * (1 - squash)
        cx, cy = -0.05 + 0.04 * t, self.floor - high - tall
        shadow(
            canvas,
            cx + 0.03 + high * 0.1,
            self.floor + 0.006,
            wide * (1 + high),
            0.018 * (1 + high),
            alpha=0.62 / (1 + 3 * high),
            soft=0.03 + 0.05 * high,
        )

        def paint(x: Array, y: Array) -> Array:
            u, v = (x - cx) / wide, (y - cy) / tall
            light = np.clip(1 - np.hypot(u + 0.4, v + 0.45) * 0.62, 0, 1)
            colour = mix((92, 12, 14), (226, 58, 40), light)
            band = smooth(0.13, 0.07, np.abs(v + 0.25 * u * u - 0.1))
            colour = colour + (mix((120, 100, 80), (246, 232, 206), light) - colour) * band[..., None]
            gloss = np.exp(-((u + 0.38) ** 2 + (v + 0.45) ** 2) / 0.03)
            shiny: Array = colour + 150 * gloss[..., None]
            return shiny

        canvas.ellipse(cx, cy, wide, tall, paint)


class Hammer(Scene):
    """A hammer drives a nail into a block of wood."""

    jolt = 0.022

    def __init__(self, width: int, height: int, events: tuple[float, ...]) -> None:
        self.events = events
        super().__init__(width, height)

    def paint_back(self, canvas: Canvas) -> None:
        table_room(canvas, 0.1, 141)
        shadow(canvas, 0.02, 0.405, 0.4, 0.035, alpha=0.5, soft=0.06)

        def block(x: Array, y: Array) -> Array:
            return wood(x, y, (224, 184, 128), (160, 112, 66), 144) * (1.05 - 0.6 * (y - 0.2))[..., None]

        canvas.rect(-0.36, 0.2, 0.36, 0.4, block, radius=0.008)
        canvas.rect(-0.36, 0.195, 0.36, 0.212, (238, 206, 158), radius=0.006, alpha=0.8)
        vignette(canvas)

    def paint_front(self, canvas: Canvas, t: float) -> None:
        done = sum(t >= math.ceil(event * FPS - 1e-6) / FPS - 1e-6 for event in self.events)
        top = 0.06 + 0.028 * done
        canvas.rect(-0.007, top, 0.007, 0.2, lambda x, y: mix((210, 214, 220), (96, 100, 108), (x + 0.007) / 0.014))
        canvas.rect(-0.026, top, 0.026, top + 0.012, (176, 180, 188), radius=0.004)
        angle = self.swing(t)
        pivot_x, pivot_y = 0.62, top - 0.02
        head_x, head_y = pivot_x - 0.62 * math.cos(angle), pivot_y - 0.62 * math.sin(angle)

        def handle(x: Array, y: Array) -> Array:
            return wood(x, y, (188, 128, 74), (112, 66, 36), 145)

        canvas.line(pivot_x + 0.3 * math.cos(angle), pivot_y + 0.3 * math.sin(angle), head_x, head_y, 0.021, handle)

        def steel(x: Array, y: Array) -> Array:
            return mix((190, 196, 204), (58, 62, 70), np.hypot(x - head_x + 0.03, y - head_y + 0.07) / 0.16)

        down_x, down_y = -math.sin(angle), math.cos(angle)
        canvas.line(head_x - down_x * 0.075, head_y - down_y * 0.075, head_x, head_y, 0.034, steel)
        canvas.rect(
            head_x + down_x * 0.005 - 0.04,
            head_y + down_y * 0.005 - 0.018,
            head_x + down_x * 0.005 + 0.04,
            head_y + down_y * 0.005 + 0.018,
            steel,
            turn=angle,
            radius=0.006,
        )

    def swing(self, t: float) -> float:
        """Angle of the handle in radians, 0 when the head is on the nail: slow back, fast down, at rest between."""
        ahead = [event - t for event in self.events if math.ceil(event * FPS - 1e-6) / FPS > t + 1e-6]
        back = 0.0 if not self.events or t < self.events[0] - 1 else 0.10 * (1 - math.exp(-self.since_event(t) / 0.3))
        if not ahead or self.since_event(t) == 0:
            return 0.0 if self.since_event(t) == 0 else back
        lead = ahead[0]
        raised = 0.3
        if lead > 0.95:
            return back
        if lead > 0.32:
            part = (0.95 - lead) / 0.63
            return back + (raised - back) * part * part * (3 - 2 * part)
        return raised * (1.0 - float((1 - max(lead, 0.0) / 0.32) ** 1.6))


class Glass(Scene):
    """A drinking glass tips over the edge of a shelf and shatters on stone."""

    jolt = 0.02
    floor = 0.36
    top = -0.2

    def __init__(self, width: int, height: int, events: tuple[float, ...]) -> None:
        self.events = events
        dice = np.random.default_rng(151)
        self.shards = [tuple(map(float, row)) for row in dice.random((34, 6))]
        super().__init__(width, height)

    def paint_back(self, canvas: Canvas) -> None:
        def paint(x: Array, y: Array) -> Array:
            wall = plaster(x, y, (112, 134, 140), (74, 92, 100), 152)
            depth = np.maximum(y - 0.27, 0.003) + 0.1
            tile = noise(x / depth, 1 / depth, 0.9, 153, octaves=4)
            stone = mix((118, 112, 106), (178, 172, 164), tile) * (0.7 + 1.1 * (y - 0.27))[..., None]
            return np.where((y < 0.27)[..., None], wall, stone)

        canvas.fill(paint)
        canvas.rect(
            -0.5, self.top, -0.06, self.top + 0.035, lambda x, y: wood(x, y, (196, 140, 90), (120, 76, 46), 154)
        )
        canvas.rect(-0.5, self.top + 0.035, -0.06, self.top + 0.075, (30, 34, 38), alpha=0.5, soft=0.04)
        vignette(canvas)

    def paint_front(self, canvas: Canvas, t: float) -> None:
        hit = self.events[0]
        fall = 0.5
        if self.since_event(t) < math.inf:
            self._shards(canvas, self.since_event(t))
            return
        part = max(0.0, t - (hit - fall)) / fall
        slide = min(1.0, max(0.0, t - 0.4) / (hit - fall - 0.4))
        cx = -0.24 + 0.19 * slide * slide + 0.1 * part
        cy = self.top - 0.1 + (self.floor - self.top + 0.04) * part * part
        self._glass(canvas, cx, cy, 0.2 * slide**4 + 1.5 * part)

    def _glass(self, canvas: Canvas, cx: float, cy: float, turn: float) -> None:

        def glassy(x: Array, y: Array) -> Array:
            return mix((214, 236, 240), (120, 160, 170), np.abs(x - cx + 0.02) / 0.07)

        canvas.rect(cx - 0.062, cy - 0.1, cx + 0.062, cy + 0.1, glassy, turn=turn, radius=0.014, alpha=0.55)
        canvas.rect(cx - 0.05, cy - 0.085, cx + 0.05, cy + 0.08, (70, 98, 108), turn=turn, radius=0.01, alpha=0.35)
        cos, sin = math.cos(turn), math.sin(turn)
        canvas.line(
            cx - 0.036 * cos + 0.08 * sin,
            cy - 0.036 * sin - 0.08 * cos,
            cx - 0.036 * cos - 0.06 * sin,
            cy - 0.036 * sin + 0.06 * cos,
            0.005,
            (250, 254, 255),
            alpha=0.8,
        )

    def _shards(self, canvas: Canvas, after: float) -> None:
        shadow(canvas, 0.05, self.floor + 0.02, 0.22, 0.02, alpha=0.35, soft=0.06)
        for aim, speed, size, spin, tint, depth in self.shards:
            fly = min(after, 0.5 * (0.4 + speed))
            x = 0.05 + (aim - 0.5) * 1.1 * speed * fly * 2
            rest = self.floor - 0.03 + 0.11 * depth
            y = min(rest, self.floor - 1.0 * speed * fly + 2.6 * fly * fly)
            s, turn = 0.01 + 0.03 * size, spin * 6 + fly * 14 * (spin - 0.5)
            points = [
                (x + s * r * math.cos(turn + a), y + s * r * 0.7 * math.sin(turn + a))
                for a, r in ((0.0, 1.0), (2.2, 0.5 + tint / 2), (3.9, 0.8))
            ]
            canvas.polygon(points, (170 + 80 * tint, 206 + 46 * tint, 216 + 38 * tint), alpha=0.75)


class Lightning(Scene):
    """Night sky over hills; lightning lights up the clouds. Light comes before sound."""

    jolt = 0.0

    def __init__(self, width: int, height: int, events: tuple[float, ...]) -> None:
        self.events = events
        super().__init__(width, height)
        dice = np.random.default_rng(161)
        x, y, self.bolt = 0.06, -0.75, [(0.06, -0.75)]
        while y < 0.42:
            x, y = x + float(dice.normal(0, 0.045)), y + float(dice.uniform(0.05, 0.11))
            self.bolt.append((x, y))

    def paint_back(self, canvas: Canvas) -> None:
        self.clouds = noise(canvas.x * 0.7, canvas.y * 1.5, 0.3, 162, octaves=5)
        sky = mix((16, 18, 30), (44, 48, 66), smooth(-0.8, 0.6, canvas.y))
        canvas.pixels[:] = sky * (0.6 + 0.8 * self.clouds)[..., None]
        ridge = 0.44 + 0.12 * (noise(canvas.x, canvas.x * 0 + 0.3, 0.25, 163, octaves=4) - 0.5)
        self.hills = smooth(0.0, 0.006, canvas.y - ridge)
        ground = mix((10, 12, 14), (18, 20, 18), noise(canvas.x, canvas.y, 0.03, 164, octaves=3))
        canvas.pixels += (ground - canvas.pixels) * self.hills[..., None]
        for place in (-0.3, -0.22, 0.31):
            canvas.ellipse(place, 0.55 + place * 0.02, 0.006, 0.006, (255, 206, 120), soft=0.01)

    def light(self, t: float) -> float:
        """Brightness of the flash 0..1: a stroke, a flicker, an afterglow."""
        after = self.since_event(t)
        if math.isinf(after):
            return 0.0
        return math.exp(-after / 0.12) + 0.6 * math.exp(-(((after - 0.16) / 0.04) ** 2))

    def paint_front(self, canvas: Canvas, t: float) -> None:
        glow = self.light(t)
        if glow < 0.01:
            return
        near = np.exp(-((canvas.x - 0.06) ** 2 / 0.3 + (canvas.y + 0.1) ** 2 / 0.8))
        lit = (self.clouds * near * glow * 1.6 * (1 - 0.9 * self.hills))[..., None]
        canvas.pixels += lit * np.asarray((170, 180, 230), np.float32)
        if glow > 0.25:
            for (x0, y0), (x1, y1) in pairwise(self.bolt):
                canvas.line(x0, y0, x1, y1, 0.02, (150, 160, 255), alpha=0.3 * glow, soft=0.05)
                canvas.line(x0, y0, x1, y1, 0.004, (250, 250, 255), alpha=min(1.0, glow))
