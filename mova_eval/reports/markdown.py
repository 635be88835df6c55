"""The report as Markdown, for pull requests and for reading in a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from mova_eval.records import Aggregate, ScoreSummary
from mova_eval.reports import view
from mova_eval.reports.inputs import RunFiles
from mova_eval.reports.numbers import (
    ARROWS,
    compat_differs,
    style_of,
    unit_of,
    why_no_interval,
    why_no_value,
)

MAX_ITEMS = 40
"""Items listed per reason; the page lists all of them."""
MAX_REASONS = 5
_SPECIAL = re.compile(r"([\\`*_\[\]|~])")


def markdown_report(run: RunFiles) -> str:
    """The whole report as GitHub-flavoured Markdown; texts of others are escaped, so none can become markup."""
    sections = [
        _headline(run),
        _overall(run),
        _sets(run),
        _missing(run),
        _not_run(run),
        _reading(),
        _manifest(run),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def escape(text: object) -> str:
    """Text that Markdown shows as it is, on one line."""
    plain = " ".join(str(text).split())
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        plain = plain.replace(sign, entity)
    return _SPECIAL.sub(r"\\\1", plain)


def code(text: object) -> str:
    """Text in a code span that fits a table cell, whatever backticks it holds."""
    plain = " ".join(str(text).split()).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", plain)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    marks = ["---:" if place in right else "---" for place in range(len(header))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, marks, *rows))


def _headline(run: RunFiles) -> str:
    m = run.manifest
    lines = [f"# {escape(m.benchmark.title)}: {escape(m.generator.name)}", ""]
    lines += [f"> **{escape(warning)}**\n>" for warning in view.warnings(run)]
    if len(lines) > 2:
        lines[-1] = lines[-1].removesuffix("\n>")
        lines.append("")
    lines += [f"- {label}: {escape(text)}" for label, text in view.facts(run)]
    return "\n".join(lines)


def _overall(run: RunFiles) -> str:
    header = ["Score", "", "Value", "95% interval", "Scored", "Not applicable", "Failed", "Rule"]
    rows = []
    for score in run.summary.scores:
        a = score.overall
        counts = [f"{a.n_scored}/{a.n_expected}", str(a.n_not_applicable), str(a.n_failed)]
        rows.append([_name(run, score), ARROWS[score.direction], _value(score, a), _interval(score, a), *counts])
        rows[-1].append(escape(score.rule))
    text = "## Scores\n\n" + _table(header, rows, frozenset({2, 3, 4, 5, 6}))
    notes = [f"- {code(score.name)}: {escape(note)}" for score in run.summary.scores for note in score.notes]
    if notes:
        text += "\n\nNotes:\n\n" + "\n".join(notes)
    return text


def _name(run: RunFiles, score: ScoreSummary) -> str:
    unit = unit_of(score)
    parts = [f"{escape(score.title)} {code(score.name)}"]
    if unit:
        parts.append(escape(unit))
    if score.made_with:
        parts.append(f"made with {escape(score.made_with)}")
    if score.protocol != run.manifest.protocol:
        parts.append(f"protocol {escape(score.protocol)}")
    return ", ".join(parts)


def _value(score: ScoreSummary, aggregate: Aggregate) -> str:
    style = style_of(score)
    if aggregate.value is None:
        text = f"{style.write(None)} ({why_no_value(aggregate)})"
    else:
        text = f"**{style.write(aggregate.value)}**"
    if compat_differs(score, aggregate):
        text += f" (compat {style.write(aggregate.compat)})"
    return text


def _interval(score: ScoreSummary, aggregate: Aggregate) -> str:
    return style_of(score).interval(aggregate.interval, dash=why_no_interval(aggregate))


def _sets(run: RunFiles) -> str:
    sets = run.summary.benchmark.sets
    if not sets:
        return ""
    rows = [[code(s.name), ARROWS[s.direction], *(_set_cell(s, name) for name in sets)] for s in run.summary.scores]
    header = ["Score", "", *map(escape, sets)]
    return "## By set\n\n" + _table(header, rows, frozenset(range(2, len(header))))


def _set_cell(score: ScoreSummary, name: str) -> str:
    aggregate = score.sets.get(name)
    style = style_of(score)
    if aggregate is None or aggregate.value is None:
        return style.write(None) + (f" (0/{aggregate.n_expected})" if aggregate else "")
    bounds = f" [{style.interval(aggregate.interval)}]" if aggregate.interval else ""
    compat = f", compat {style.write(aggregate.compat)}" if compat_differs(score, aggregate) else ""
    return f"{style.write(aggregate.value)}{bounds} ({aggregate.n_scored}/{aggregate.n_expected}{compat})"


def _missing(run: RunFiles) -> str:
    parts = ["## Clips without a score"]
    for group in view.reason_groups(run):
        noun = "measurement" if group.count == 1 else "measurements"
        lines = [f"### {group.label}: {code(group.code)} ({group.count} {noun})", ""]
        lines.append(f"Metrics: {', '.join(code(name) for name in group.metrics)}")
        lines += ["", *(f"- {escape(reason)}" for reason, _ in group.reasons.most_common(MAX_REASONS))]
        if len(group.reasons) > MAX_REASONS:
            lines.append(f"- and {len(group.reasons) - MAX_REASONS} more such reasons")
        lines += ["", "Items: " + _listed(group.items)]
        parts.append("\n".join(lines))
    if run.summary.missing_clips:
        parts.append("### items without a clip\n\nItems: " + _listed(run.summary.missing_clips))
    if run.summary.unmatched_files:
        parts.append("### files that belong to no item\n\nFiles: " + _listed(run.summary.unmatched_files))
    if run.summary.matching_notes:
        parts.append("### how files were matched\n\n" + "\n".join(f"- {escape(n)}" for n in run.summary.matching_notes))
    return "\n\n".join(parts) if len(parts) > 1 else "## Clips without a score\n\nNone: every measurement has a score."


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(code(name) for name in names[:MAX_ITEMS])
    rest = len(names) - MAX_ITEMS
    return f"{shown} and {rest} more" if rest > 0 else shown


def _not_run(run: RunFiles) -> str:
    entries = run.summary.not_run or run.manifest.not_run
    if not entries:
        return ""
    return "## Metrics not run\n\n" + "\n".join(f"- {code(e.metric)}: {escape(e.reason)}" for e in entries)


def _reading() -> str:
    return "## How to read it\n\n" + "\n".join(f"- **{word}**: {escape(meaning)}" for word, meaning in view.LEGEND)


def _manifest(run: RunFiles) -> str:
    rows = []
    for cost in view.costs(run):
        ref = cost.ref
        seconds = "from cache" if cost.seconds_per_clip is None and cost.cached else _seconds(cost.seconds_per_clip)
        weights = ", ".join(f"{code(name)} {digest[:12]}" for name, digest in ref.weights.items()) or "none"
        parameters = json.dumps(ref.parameters, ensure_ascii=False, sort_keys=True)
        rows.append([code(ref.name), escape(ref.version), weights, code(parameters), seconds])
    header = ["Metric", "Version", "Weights (sha256)", "Parameters", "Seconds per clip"]
    body = run.manifest.model_dump_json(indent=2)
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", body)), default=0))
    return f"## Manifest\n\n{_table(header, rows, frozenset({4}))}\n\n{fence}json\n{body}\n{fence}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
