"""The aggregate as a table for the terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from mova_eval.records import ScoreSummary, Summary
from mova_eval.reports.numbers import ARROWS, compat_differs, style_of, why_no_interval, why_no_value


def summary_table(summary: Summary) -> Table:
    """One row per score; fits 80 columns, the rule wraps. Texts are plain: no markup in them is obeyed."""
    sets = ", ".join(summary.benchmark.sets)
    table = Table(
        title=Text(f"{summary.benchmark.title} {summary.benchmark.version} ({sets})"),
        caption=Text(_caption(summary)),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        padding=(0, 1, 0, 0),
        title_style="bold",
        caption_style="dim",
        caption_justify="left",
    )
    table.add_column("score", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("95% interval", max_width=18)
    table.add_column("scored", justify="right", no_wrap=True)
    table.add_column("rule", overflow="fold", ratio=1, style="dim")
    for score in summary.scores:
        table.add_row(*_row(score))
    return table


def _row(score: ScoreSummary) -> list[Text]:
    style, overall = style_of(score), score.overall
    missed = overall.n_scored < overall.n_expected
    remarks = [score.rule]
    if overall.value is None:
        remarks = [why_no_value(overall)]
    if compat_differs(score, overall):
        remarks.append(f"compat {style.write(overall.compat)}")
    return [
        Text(score.name),
        Text(ARROWS[score.direction]),
        Text(style.write(overall.value), style="bold"),
        Text(style.interval(overall.interval, dash=why_no_interval(overall))),
        Text(f"{overall.n_scored}/{overall.n_expected}", style="yellow" if missed else ""),
        Text("; ".join(remarks)),
    ]


def _caption(summary: Summary) -> str:
    parts = ["↑ higher is better, ↓ lower is better, ↔ neither"]
    if not summary.complete:
        parts.append("INCOMPLETE: the run has not measured every clip yet")
    if summary.missing_clips:
        parts.append(f"{len(summary.missing_clips)} of {summary.n_items} items have no clip")
    if summary.not_run:
        parts.append(f"not run: {', '.join(entry.metric for entry in summary.not_run)}")
    if any(compat_differs(score, score.overall) for score in summary.scores):
        parts.append("compat: with the official tool's value for failed clips")
    return "\n".join(parts)
