"""The small drawing beside an aggregate: the score's range, the interval as a whisker, one tick per set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from mova_eval.records import ScoreSummary
from mova_eval.reports.numbers import style_of

WIDTH, HEIGHT, PAD = 168, 26, 5


def nice_extent(values: Iterable[float]) -> tuple[float, float]:
    """A round interval that holds all values (at least 0 to 1 without any): ends are multiples of 1, 2 or 5 * 10^k."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span))
    step = next(power * m for m in (0.1, 0.2, 0.5, 1.0) if span / (power * m) <= 20)
    start, end = math.floor(low / step) * step, math.ceil(high / step) * step
    return (start, end) if end > start else (start - step, end + step)


def domain_of(score: ScoreSummary, values: Sequence[float]) -> tuple[float, float]:
    """The drawn axis: the score's range where it is closed, open ends taken from the clips' values and intervals."""
    low, high = score.range
    if low is not None and high is not None:
        return low, high
    shown = [*values, *(score.overall.interval or ())]
    shown += [a.value for a in (score.overall, *score.sets.values()) if a.value is not None]
    start, end = nice_extent([*shown, *(end for end in (low, high) if end is not None)])
    return (start if low is None else low), (end if high is None else high)


def whisker(score: ScoreSummary, domain: tuple[float, float]) -> str:
    """SVG of a score's overall value on `domain`; an empty text when there is no value."""
    overall = score.overall
    if overall.value is None:
        return ""
    low, high = domain
    style = style_of(score)

    def x(value: float) -> float:
        place = (value - low) / (high - low) if high > low else 0.5
        return round(PAD + min(max(place, 0.0), 1.0) * (WIDTH - 2 * PAD), 1)

    parts = [f'<line class="axis" x1="{PAD}" y1="9" x2="{WIDTH - PAD}" y2="9"/>']
    for name, aggregate in score.sets.items():
        if aggregate.value is not None and len(score.sets) > 1:
            at, said = x(aggregate.value), f"{name}: {style.write(aggregate.value)}"
            parts.append(f'<path class="tick" d="M{at} 5v8"><title>{escape(said)}</title></path>')
    said = style.write(overall.value)
    if overall.interval is not None:
        a, b = (x(end) for end in overall.interval)
        parts.append(f'<path class="bar" d="M{a} 9H{b}M{a} 5v8M{b} 5v8"/>')
        said += f", 95% interval {style.interval(overall.interval)}"
    parts.append(f'<circle class="dot" cx="{x(overall.value)}" cy="9" r="3.6"/>')
    parts.append(f'<text x="{PAD}" y="24">{_end(low * style.scale)}</text>')
    parts.append(f'<text x="{WIDTH - PAD}" y="24" text-anchor="end">{_end(high * style.scale)}{style.suffix}</text>')
    label = escape(f"{score.title}: {said}, on {_end(low * style.scale)} to {_end(high * style.scale)}{style.suffix}")
    opening = f'<svg class="whisker" role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'{opening} width="{WIDTH}" height="{HEIGHT}">{"".join(parts)}</svg>'


def _end(value: float) -> str:
    return f"{value:.4g}"
