"""A comparison as a table for the terminal."""

from __future__ import annotations

from dataclasses import replace

from rich import box
from rich.table import Table
from rich.text import Text

from mova_eval.comparison.records import Comparison, ScoreComparison
from mova_eval.comparison.wording import headline, sentence_of_differences
from mova_eval.gates.records import GateResult, Outcome
from mova_eval.reports.numbers import ARROWS, difference_style, p_text, signed, style_of

STYLES = {"worse": "bold red", "better": "bold green", "changed": "bold yellow"}
SHORT = {"no difference shown": "–", "not compared": "missing"}


def comparison_table(comparison: Comparison) -> Table:
    """One row per score; fits 80 columns."""
    table = Table(
        title=Text(headline(comparison)),
        caption=Text(_caption(comparison)),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        padding=(0, 1, 0, 0),
        title_style="bold",
        caption_style="dim",
        caption_justify="left",
    )
    table.add_column("score", overflow="fold")
    for name in ("base", "head"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("head - base", justify="right", no_wrap=True)
    table.add_column("p", justify="right", no_wrap=True)
    table.add_column("finds", justify="right", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold", min_width=7)
    for score in comparison.scores:
        table.add_row(*_row(score))
    return table


def _row(score: ScoreComparison) -> list[Text]:
    style, shift = style_of(score), difference_style(score)
    moved = Text(signed(shift, score.difference), style="bold")
    if score.interval is not None:
        bare = replace(shift, suffix="")
        low, high = (signed(bare, end) for end in score.interval)
        moved.append(f"\n[{low}, {high}]", style="dim not bold")
    lost = f"\nlost {score.coverage.only_base}" if score.coverage.only_base else ""
    return [
        Text(f"{score.name} {ARROWS[score.direction]}"),
        Text(style.write(score.base)),
        Text(style.write(score.head)),
        moved,
        Text(p_text(score.p_holm)),
        Text(shift.write(score.detectable)),
        Text(f"{score.n}{lost}"),
        Text(SHORT.get(score.verdict, score.verdict), style=STYLES.get(score.verdict, "")),
    ]


def _caption(comparison: Comparison) -> str:
    parts = [
        "head - base with its 95% interval; p: permutation test, Holm-corrected; finds: the smallest true difference"
        " found with power 0.8; n: items scored in both runs; –: no difference shown",
    ]
    differing = sentence_of_differences(comparison)
    if differing:
        parts.append(f"made differently: {differing}")
    parts += comparison.notes
    return "\n".join(parts)


GATE_STYLES = {"fail": "bold red", "warn": "yellow", "pass": "green", "not judged": "dim"}


def gate_table(result: GateResult) -> Table:
    """What failed, warned, passed, in this order; the outcome is the title."""
    table = Table(
        title=Text(f"{result.sentence} (rules: {result.gate})"),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        title_style=GATE_STYLES[result.outcome],
        title_justify="left",
        show_header=False,
    )
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", max_width=22)
    table.add_column(overflow="fold", ratio=1)
    order: tuple[Outcome, ...] = ("fail", "warn", "pass", "not judged")
    for outcome in order:
        for check in result.having(outcome):
            table.add_row(Text(outcome, style=GATE_STYLES[outcome]), Text(check.title), Text(check.message))
    return table
