"""The table beside baselines as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from markupsafe import Markup

from mova_eval.baselines.records import Group, Head, Row, Standing
from mova_eval.baselines.texts import READING, count_text, interval_text, remarks, value_text
from mova_eval.comparison.wording import card_facts
from mova_eval.reports.numbers import DIRECTIONS, style_of
from mova_eval.reports.shell import render
from mova_eval.reports.whiskers import nice_extent

WIDTH, LANE = 320, 13


def standing_page(standing: Standing) -> str:
    """The whole page: main table, a strip per score that shows where the runs lie, context."""
    ours = [row.label for row in standing.rows if row.origin == "run"]
    made_with = dict.fromkeys(c.made_with for r in standing.rows for c in r.cells.values() if c.made_with)
    return render(
        "standing.html.j2",
        data={"items": [], "cells": [], "scores": [], "metrics": [], "strings": []},
        scripts=("standing.js",),
        styles=("standing.css",),
        standing=standing,
        ours=ours,
        made_with=list(made_with),
        main=_rows(standing.rows, standing.columns),
        strips=[_strip(head, standing.rows) for head in standing.columns if head.direction != "target"],
        groups=[_group(group) for group in standing.context],
        cards=[{"label": one.label, "path": one.path, "facts": card_facts(one.card)} for one in standing.cards],
        remarks=remarks(standing),
        reading=READING,
        n_published=sum(row.origin != "run" for row in standing.rows),
    )


def _rows(rows: Sequence[Row], heads: Sequence[Head]) -> list[dict[str, Any]]:
    made = []
    for row in rows:
        cells = []
        for head in heads:
            cell = row.cells.get(head.name)
            cells.append(
                {
                    "value": value_text(cell, head),
                    "interval": interval_text(cell, head),
                    "n": count_text(cell),
                    "short": cell is not None and cell.n is not None and cell.n != cell.expected,
                    "mark": cell.mark if cell else "",
                    "remark": cell.remark if cell else "",
                    "made_with": cell.made_with if cell else "",
                    "there": cell is not None,
                }
            )
        made.append({"row": row, "cells": cells})
    return made


def _group(group: Group) -> dict[str, Any]:
    return {"group": group, "rows": _rows(group.rows, group.columns)}


def _strip(head: Head, rows: Sequence[Row]) -> dict[str, Any]:
    """One score's numbers on an axis, better to the right: a lane of published ones, then a lane per run."""
    there = [(row, row.cells[head.name]) for row in rows if head.name in row.cells]
    ours = [(row, cell) for row, cell in there if row.origin == "run"]
    ends = [end for _, cell in there for end in (cell.interval or (cell.value,))]
    low, high = nice_extent(ends)
    turn = head.direction == "lower"

    def x(value: float) -> float:
        place = (value - low) / (high - low)
        return round(6 + (1 - place if turn else place) * (WIDTH - 12), 1)

    style = style_of(head)
    height = 34 + LANE * max(len(ours), 1)
    parts = [f'<path class="axis" d="M6 16H{WIDTH - 6}"/>']
    for row, cell in there:
        if row.origin != "run":
            said = escape(f"{row.label}: {style.write(cell.value)}")
            parts.append(f'<circle class="them" cx="{x(cell.value)}" cy="16" r="4"><title>{said}</title></circle>')
    for lane, (row, cell) in enumerate(ours):
        y = 32 + LANE * lane
        said = f"{row.label}: {style.write(cell.value)}"
        if cell.interval is not None:
            a, b = sorted(map(x, cell.interval))
            parts.append(f'<path class="bar" d="M{a} {y}H{b}M{a} {y - 4}v8M{b} {y - 4}v8"/>')
            said += f", 95% interval {style.interval(cell.interval)}"
        dot = f'<circle class="us" cx="{x(cell.value)}" cy="{y}" r="4.5"><title>{escape(said)}</title></circle>'
        parts.append(dot)
    left, right = (high, low) if turn else (low, high)
    parts.append(f'<text x="6" y="{height}">{left:.4g}</text>')
    parts.append(f'<text x="{WIDTH - 6}" y="{height}" text-anchor="end">{right:.4g}</text>')
    parts.append(f'<text x="{WIDTH / 2:g}" y="{height}" text-anchor="middle">better →</text>')
    label = escape(f"{head.title}, {DIRECTIONS[head.direction]}: {len(there)} systems, better to the right")
    size = f'viewBox="0 0 {WIDTH} {height + 4}" width="{WIDTH}" height="{height + 4}"'
    opening = f'<svg role="img" aria-label="{label}" {size}>'
    return {"head": head, "svg": Markup(f"{opening}{''.join(parts)}</svg>")}
