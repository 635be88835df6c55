"""Places without sharp events: sea, rain on a window, campfire, street, chess board, snow field."""

from __future__ import annotations

import math

import numpy as np

from mova_eval.mini.canvas import Array, Canvas, Colour, mix, noise, smooth
from mova_eval.mini.scene import Scene, shadow, vignette, wood


class Sea(Scene):
    """A beach in the evening; waves come and go slowly."""

    horizon = -0.12

    def paint_back(self, canvas: Canvas) -> None:
        sun = np.exp(-((canvas.x - 0.3) ** 2 + (canvas.y + 0.2) ** 2) / 0.05)
        cloud = noise(canvas.x * 0.5, canvas.y * 2.2, 0.2, 81, octaves=4)
        sky = mix((92, 128, 176), (246, 206, 160), smooth(-0.5, -0.12, canvas.y))
        sky = sky + (sun * 70 + smooth(0.5, 0.85, cloud) * 46)[..., None]
        sand = mix((216, 188, 146), (168, 136, 98), smooth(0.2, 0.5, canvas.y) * 0.4)
        sand = sand * (0.92 + 0.14 * noise(canvas.x, canvas.y * 2, 0.012, 82, octaves=2))[..., None]
        canvas.pixels[:] = np.where((canvas.y < self.horizon)[..., None], sky, sand)

    def paint_front(self, canvas: Canvas, t: float) -> None:
        reach = 0.2 + 0.07 * math.sin(2 * math.pi * (t - 0.6) / 4.2)
        rows = slice(int((self.horizon + canvas.bottom) * canvas.unit), int((0.34 + canvas.bottom) * canvas.unit))
        x, y = canvas.x[rows], canvas.y[rows]
        edge = reach + 0.05 * (noise(x[:1] + 0.02 * t, x[:1] * 0 + 0.5, 0.3, 83, octaves=3) - 0.5)
        depth = np.maximum(y - self.horizon, 0.005)
        ripple = noise(x / (depth + 0.1) * 0.35 + 0.05 * t, 3.0 / (depth + 0.06) * 0.1 - 0.25 * t, 0.14, 84, octaves=3)
        water = mix((64, 104, 128), (150, 180, 180), smooth(0.0, 0.4, depth) * 0.7 + 0.6 * (ripple - 0.5))
        water = water + (np.exp(-((x - 0.3) ** 2) / (0.01 + 0.3 * depth)) * smooth(0.45, 0.8, ripple) * 90)[..., None]
        foam = np.exp(-(((y - edge + 0.008) / 0.012) ** 2)) * (0.5 + 0.5 * ripple)
        water = water + (np.asarray((246, 248, 246), np.float32) - water) * np.clip(foam, 0, 1)[..., None]
        wet = smooth(0.07, 0.0, y - edge) * smooth(-0.001, 0.001, y - edge)
        part = canvas.pixels[rows]
        part *= (1 - 0.28 * wet)[..., None]
        part += (water - part) * smooth(0.002, -0.002, y - edge)[..., None]


