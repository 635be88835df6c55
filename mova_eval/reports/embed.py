"""The data that the page carries for its table, plots and clip panel: JSON, interned and cut to a budget.

What is cut here is still whole in scores.jsonl; the page says so where it happens.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from mova_eval.records import Record, RunItem, ScoreSummary
from mova_eval.reports.inputs import RunFiles
from mova_eval.reports.numbers import ARROWS, DIRECTIONS, style_of, unit_of
from mova_eval.reports.whiskers import domain_of

DETAILS_BUDGET = 1_200_000
"""Characters that all details together may take in a page."""
STATUS = {"scored": 0, "not_applicable": 1, "failed": 2}
_HTML_SAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


@dataclass
class _Strings:
    """Texts that come again and again (reasons, codes), each kept once."""

    places: dict[str, int] = field(default_factory=dict)

    def __call__(self, text: str) -> int:
        return self.places.setdefault(text, len(self.places))


@dataclass(frozen=True)
class Limits:
    """How much of one measurement's details a page keeps: characters per text, entries per list or object."""

    text: int
    entries: int
    depth: int = 5


LIMITS = (Limits(2000, 240), Limits(2000, 48), Limits(800, 16), Limits(300, 8), Limits(120, 4), Limits(40, 2, 2))
"""From generous to tight; a report takes the first that keeps all details within `DETAILS_BUDGET`."""


def script_json(value: Any) -> str:
    """JSON that is safe inside a <script> element: no "<", so that no text can end the element or open a comment."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(_HTML_SAFE)


def clip_url(path: str | None) -> str | None:
    """A clip's path relative to the run as a URL that can only be a relative path: "./clips/set1/a%20b.mp4"."""
    if not path:
        return None
    return "./" + quote(path.lstrip("/"), safe="/")


def shorten(value: Any, limits: Limits, depth: int = 0) -> Any:
    """A copy of a JSON value that fits `limits`: long texts end in an ellipsis, long lists tell what is left out.

    Floats are rounded to six significant digits; NaN and infinities, which JSON does not know, become null.
    """
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, str):
        return value if len(value) <= limits.text else value[: limits.text] + "…"
    if not isinstance(value, dict | list):
        return value
    if depth >= limits.depth:
        return "…"
    rest = len(value) - limits.entries
    more = f"… {rest} more in scores.jsonl"
    if isinstance(value, list):
        kept = [shorten(entry, limits, depth + 1) for entry in value[: limits.entries]]
        return [*kept, more] if rest > 0 else kept
    pairs = list(value.items())[: limits.entries]
    made = {str(key)[: limits.text]: shorten(entry, limits, depth + 1) for key, entry in pairs}
    return {**made, "…": more} if rest > 0 else made


def choose_limits(details: Iterable[dict[str, Any]]) -> Limits:
    """The most generous limits under which all details fit the budget."""
    kept = [entry for entry in details if entry]
    for limits in LIMITS[:-1]:
        size = 0
        for entry in kept:
            size += len(script_json(shorten(entry, limits)))
            if size > DETAILS_BUDGET:
                break
        else:
            return limits
    return LIMITS[-1]


def payload(run: RunFiles) -> dict[str, Any]:
    """Everything the page's scripts read.

    `cells` holds per item one row with an entry per metric: 0 for no record, else
    [status, values by the metric's scores, code, reason, details, flags, counts, seconds] with trailing zeros left off;
    status is 0 scored, 1 not applicable, 2 failed; code and reason are places in `strings`, plus one.
    """
    strings = _Strings()
    by_metric: dict[str, list[ScoreSummary]] = {}
    for score in run.summary.scores:
        by_metric.setdefault(score.metric, []).append(score)
    metrics = list(dict.fromkeys([*(m.name for m in run.manifest.metrics), *by_metric]))
    limits = choose_limits(record.details for record in run.records.values())
    cells = [
        [_cell(run, item, metric, by_metric.get(metric, []), strings, limits) for metric in metrics]
        for item in run.items
    ]
    return {
        "metrics": metrics,
        "scores": [_score(run, score, metrics, by_metric) for score in run.summary.scores],
        "sets": list(dict.fromkeys([*run.summary.benchmark.sets, *(item.set for item in run.items)])),
        "items": [_item(item) for item in run.items],
        "cells": cells,
        "strings": list(strings.places),
    }


def values_of(run: RunFiles, score: ScoreSummary) -> list[float]:
    """Finite values of one score over the run's clips, in item order."""
    records = (run.records.get((item.item, score.metric)) for item in run.items)
    values = (record.scores.get(score.name) for record in records if record is not None)
    return [value for value in values if value is not None and math.isfinite(value)]


def _score(
    run: RunFiles, score: ScoreSummary, metrics: list[str], by_metric: dict[str, list[ScoreSummary]]
) -> dict[str, Any]:
    style, values = style_of(score), values_of(run, score)
    return {
        "name": score.name,
        "title": score.title,
        "metric": metrics.index(score.metric),
        "place": by_metric[score.metric].index(score),
        "arrow": ARROWS[score.direction],
        "says": DIRECTIONS[score.direction],
        "unit": unit_of(score),
        "decimals": style.decimals,
        "scale": style.scale,
        "suffix": style.suffix,
        "domain": list(domain_of(score, values)),
        "per_clip": bool(values) or score.overall.n_scored == 0,
        "sets": {name: [a.value, *(a.interval or ())] for name, a in score.sets.items() if a.value is not None},
    }


def _item(item: RunItem) -> dict[str, Any]:
    return {
        "id": item.item,
        "set": item.set,
        "category": item.category or "",
        "language": item.language or "",
        "prompt": item.prompt,
        "speech": [[turn.get("speaker", ""), turn.get("text", "")] for turn in item.speech],
        "flags": item.flags,
        "clip": clip_url(item.clip),
    }


def _cell(
    run: RunFiles, item: RunItem, metric: str, scores: list[ScoreSummary], strings: _Strings, limits: Limits
) -> Any:
    record = run.records.get((item.item, metric))
    if record is None:
        return 0
    timing = run.timings.get((item.item, metric))
    cell: list[Any] = [
        STATUS[record.status],
        [_value(record, score) for score in scores] if record.status == "scored" else [],
        strings(record.code) + 1 if record.code else 0,
        strings(record.reason) + 1 if record.reason else 0,
        shorten(record.details, limits) or 0,
        record.flags or 0,
        {name: list(pair) for name, pair in record.counts.items()} or 0,
        round(timing.seconds, 2) if timing is not None and not timing.cached else 0,
    ]
    while cell[-1] == 0:
        cell.pop()
    return cell or [0]


def _value(record: Record, score: ScoreSummary) -> float | None:
    value = record.scores.get(score.name)
    if value is None or not math.isfinite(value):
        return None
    return round(value, score.decimals + 4)
