"""The report as one HTML file: styles, scripts and data are inside, and its policy forbids every outside request."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from mova_eval.records import Aggregate, ScoreSummary
from mova_eval.reports import numbers, view
from mova_eval.reports.embed import payload, script_json, values_of
from mova_eval.reports.inputs import RunFiles
from mova_eval.reports.whiskers import domain_of, whisker

SCRIPTS = ("base.js", "table.js", "plots.js", "words.js", "lips.js", "panel.js", "start.js")
STYLES = ("base.css", "tables.css", "clips.css")
MAX_REASONS = 4
SHOWN_ITEMS = 24
"""Items of a reason shown before the list is folded."""


def html_report(run: RunFiles) -> str:
    """The whole report as HTML. Texts are escaped by the template; the data block holds no "<" at all.

    The scripts are named by their sha256 in the content security policy, so a text that got into the markup all the
    same could not run.
    """
    script = _scripts()
    scores = [_row(run, score) for score in run.summary.scores]
    return _environment().get_template("report.html.j2").render(
        run=run,
        manifest=run.manifest,
        summary=run.summary,
        title=f"{run.manifest.benchmark.title}: {run.manifest.generator.name}",
        facts=view.facts(run),
        warnings=view.warnings(run),
        coverage=view.coverage(run),
        made_with=view.made_with(run),
        scores=scores,
        any_notes=any(score.notes for score in run.summary.scores),
        one_rule=len({score.rule for score in run.summary.scores}) == 1,
        groups=view.reason_groups(run),
        not_run=run.summary.not_run or run.manifest.not_run,
        costs=view.costs(run),
        legend=view.LEGEND,
        manifest_json=json.dumps(run.manifest.model_dump(mode="json"), indent=2, ensure_ascii=False),
        max_reasons=MAX_REASONS,
        shown_items=SHOWN_ITEMS,
        styles=Markup("\n".join(_asset(name) for name in STYLES)),
        script=Markup(script),
        policy=_policy(script),
        data=Markup(script_json(payload(run))),
    )  # fmt: skip


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; media-src 'self' file:;"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mova_eval.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(DASH=numbers.DASH, ARROWS=numbers.ARROWS, DIRECTIONS=numbers.DIRECTIONS)
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False, sort_keys=True)
    environment.filters["date"] = view.date_of
    return environment


def _asset(name: str) -> str:
    return files("mova_eval.reports").joinpath("templates", name).read_text(encoding="utf-8")


def _scripts() -> str:
    return '\n(() => {\n"use strict";\n' + "\n".join(_asset(name) for name in SCRIPTS) + "})();\n"


def _row(run: RunFiles, score: ScoreSummary) -> dict[str, Any]:
    domain = domain_of(score, values_of(run, score))
    return {
        "score": score,
        "unit": numbers.unit_of(score),
        "overall": _aggregate(score, score.overall),
        "sets": [_aggregate(score, score.sets.get(name)) for name in run.summary.benchmark.sets],
        "whisker": Markup(whisker(score, domain)),
        "other_protocol": score.protocol != run.manifest.protocol,
    }


def _aggregate(score: ScoreSummary, aggregate: Aggregate | None) -> dict[str, Any] | None:
    """An aggregate as the texts the template prints."""
    if aggregate is None:
        return None
    style = numbers.style_of(score)
    return {
        "there": aggregate.value is not None,
        "value": style.write(aggregate.value),
        "interval": style.interval(aggregate.interval, dash=""),
        "no_interval": numbers.why_no_interval(aggregate),
        "why": numbers.why_no_value(aggregate) if aggregate.value is None else "",
        "compat": style.write(aggregate.compat) if numbers.compat_differs(score, aggregate) else "",
        "counts": _counts(aggregate),
        "of": aggregate,
    }


def _counts(aggregate: Aggregate) -> str:
    if aggregate.numerator is None or aggregate.denominator is None:
        return ""
    return f"{aggregate.numerator:g} of {aggregate.denominator:g}"
