"""The small drawing beside a difference: zero in the middle, better to the right, the interval as a line."""

from __future__ import annotations

from html import escape

from mova_eval.comparison.records import ScoreComparison
from mova_eval.reports.numbers import difference_style, signed, signed_interval

WIDTH, HEIGHT = 200, 20


def forest(
    score: ScoreComparison,
    difference: float | None,
    interval: tuple[float, float] | None,
    detectable: float | None = None,
    *,
    verdict: str = "",
    width: int = WIDTH,
) -> str:
    """SVG of one difference; an empty text when there is none. Scores without a better direction are drawn as they are.

    The axis reaches as far as the interval and the detectable difference do, so zero and the ends can be told apart;
    axes of different scores are not the same.
    """
    if difference is None:
        return ""
    turn = 1.0 if score.direction != "lower" else -1.0
    ends = sorted(turn * end for end in interval) if interval else [turn * difference] * 2
    reach = max(abs(ends[0]), abs(ends[1]), abs(difference), detectable or 0.0) * 1.12 or 1.0

    def x(value: float) -> float:
        return round(width / 2 + value / reach * (width / 2 - 4), 1)

    parts = []
    if detectable:
        left, right = x(-detectable), x(detectable)
        parts.append(f'<rect class="blind" x="{left}" y="2" width="{round(right - left, 1)}" height="16" rx="3"/>')
    parts.append(f'<path class="zero" d="M{width / 2} 0v20"/>')
    if interval:
        low, high = x(ends[0]), x(ends[1])
        parts.append(f'<path class="line" d="M{low} 10H{high}M{low} 6v8M{high} 6v8"/>')
    parts.append(f'<circle class="dot" cx="{x(turn * difference)}" cy="10" r="4"/>')
    style = difference_style(score)
    said = f"{score.name}: head − base {signed(style, difference)}"
    if interval:
        said += f", 95% interval {signed_interval(style, interval)}"
    opening = f'<svg class="forest {verdict}" role="img" aria-label="{escape(said)}" viewBox="0 0 {width} {HEIGHT}"'
    return f'{opening} width="{width}" height="{HEIGHT}">{"".join(parts)}</svg>'
