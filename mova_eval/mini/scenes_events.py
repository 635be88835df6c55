"""Scenes in which something happens at known times: ball, hammer, glass, lightning, piano, metronome, drum."""

from __future__ import annotations

import math

import numpy as np

from mova_eval.mini.canvas import Array, Canvas, ellipse, mix, noise, smooth
from mova_eval.mini.scene import FPS, Scene, plaster, shadow, vignette, wood

GRAVITY = 2.4


def _table_room(canvas: Canvas, horizon: float, seed: int) -> None:
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

    floor = 0.28
    radius = 0.052

    def __init__(self, width: int, height: int, events: tuple[float, ...]) -> None:
        self.events = events
        super().__init__(width, height)

    def paint_back(self, canvas: Canvas) -> None:
        _table_room(canvas, 0.08, 131)
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
        for start, end in zip(times, times[1:], strict=False):
            if start <= t < end:
                return GRAVITY * (t - start) * (end - t) / 2
        return 0.0

    def paint_front(self, canvas: Canvas, t: float) -> None:
        high = self.height(t)
        squash = 0.22 * math.exp(-self.since_event(t) / 0.05)
        wide, tall = self.radius * (1 + squash), self.radius * (1 - squash)
        cx, cy = -0.05 + 0.04 * t, self.floor - high - tall
        shadow(canvas, cx + 0.03 + high * 0.1, self.floor + 0.006, wide * (1 + high), 0.018 * (1 + high),
               alpha=0.62 / (1 + 3 * high), soft=0.03 + 0.05 * high)  # fmt: skip

        def paint(x: Array, y: Array) -> Array:
            u, v = (x - cx) / wide, (y - cy) / tall
            light = np.clip(1 - np.hypot(u + 0.4, v + 0.45) * 0.62, 0, 1)
            colour = mix((92, 12, 14), (226, 58, 40), light)
            colour = mix((0, 0, 0), (1, 1, 1), np.ones_like(u)) * colour
            band = smooth(0.13, 0.07, np.abs(v + 0.25 * u * u - 0.1))
            colour = colour + (mix((120, 100, 80), (246, 232, 206), light) - colour) * band[..., None]
            gloss = np.exp(-((u + 0.38) ** 2 + (v + 0.45) ** 2) / 0.03)
            return colour + 150 * gloss[..., None]

        canvas.ellipse(cx, cy, wide, tall, paint)


class Hammer(Scene):
    """A hammer drives a nail into a block of wood."""

    def __init__(self, width: int, height: int, events: tuple[float, ...]) -> None:
        self.events = events
        super().__init__(width, height)

    def paint_back(self, canvas: Canvas) -> None:
        _table_room(canvas, 0.1, 141)
        shadow(canvas, 0.02, 0.405, 0.4, 0.035, alpha=0.5, soft=0.06)
        block = lambda x, y: wood(x, y, (224, 184, 128), (160, 112, 66), 144) * (1.05 - 0.6 * (y - 0.2))[..., None]  # noqa: E731
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
        handle = lambda x, y: wood(x, y, (188, 128, 74), (112, 66, 36), 145)  # noqa: E731
        canvas.line(pivot_x + 0.3 * math.cos(angle), pivot_y + 0.3 * math.sin(angle), head_x, head_y, 0.021, handle)
        steel = lambda x, y: mix((190, 196, 204), (58, 62, 70), np.hypot(x - head_x + 0.03, y - head_y + 0.07) / 0.16)  # noqa: E731
        down_x, down_y = -math.sin(angle), math.cos(angle)
        canvas.line(head_x - down_x * 0.075, head_y - down_y * 0.075, head_x, head_y, 0.034, steel)
        canvas.rect(head_x + down_x * 0.005 - 0.04, head_y + down_y * 0.005 - 0.018, head_x + down_x * 0.005 + 0.04,
                    head_y + down_y * 0.005 + 0.018, steel, turn=angle, radius=0.006)  # fmt: skip

    def swing(self, t: float) -> float:
        """Angle of the handle in radians, 0 when the head is on the nail: slow back, fast down, at rest between."""
        ahead = [event - t for event in self.events if math.ceil(event * FPS - 1e-6) / FPS > t + 1e-6]
        back = 0.0 if not self.events or t < self.events[0] - 1 else 0.10 * (1 - math.exp(-self.since_event(t) / 0.3))
        if not ahead or self.since_event(t) == 0:
            return 0.0 if self.since_event(t) == 0 else back
        lead = ahead[0]
        raised = 0.55
        if lead > 0.9:
            return back
        if lead > 0.24:
            part = (0.9 - lead) / 0.66
            return back + (raised - back) * part * part * (3 - 2 * part)
        return raised * (1 - (1 - max(lead, 0.0) / 0.24) ** 3)


