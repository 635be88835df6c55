"""Which source frame stands at which 25 fps frame, as the ffmpeg program decides it on the way to an AVI and to JPEGs.

The first step (`ffmpeg -i clip -r 25 clip.avi`) drops frames above 25 fps and leaves empty slots below it; the second
(`ffmpeg -i clip.avi %06d.jpg`) fills the empty slots. AVI files cannot begin before zero, while the MP3 encoder's first
packet does; the muxer therefore moves all streams on by the encoder's delay, rounded up to whole frames. The first
picture stays at zero, so that the pictures after it come one or two frames late. Checked against ffmpeg 5.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

FRAME_RATE = 25
MP3_DELAY = 1105
"""Samples by which the LAME encoder is ahead of its input."""
_SUBFRAME = 1 << 16


def avi_slots(
    times: Sequence[Fraction],
    durations: Sequence[Fraction],
    audio_rate: int | None = None,
    frame_rate: Fraction | None = None,
) -> list[tuple[int, int]]:
    """(source frame, slot in the AVI) of each frame that ffmpeg keeps.

    times: presentation times in seconds, increasing, counted from the start of the file; durations: of each frame, 0
    where unknown. audio_rate: sampling rate of the sound that is muxed beside it as MP3, None without sound.
    frame_rate: as FFmpeg guesses it; it stands in for durations of less than half a slot. None or 0: up to 25.
    """
    usual = min(FRAME_RATE / frame_rate, Fraction(1)) if frame_rate else Fraction(1)
    kept: list[tuple[int, int]] = []
    slot = 0
    for source, (time, duration) in enumerate(zip(times, durations, strict=True)):
        position = math.floor(time * FRAME_RATE * _SUBFRAME + Fraction(1, 2)) / _SUBFRAME
        position += (1 if position > 0 else -1) / (2 * _SUBFRAME)  # ffmpeg keeps clear of exact halves
        length = round(float(duration * FRAME_RATE)) or float(usual)
        drift = position - slot
        reach = drift + length
        if drift < 0 < reach:
            position = slot
        if reach <= -0.6:
            continue
        if reach > 0.6:
            slot = round(position)
        kept.append((source, slot))
        slot += 1
    shift = math.ceil(Fraction(MP3_DELAY * FRAME_RATE, audio_rate)) if audio_rate else 0
    return [(source, slot + shift if place else 0) for place, (source, slot) in enumerate(kept)]


def constant_rate(slots: Sequence[int]) -> list[int]:
    """For each picture of the 25 fps sequence, which entry of `slots` it shows.

    A gap is filled with the frame after it, a long one first with the frame before it.
    """
    shown: list[int] = []
    history = [0, 0, 0]
    for entry, slot in enumerate(slots):
        drift = slot - len(shown)
        count, before = 1, 0
        if drift > 0:
            count = drift + 1
            before = round(drift - 0.6) if drift > 1 else 0
        elif drift < -2:
            count = 0
        history = [min(before, count), *history[:2]]
        shown.extend([entry - 1] * history[0] + [entry] * (count - history[0]))
    if shown:
        shown.extend([len(slots) - 1] * sorted(history)[1])  # ffmpeg expects the last gaps to go on
    return shown
