"""The rule of FFmpeg's `fps` filter: which source frame is shown at each tick of another frame rate."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor


def round_half_away(value: Fraction) -> int:
    """Nearest integer, halves away from zero."""
    return floor(value + Fraction(1, 2)) if value >= 0 else -floor(-value + Fraction(1, 2))


def select(times: Sequence[Fraction], end: Fraction, rate: Fraction) -> tuple[int, list[int]]:
    """Source frame of every output frame, as the filter `fps=rate` with its defaults chooses them.

    times: presentation times in seconds, in decoding output order. end: end of the last frame in seconds.
    Returns (number n of the first output frame, indices): output n + k, at (n + k) / rate seconds, shows
    times[indices[k]], the last frame whose time, rounded to output ticks with halves away from zero, is <= n + k.
    A time stamp that goes back is taken as it stands, in order, as the filter does. Empty where the clip ends before
    half an output tick has passed.
    """
    if not times:
        return 0, []
    ticks = [round_half_away(time * rate) for time in times]
    first = ticks[0]
    last = round_half_away(end * rate)
    indices: list[int] = []
    current = 0
    for tick in range(first, max(last, first)):
        while current + 1 < len(ticks) and ticks[current + 1] <= tick:
            current += 1
        indices.append(current)
    return first, indices