class RainWindow(Scene):
    """A window with raindrops that run down; a blurred garden behind."""

    def paint_back(self, canvas: Canvas) -> None:
        leaf = noise(canvas.x, canvas.y, 0.22, 201, octaves=3)
        canvas.pixels[:] = mix((86, 104, 104), (150, 164, 168), smooth(0.4, -0.4, canvas.y))
        canvas.pixels += ((leaf - 0.5) * np.float32(70))[..., None] * np.asarray((0.7, 1.0, 0.75), np.float32)
        for cx, cy, tone in (
            (-0.5, 0.05, (214, 190, 130)),
            (0.32, -0.02, (190, 120, 110)),
            (0.6, 0.12, (120, 150, 160)),
        ):
            canvas.ellipse(cx, cy, 0.06, 0.06, tone, alpha=0.55, soft=0.06)
        dice = np.random.default_rng(202)
        for x, y, size in zip(
            dice.uniform(-1, 1, 240), dice.uniform(-0.6, 0.6, 240), dice.gamma(2.0, 0.0035, 240), strict=True
        ):
            self._drop(canvas, float(x), float(y), 0.003 + float(size))
        self.runs = dice.uniform((-0.95, 0.0, 0.08, 0.006), (0.95, 1.3, 0.26, 0.013), (26, 4))

    @staticmethod
    def _drop(canvas: Canvas, x: float, y: float, size: float) -> None:
        canvas.ellipse(x, y + size * 0.25, size, size * 1.2, (44, 56, 58), alpha=0.5, soft=size * 0.6)
        canvas.ellipse(x, y, size * 0.85, size, (158, 174, 176), alpha=0.75)
        canvas.ellipse(x, y + size * 0.35, size * 0.5, size * 0.4, (222, 230, 230), alpha=0.8, soft=size * 0.5)

    def paint_front(self, canvas: Canvas, t: float) -> None:
        for x, start, speed, size in self.runs.tolist():
            y = (start + speed * t + 0.03 * math.sin(3 * t + 9 * x)) % 1.3 - 0.65
            canvas.line(x, y - 0.16, x, y, size * 0.5, (176, 190, 190), alpha=0.22, soft=size)
            self._drop(canvas, x, y, size)

        def frame(px: Array, py: Array) -> Array:
            return wood(py, px, (226, 222, 212), (196, 190, 178), 203)

        canvas.rect(-0.03, -0.6, 0.03, 0.6, frame)
        canvas.rect(0.03, -0.6, 0.05, 0.6, (20, 24, 26), alpha=0.35, soft=0.02)
        canvas.rect(-1, 0.41, 1, 0.6, frame)
        canvas.rect(-1, 0.4, 1, 0.416, (250, 248, 242))


class Campfire(Scene):
    """A campfire at night between stones, with trees behind and sparks above."""

    def paint_back(self, canvas: Canvas) -> None:
        sky = mix((10, 14, 30), (30, 30, 44), smooth(-0.5, 0.1, canvas.y))
        canvas.pixels[:] = sky
        dice = np.random.default_rng(211)
        for x, y, light in zip(
            dice.uniform(-0.9, 0.9, 70), dice.uniform(-0.5, -0.05, 70), dice.random(70), strict=True
        ):
            canvas.ellipse(
                float(x), float(y), 0.002, 0.002, (200, 206, 230), alpha=0.3 + 0.7 * float(light), soft=0.003
            )
        for tree in range(13):
            x, high = -0.95 + tree * 0.16 + 0.05 * math.sin(tree * 5), 0.3 + 0.13 * math.sin(tree * 2.7)
            for tier in range(4):
                wide, y = 0.03 + 0.022 * tier, 0.14 - high + tier * high * 0.24
                canvas.polygon([(x, y - 0.07), (x + wide, y + 0.07), (x - wide, y + 0.07)], (9, 14, 16))
        soil = mix((26, 22, 20), (46, 38, 32), noise(canvas.x, canvas.y * 2.5, 0.06, 212, octaves=4))
        canvas.pixels += (soil - canvas.pixels) * smooth(0.12, 0.16, canvas.y)[..., None]
        self.reach = np.exp(-(canvas.x**2 / 0.24 + (canvas.y - 0.28) ** 2 / 0.05)) * smooth(0.1, 0.2, canvas.y)
        self.air = np.exp(-(canvas.x**2 + (canvas.y - 0.1) ** 2) / 0.07)
        self.sparks = dice.random((22, 4))

    def paint_front(self, canvas: Canvas, t: float) -> None:
        flicker = 0.85 + 0.1 * math.sin(17 * t) + 0.08 * math.sin(29.3 * t + 1)
        warm = (self.reach * 110 + self.air * 40) * np.float32(flicker)
        canvas.pixels += warm[..., None] * np.asarray((1.0, 0.5, 0.18), np.float32)
        for stone in range(11):
            a = math.pi * stone / 10
            x, y = 0.27 * math.cos(a), 0.3 + 0.08 * math.sin(a)

            def stony(px: Array, py: Array, x: float = x, y: float = y) -> Array:
                return mix((150, 92, 58), (34, 30, 32), np.hypot(px - x * 0.82, py - y + 0.05) / 0.085)

            canvas.ellipse(x, y, 0.047, 0.036, stony)
        self._flames(canvas, t)
        for turn in (-0.25, 0.22, -0.05):

            def bark(x: Array, y: Array) -> Array:
                return mix((126, 66, 32), (34, 19, 13), (y - 0.275) / 0.05)

            canvas.rect(-0.17, 0.28, 0.17, 0.32, bark, turn=turn, radius=0.016)
        for x0, phase, speed, light in self.sparks.tolist():
            life = (phase + t * (0.25 + 0.3 * speed)) % 1.0
            x = (x0 - 0.5) * 0.16 + 0.05 * math.sin(8 * life + 6 * phase)
            canvas.ellipse(
                x,
                0.2 - 0.55 * life,
                0.003,
                0.003,
                (255, 190 - 90 * life, 70),
                alpha=(1 - life) * (0.5 + light / 2),
                soft=0.004,
            )

    def _flames(self, canvas: Canvas, t: float) -> None:
        rows = slice(int((canvas.bottom - 0.25) * canvas.unit), int((canvas.bottom + 0.32) * canvas.unit))
        cols = slice(int((canvas.right - 0.25) * canvas.unit), int((canvas.right + 0.25) * canvas.unit))
        x, y = canvas.x[rows, cols], canvas.y[rows, cols]
        up = (0.31 - y) / 0.46
        sway = (noise(x * 0.6, y * 0.6 + 0.9 * t, 0.11, 214, octaves=2) - 0.5) * 0.16 * up
        tongue = noise(x + sway, y * 0.45 + 0.75 * t, 0.07, 215, octaves=3)
        body = 1.25 - np.abs(x + sway) / 0.16 - up * 1.05 + (tongue - 0.5) * 1.1 - smooth(0.0, -0.1, up)
        heat = np.clip(body, 0, 1)
        colour = np.where(
            (heat < 0.45)[..., None],
            mix((150, 30, 4), (250, 132, 20), heat / 0.45),
            mix((250, 132, 20), (255, 244, 190), (heat - 0.45) / 0.5),
        )
        part = canvas.pixels[rows, cols]
        part += (colour - part) * smooth(0.0, 0.28, body)[..., None]


