"""Drawings of the page as SVG texts: the timeline of one person, the offset curve, the clip at a glance."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from metrics.lip_sync.pipeline import Analysis, Person
    from metrics.lip_sync.scoring import SyncScore

WIDTH = 1000
THUMBNAIL = 50
_WAVE, _CURVE, _GAP = 64, 84, 8
_COLUMNS = 500
FRAME_RATE, RATE = 25, 16_000
WINDOW_MIDDLE = 2
"""A window of five frames is drawn at its middle frame."""


def svg(body: Iterable[str], width: float, height: float, label: str) -> str:
    """An SVG element that fills its container's width."""
    opening = f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}">'
    return opening + "".join(body) + "</svg>"


def path(points: Iterable[tuple[float, float]], kind: str, *, closed: bool = False) -> str:
    """A line through the points."""
    told = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path class="{kind}" d="M{told}{"Z" if closed else ""}"/>' if told else ""


def text(x: float, y: float, said: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(said)}</text>'


def jpeg_url(picture: NDArray[np.uint8], side: int) -> str:
    """A BGR picture as a small JPEG in a data URL."""
    import cv2

    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 82])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def _seconds_axis(seconds: float, top: float) -> list[str]:
    step = next(step for step in (0.5, 1, 2, 5, 10, 30, 60, 1e9) if seconds / step <= 12)
    parts = []
    for number in range(int(seconds / step) + 1):
        x = number * step / seconds * WIDTH
        parts.append(f'<path class="grid" d="M{x:.1f} 0V{top:.1f}"/>')
        anchor = "start" if number == 0 else "end" if x > WIDTH - 12 else "middle"
        parts.append(text(x, top + 12, f"{number * step:g} s", anchor))
    return parts


def wave(sound: NDArray[np.int16], seconds: float, top: float, height: float) -> str:
    """Envelope of the sound (loudest and softest sample per column), scaled to its own peak."""
    columns = min(_COLUMNS, max(1, len(sound)))
    edges = np.linspace(0, len(sound), columns + 1).astype(int)[:-1]
    if not len(sound):
        return ""
    values = sound.astype(np.float64) / max(1, int(np.abs(sound.astype(np.int32)).max()))
    high, low = np.maximum.reduceat(values, edges), np.minimum.reduceat(values, edges)
    x = edges / RATE / seconds * WIDTH
    middle, half = top + height / 2, height / 2
    there = list(zip(x, middle - high * half, strict=True))
    back = list(zip(x[::-1], middle - low[::-1] * half, strict=True))
    return path([*there, *back], "wave", closed=True)


def timeline(analysis: Analysis, person: Person, faces: Sequence[tuple[int, str] | None], seconds: float) -> str:
    """Face strip, waveform and per-frame confidence of one person over the same seconds.

    faces: for each place of the strip (frame number, picture as a data URL), or None.
    """
    first, last = int(person.track.frames[0]), int(person.track.frames[-1]) + 1
    left, right = (frame / FRAME_RATE / seconds * WIDTH for frame in (first, last))
    wave_top = THUMBNAIL + _GAP
    curve_top = wave_top + _WAVE + _GAP
    bottom = curve_top + _CURVE
    parts = [f'<rect class="span" x="{left:.1f}" y="0" width="{right - left:.1f}" height="{bottom}"/>']
    parts += _seconds_axis(seconds, bottom)
    for place, face in enumerate(faces):
        if face is not None:
            frame, url = face
            parts.append(
                f'<image href="{url}" x="{place * THUMBNAIL}" y="0" width="{THUMBNAIL}" height="{THUMBNAIL}">'
                f"<title>frame {frame}, {frame / FRAME_RATE:.2f} s</title></image>"
            )
    parts.append(wave(analysis.sound, seconds, wave_top, _WAVE))
    if person.score is not None:
        parts.append(_confidence(person.score, first, seconds, curve_top))
    label = f"faces, waveform and confidence from frame {first} to {last - 1}"
    return svg(parts, WIDTH, bottom + 16, label)