class Glass(Scene):
    """A drinking glass tips over the edge of a shelf and shatters on stone."""

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
        canvas.rect(-0.5, self.top, -0.06, self.top + 0.035, lambda x, y: wood(x, y, (196, 140, 90), (120, 76, 46), 154))
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
        glassy = lambda x, y: mix((214, 236, 240), (120, 160, 170), np.abs(x - cx + 0.02) / 0.07)  # noqa: E731
        canvas.rect(cx - 0.062, cy - 0.1, cx + 0.062, cy + 0.1, glassy, turn=turn, radius=0.014, alpha=0.55)
        canvas.rect(cx - 0.05, cy - 0.085, cx + 0.05, cy + 0.08, (70, 98, 108), turn=turn, radius=0.01, alpha=0.35)
        cos, sin = math.cos(turn), math.sin(turn)
        canvas.line(cx - 0.036 * cos + 0.08 * sin, cy - 0.036 * sin - 0.08 * cos, cx - 0.036 * cos - 0.06 * sin,
                    cy - 0.036 * sin + 0.06 * cos, 0.005, (250, 254, 255), alpha=0.8)  # fmt: skip

    def _shards(self, canvas: Canvas, after: float) -> None:
        shadow(canvas, 0.05, self.floor + 0.02, 0.22, 0.02, alpha=0.35, soft=0.06)
        for aim, speed, size, spin, tint, depth in self.shards:
            fly = min(after, 0.5 * (0.4 + speed))
            x = 0.05 + (aim - 0.5) * 1.1 * speed * fly * 2
            rest = self.floor - 0.03 + 0.11 * depth
            y = min(rest, self.floor - 1.0 * speed * fly + 2.6 * fly * fly)
            s, turn = 0.01 + 0.03 * size, spin * 6 + fly * 14 * (spin - 0.5)
            points = [(x + s * r * math.cos(turn + a), y + s * r * 0.7 * math.sin(turn + a))
                      for a, r in ((0.0, 1.0), (2.2, 0.5 + tint / 2), (3.9, 0.8))]  # fmt: skip
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
            for (x0, y0), (x1, y1) in zip(self.bolt, self.bolt[1:], strict=False):
                canvas.line(x0, y0, x1, y1, 0.02, (150, 160, 255), alpha=0.3 * glow, soft=0.05)
                canvas.line(x0, y0, x1, y1, 0.004, (250, 250, 255), alpha=min(1.0, glow))


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
        _table_room(canvas, 0.2, 181)
        shadow(canvas, 0.04, 0.4, 0.34, 0.03, alpha=0.6, soft=0.06)
        body = [(-0.1, -0.36), (0.1, -0.36), (0.24, 0.38), (-0.24, 0.38)]
        canvas.polygon(body, lambda x, y: wood(y, x, (168, 92, 48), (86, 40, 22), 182))
        canvas.polygon([(-0.06, -0.3), (0.06, -0.3), (0.13, 0.16), (-0.13, 0.16)], (34, 20, 14), soft=0.01)
        for mark in range(9):
            y = -0.26 + mark * 0.045
            canvas.rect(-0.02, y, 0.02, y + 0.004, (210, 180, 110), alpha=0.8)
        canvas.rect(-0.17, 0.22, 0.17, 0.31, lambda x, y: mix((214, 184, 110), (140, 104, 48), (y - 0.22) / 0.09), radius=0.01)
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
        canvas.rect(-0.5, -0.1, 0.5, 0.95, lambda x, y: wood(x, y, (112, 84, 62), (60, 42, 32), 193, plank=0.14), soft=0.03)
        canvas.ellipse(0.03, 0.62, 0.42, 0.09, (14, 10, 8), alpha=0.6, soft=0.1)
        shell = lambda x, y: wood(y, x, (190, 110, 58), (94, 44, 22), 192) * (1.05 - 1.1 * np.abs(x + 0.1))[..., None]  # noqa: E731
        canvas.polygon([(-0.36, 0.2), (0.36, 0.2), (0.24, 0.62), (-0.24, 0.62)], shell)
        canvas.ellipse(0, 0.62, 0.24, 0.05, shell)
        for rope in range(9):
            x = -0.34 + rope * 0.085
            canvas.line(x, 0.23, x * 0.68, 0.62, 0.005, (226, 206, 170))
        canvas.ellipse(0, 0.2, 0.375, 0.135, (84, 48, 28))
        skin = lambda x, y: mix((238, 220, 186), (188, 156, 112), noise(x, y, 0.06, 194, octaves=3) * 0.5 + np.hypot(x, y - 0.2))  # noqa: E731
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
                canvas.line(x, tip_y, x - side * (0.1 - 0.012 * abs(finger - 1.5)), tip_y + 0.012, 0.014, (186, 130, 94))

    def _lift(self, t: float, hand: int) -> float:
        """Height of a hand 0..1: up after its stroke, down just before the next."""
        mine = [math.ceil(e * FPS - 1e-6) / FPS for k, e in enumerate(self.events) if k % 2 == hand]
        past = [t - e for e in mine if e <= t + 1e-6]
        ahead = [e - t for e in mine if e > t + 1e-6]
        up = 1 - math.exp(-max(min(past), 0.0) / 0.2) if past else 0.9
        return up * (1 - math.exp(-min(ahead) / 0.08)) if ahead else up