class Street(Scene):
    """A street far below at dusk; small cars pass slowly."""

    def paint_back(self, canvas: Canvas) -> None:
        canvas.pixels[:] = mix((108, 122, 158), (232, 190, 166), smooth(-0.5, 0.02, canvas.y))
        dice = np.random.default_rng(221)
        for depth, tone in ((0, (150, 146, 162)), (1, (112, 108, 126)), (2, (78, 76, 94))):
            x = -0.95
            while x < 0.95:
                wide, top = float(dice.uniform(0.08, 0.18)), float(dice.uniform(-0.34, -0.12)) + 0.09 * depth
                self._house(canvas, x, top, x + wide - 0.006, tone)
                for _ in range(int(wide * 90) * depth):
                    wx, wy = float(dice.uniform(x + 0.01, x + wide - 0.025)), float(dice.uniform(top + 0.02, 0.12))
                    canvas.rect(wx, wy, wx + 0.01, wy + 0.014, (255, 224, 150), alpha=0.3 + 0.5 * float(dice.random()))
                x += wide
        grain = noise(canvas.x, canvas.y * 3, 0.02, 222, octaves=3)
        road = mix((70, 70, 80), (94, 92, 98), grain)
        canvas.pixels += (road - canvas.pixels) * smooth(0.155, 0.165, canvas.y)[..., None]
        canvas.rect(-1, 0.15, 1, 0.175, (136, 130, 130))
        for dash in range(17):
            canvas.rect(-0.96 + dash * 0.12, 0.298, -0.9 + dash * 0.12, 0.305, (206, 204, 196), alpha=0.8)
        canvas.rect(
            -1, 0.43, 1, 0.6, lambda x, y: mix((132, 126, 128), (94, 90, 94), noise(x, y * 2, 0.03, 223, octaves=2))
        )
        for lamp in range(5):
            x = -0.8 + lamp * 0.4
            canvas.line(x, 0.16, x, -0.06, 0.004, (46, 46, 54))
            canvas.ellipse(x, -0.065, 0.06, 0.06, (255, 220, 150), alpha=0.28, soft=0.09)
            canvas.ellipse(x, -0.065, 0.011, 0.011, (255, 240, 200), soft=0.01)

    @staticmethod
    def _house(canvas: Canvas, left: float, top: float, right: float, tone: Colour) -> None:
        canvas.rect(left, top, right, 0.2, lambda x, y: mix(tone, (178, 156, 150), (y + 0.3) * 0.5))

    def paint_front(self, canvas: Canvas, t: float) -> None:
        cars = (
            (-0.6, 0.055, 0.24, (146, 40, 40)),
            (0.15, 0.05, 0.24, (206, 206, 210)),
            (0.7, -0.06, 0.37, (44, 70, 116)),
            (-0.1, -0.065, 0.37, (60, 62, 66)),
        )
        for start, speed, y, tone in cars:
            x = (start + speed * t + 1.1) % 2.2 - 1.1
            way = 1 if speed > 0 else -1
            shadow(canvas, x, y + 0.03, 0.085, 0.014, alpha=0.5, soft=0.02)
            canvas.rect(x - 0.08, y - 0.02, x + 0.08, y + 0.025, tone, radius=0.018)
            canvas.rect(x - 0.045, y - 0.052, x + 0.042, y - 0.008, tone, radius=0.018)
            canvas.rect(x - 0.038, y - 0.045, x + 0.035, y - 0.016, (54, 66, 80), radius=0.01)
            for wheel in (-0.048, 0.048):
                canvas.ellipse(x + wheel, y + 0.026, 0.017, 0.017, (18, 18, 20))
                canvas.ellipse(x + wheel, y + 0.026, 0.007, 0.007, (140, 140, 146))
            canvas.ellipse(x + way * 0.08, y + 0.004, 0.012, 0.009, (255, 246, 206), soft=0.02)


