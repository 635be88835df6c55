"""A history as one static page: a chart per score, and what changed when."""

from __future__ import annotations

from html import escape
from typing import Any

from markupsafe import Markup

from mova_eval.history.records import Change, History, Line, Point, Series
from mova_eval.reports.numbers import (
    ARROWS,
    DIRECTIONS,
    Style,
    difference_style,
    signed,
    signed_interval,
    style_of,
    unit_of,
)
from mova_eval.reports.shell import render
from mova_eval.reports.view import date_of
from mova_eval.reports.whiskers import nice_extent

WIDTH, HEIGHT = 420, 150
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 14, 24


def history_page(history: History) -> str:
    """The whole page; every number is in its markup."""
    return render(
        "history.html.j2",
        data={"items": [], "cells": [], "scores": [], "metrics": [], "strings": []},
        scripts=("standing.js",),
        styles=("history.css",),
        history=history,
        series=[_series(series) for series in history.series],
        n_runs=sum(len(series.runs) for series in history.series),
    )


def _series(series: Series) -> dict[str, Any]:
    changes = [
        {**_change(line, point, change), "when": _when(series, point.run)}
        for line in series.lines
        for point, change in line.changes
    ]
    order = {mark.run: place for place, mark in enumerate(series.runs)}
    return {
        "of": series,
        "cards": [_card(series, line) for line in series.lines if any(p.value is not None for p in line.points)],
        "changes": sorted(changes, key=lambda one: -order[one["run"]]),
        "runs": [
            {
                "mark": mark,
                "commit": f"{mark.commit[:10]}{' with changes' if mark.dirty else ''}" if mark.commit else "unknown",
                "changes": [
                    f"{line.name} {c.verdict}" for line in series.lines for p, c in line.changes if p.run == mark.run
                ],
            }
            for mark in reversed(series.runs)
        ],
    }


def _when(series: Series, run: str) -> str:
    return next(date_of(mark.created) for mark in series.runs if mark.run == run)


def _change(line: Line, point: Point, change: Change) -> dict[str, Any]:
    style = difference_style(line)
    return {
        "name": line.name,
        "title": line.title,
        "run": point.run,
        "since": change.since,
        "verdict": change.verdict,
        "difference": signed(style, change.difference),
        "interval": signed_interval(style, change.interval, dash=""),
        "n": change.n,
    }


def _card(series: Series, line: Line) -> dict[str, Any]:
    style = style_of(line)
    last = next(point for point in reversed(line.points) if point.value is not None)
    return {
        "line": line,
        "unit": unit_of(line),
        "value": style.write(last.value),
        "interval": style.interval(last.interval, dash=""),
        "arrow": ARROWS[line.direction],
        "says": DIRECTIONS[line.direction],
        "changes": len(line.changes),
        "verdict": line.changes[-1][1].verdict if line.changes else "",
        "chart": Markup(_chart(series, line, style)),
    }


def _chart(series: Series, line: Line, style: Style) -> str:
    ends = [end for p in line.points if p.value is not None for end in (p.value, *(p.interval or ()))]
    low, high = nice_extent(ends)
    n = len(line.points)

    def x(place: int) -> float:
        span = WIDTH - LEFT - RIGHT - 16
        return round(LEFT + 8 + (span * place / (n - 1) if n > 1 else span / 2), 1)

    def y(value: float) -> float:
        return round(TOP + (1 - (value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM), 1)

    parts = []
    for tick in (low, (low + high) / 2, high):
        parts.append(f'<path class="grid" d="M{LEFT} {y(tick)}H{WIDTH - RIGHT}"/>')
        text = f"{tick * style.scale:.4g}{style.suffix}"
        parts.append(f'<text x="{LEFT - 6}" y="{y(tick) + 3.5}" text-anchor="end">{text}</text>')
    parts += [f'<path class="trace" d="{piece}"/>' for piece in _pieces(line.points, x, y)]
    for place, point in enumerate(line.points):
        if point.value is not None:
            parts.append(_dot(line, point, x(place), y(point.value), y, style))
    dates = [date_of(mark.created)[:10] for mark in series.runs]
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 6}">{escape(dates[0])}</text>')
    if n > 1:
        parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{escape(dates[-1])}</text>')
    label = escape(f"{line.title} over {n} runs, {DIRECTIONS[line.direction]}, {len(line.changes)} real changes")
    opening = f'<svg role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
    return f"{opening}{''.join(parts)}</svg>"


def _pieces(points: list[Point], x: Any, y: Any) -> list[str]:
    """The line, broken where a value is missing or the metric itself changed."""
    pieces: list[str] = []
    current = ""
    for place, point in enumerate(points):
        if point.value is None or point.apart:
            pieces.append(current)
            current = ""
        if point.value is not None:
            current += f"{'L' if current else 'M'}{x(place)} {y(point.value)}"
    return [piece for piece in [*pieces, current] if "L" in piece]


def _dot(line: Line, point: Point, cx: float, cy: float, y: Any, style: Style) -> str:
    said = f"{point.run}: {style.write(point.value)}"
    drawn = ""
    if point.interval is not None:
        top, bottom = y(point.interval[1]), y(point.interval[0])
        drawn = f'<path class="bar" d="M{cx} {top}V{bottom}M{cx - 3} {top}h6M{cx - 3} {bottom}h6"/>'
        said += f", 95% interval {style.interval(point.interval)}"
    said += f", {point.n} of {point.expected} clips"
    kind = ""
    if point.change is not None:
        kind = point.change.verdict
        moved = signed(difference_style(line), point.change.difference)
        said += f"; {kind} by {moved} since {point.change.since}"
        drawn += f'<path class="step {kind}" d="M{cx} {TOP - 6}V{HEIGHT - BOTTOM}"/>'
    if point.apart:
        said += f"; {point.apart}"
    title = f"<title>{escape(said)}</title>"
    return f'<g>{title}{drawn}<circle class="dot {kind}" cx="{cx}" cy="{cy}" r="{5 if kind else 3.6}"/></g>'