def _confidence(score: SyncScore, first: int, seconds: float, top: float) -> str:
    raw, smooth = score.confidence, score.smoothed_confidence()
    low, high = min(0.0, float(raw.min())), max(1e-6, float(raw.max()))

    def points(values: NDArray[np.float64]) -> list[tuple[float, float]]:
        times = (first + WINDOW_MIDDLE + np.arange(len(values)) + 0.5) / FRAME_RATE / seconds * WIDTH
        return [(x, top + _CURVE * (high - y) / (high - low)) for x, y in zip(times, values, strict=True)]

    zero = top + _CURVE * high / (high - low)
    return "".join(
        [
            f'<path class="axis" d="M0 {zero:.1f}H{WIDTH}"/>',
            path(points(raw), "thin"), path(points(smooth), "line"),
            text(WIDTH - 2, top + 10, f"confidence, up to {high:.2f}", "end"),
        ]
    )  # fmt: skip


def offset_curve(score: SyncScore) -> str:
    """Mean distance at each offset, the smallest marked; left: the sound is late, right: it is early."""
    width, height, pad = 460, 220, 34
    curve = score.curve[::-1]
    reach = len(curve) // 2
    low, high = float(curve.min()), float(curve.max())
    spread = (high - low) or 1.0

    def place(offset: int, value: float) -> tuple[float, float]:
        x = pad + (offset + reach) / (2 * reach) * (width - 2 * pad)
        return x, 14 + (high - value) / spread * (height - 56)

    points = [place(offset - reach, float(value)) for offset, value in enumerate(curve)]
    best = place(score.offset, score.lse_d)
    median = place(0, score.lse_d + score.lse_c)[1]
    parts = [f'<path class="axis" d="M{pad} {height - 36}H{width - pad}"/>']
    for offset in range(-reach, reach + 1, max(1, reach // 3)):
        x = place(offset, high)[0]
        parts.append(f'<path class="grid" d="M{x:.1f} 14V{height - 36}"/>')
        parts.append(text(x, height - 22, f"{offset:+d}" if offset else "0", "middle"))
    parts += [
        f'<path class="median" d="M{pad} {median:.1f}H{width - pad}"/>',
        text(pad, 10, "mean distance"),
        text(width - pad, median - 4, f"median {score.lse_d + score.lse_c:.2f}", "end"),
        path(points, "line"),
        f'<circle class="best" cx="{best[0]:.1f}" cy="{best[1]:.1f}" r="4.5"/>',
        text(best[0] + 8, best[1] + 4, f"{score.lse_d:.2f}"),
        text(pad, height - 6, "sound late"), text(width - pad, height - 6, "sound early", "end"),
        text(width / 2, height - 6, "offset in frames of 40 ms", "middle"),
    ]  # fmt: skip
    label = f"mean distance over offsets, smallest {score.lse_d:.2f} at {score.offset:+d} frames"
    return svg(parts, width, height, label)


def overview(analysis: Analysis, seconds: float) -> str:
    """Number of faces in each frame, cuts, and every track as a bar: kept, or rejected as too small."""
    top, row = 44, 16
    counts = np.array([len(found) for found in analysis.faces] or [0])
    most = max(1, int(counts.max()))
    parts = []
    for start, _ in analysis.shots[1:]:
        x = start / FRAME_RATE / seconds * WIDTH
        parts.append(f'<path class="cut" d="M{x:.1f} 0V400"><title>cut at frame {start}</title></path>')
    steps = []
    for frame, count in enumerate(counts):
        y = top - 4 - count / most * 24
        steps += [(frame / FRAME_RATE / seconds * WIDTH, y), ((frame + 1) / FRAME_RATE / seconds * WIDTH, y)]
    ends = [(steps[-1][0], float(top - 4)), (0.0, float(top - 4))]
    parts.append(path([*steps, *ends], "count", closed=True))
    parts.append(text(2, 10, f"faces per frame, at most {int(counts.max())}"))
    tracks = [(person.track, f"person {place + 1}", "kept") for place, person in enumerate(analysis.people)]
    tracks += [(track, f"too small, {track.size:.0f} pixels", "rejected") for track in analysis.too_small]
    for place, (track, name, kind) in enumerate(tracks):
        y = top + 4 + place * row
        left, right = (frame / FRAME_RATE / seconds * WIDTH for frame in (track.frames[0], track.frames[-1] + 1))
        parts.append(f'<rect class="{kind}" x="{left:.1f}" y="{y}" width="{right - left:.1f}" height="12" rx="3"/>')
        parts.append(text(left + 5, y + 10, name))
    bottom = top + 6 + max(1, len(tracks)) * row
    return svg([*_seconds_axis(seconds, bottom), *parts], WIDTH, bottom + 16, "faces and tracks over time")