class Chess(Scene):
    """A chess board with a few pieces in still light; nothing moves but the light, barely."""

    def paint_back(self, canvas: Canvas) -> None:
        def paint(x: Array, y: Array) -> Array:
            dark = mix((58, 48, 44), (30, 26, 26), smooth(-0.5, -0.1, y))
            depth = np.maximum(y + 0.62, 0.05)
            u, v = x / depth * 1.15, 0.66 / depth
            table = wood(x, y, (96, 58, 36), (54, 30, 18), 231)
            column, row = (u + 0.8) / 0.2, (v - 0.62) / 0.2
            inside = smooth(-0.02, 0.02, np.minimum(np.minimum(column, 8 - column), np.minimum(row, 8 - row)))
            odd = ((np.floor(column) + np.floor(row)) % 2)[..., None]
            light, deep = (
                wood(x, y, (236, 206, 160), (206, 170, 122), 232),
                wood(x, y, (124, 72, 42), (84, 46, 26), 233),
            )
            board = np.where(odd > 0.5, light, deep)
            flat = table + (board - table) * inside[..., None]
            return dark + (flat - dark) * smooth(-0.335, -0.32, y)[..., None]

        canvas.fill(paint)
        pieces = (
            (-0.42, -0.12, 0.6, 0, 3),
            (0.1, -0.16, 0.55, 0, 1),
            (0.36, -0.02, 0.72, 0, 0),
            (-0.12, 0.14, 0.86, 1, 1),
            (-0.5, 0.26, 1.0, 1, 0),
            (0.32, 0.24, 1.0, 1, 3),
            (0.02, 0.34, 1.06, 1, 0),
        )
        for x, y, size, white, kind in pieces:
            self._piece(canvas, x, y, size * 0.17, bool(white), kind)
        vignette(canvas, 0.5)

    @staticmethod
    def _piece(canvas: Canvas, x: float, y: float, size: float, white: bool, kind: int) -> None:
        lit, dim = ((244, 228, 198), (150, 116, 80)) if white else ((92, 78, 74), (18, 14, 14))

        def tone(px: Array, py: Array) -> Array:
            return mix(lit, dim, (px - x + 0.35 * size) / (0.75 * size))

        shadow(canvas, x + 0.5 * size, y, 0.7 * size, 0.12 * size, alpha=0.5, soft=0.2 * size)
        high = size * (0.9 + 0.2 * kind)
        canvas.ellipse(x, y - 0.02 * size, 0.42 * size, 0.15 * size, tone)
        canvas.ellipse(x, y - 0.1 * size, 0.34 * size, 0.13 * size, tone)
        canvas.polygon(
            [
                (x - 0.28 * size, y - 0.1 * size),
                (x + 0.28 * size, y - 0.1 * size),
                (x + 0.12 * size, y - high),
                (x - 0.12 * size, y - high),
            ],
            tone,
            soft=0.03 * size,
        )
        canvas.ellipse(x, y - high, 0.24 * size, 0.07 * size, tone)
        if kind == 3:
            canvas.ellipse(x, y - high - 0.17 * size, 0.15 * size, 0.16 * size, tone)
            canvas.line(x, y - high - 0.3 * size, x, y - high - 0.52 * size, 0.035 * size, tone)
            canvas.line(
                x - 0.1 * size, y - high - 0.42 * size, x + 0.1 * size, y - high - 0.42 * size, 0.035 * size, tone
            )
        else:
            canvas.ellipse(x, y - high - 0.15 * size, (0.2 - 0.03 * kind) * size, (0.2 + 0.05 * kind) * size, tone)

    def paint_front(self, canvas: Canvas, t: float) -> None:
        canvas.scale(1 + 0.015 * math.sin(2 * math.pi * t / 5))


class Snow(Scene):
    """A snow field under an overcast sky; a few flakes sink slowly."""

    def paint_back(self, canvas: Canvas) -> None:
        haze = noise(canvas.x * 0.6, canvas.y * 1.6, 0.3, 241, octaves=3)
        sky = mix((170, 184, 204), (222, 226, 230), smooth(-0.5, 0.0, canvas.y)) + ((haze - 0.5) * 18)[..., None]
        canvas.pixels[:] = sky
        for layer, (base, tone) in enumerate(((0.02, (150, 164, 180)), (0.08, (110, 124, 138)))):
            ridge = base + 0.07 * (noise(canvas.x, canvas.x * 0, 0.22, 242 + layer, octaves=4) - 0.5)
            canvas.pixels += (np.asarray(tone, np.float32) - canvas.pixels) * smooth(0, 0.012, canvas.y - ridge)[
                ..., None
            ]
        dune = 0.14 + 0.05 * (noise(canvas.x, canvas.x * 0 + 0.4, 0.5, 245, octaves=2) - 0.5)
        drift = noise(canvas.x * 0.5, canvas.y * 1.6, 0.16, 246, octaves=4)
        field = mix((196, 208, 228), (250, 251, 253), smooth(0.25, 0.75, drift) * 0.7 + 0.4 * (canvas.y - 0.1))
        canvas.pixels += (field - canvas.pixels) * smooth(0, 0.006, canvas.y - dune)[..., None]
        self._tree(canvas)
        dice = np.random.default_rng(247)
        self.flakes = dice.random((46, 4))

    @staticmethod
    def _tree(canvas: Canvas) -> None:
        shadow(canvas, 0.52, 0.335, 0.17, 0.018, alpha=0.22, soft=0.05)
        canvas.line(0.42, 0.33, 0.42, 0.2, 0.011, (70, 54, 46))
        for tier in range(5):
            wide, y = 0.035 + 0.024 * tier, -0.13 + 0.078 * tier
            canvas.polygon([(0.42, y - 0.06), (0.42 + wide, y + 0.06), (0.42 - wide, y + 0.06)], (52, 72, 70))
            canvas.polygon(
                [(0.42, y - 0.06), (0.42 + wide * 0.5, y), (0.42 - wide * 0.62, y + 0.025)], (236, 241, 247), soft=0.01
            )

    def paint_front(self, canvas: Canvas, t: float) -> None:
        for x0, y0, speed, size in self.flakes.tolist():
            x = (x0 - 0.5) * 2 + 0.02 * math.sin(1.3 * t + 7 * x0)
            y = (y0 + (0.03 + 0.03 * speed) * t) % 1.0 - 0.5
            canvas.ellipse(x, y, 0.003 + 0.003 * size, 0.003 + 0.003 * size, (255, 255, 255), alpha=0.8, soft=0.006)
