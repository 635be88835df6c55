"""`mova-eval metrics`: every metric with its needs, weights, licence, direction, and whether it can run here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mova_eval.cli.app import EXIT_OK, app
from mova_eval.cli.texts import about

if TYPE_CHECKING:
    from metrics.types import MetricCard

ARROWS = {"higher": "↑", "lower": "↓", "target": "·"}


@app.command()
def metrics(
    name: Annotated[str | None, typer.Argument(help="One metric or score: everything about it.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """List the metrics: scores and direction, needs, weights, licence, and whether each can run on this machine.

    Example: mova-eval metrics dnsmos
    """
    from metrics.registry import available, card, metric_class

    cards = [card(metric_class(name).name)] if name else [card(each) for each in available()]
    if json_:
        import json

        typer.echo(json.dumps([as_json(c) for c in cards], indent=2))
    elif name:
        _show_one(cards[0])
    else:
        _show_table(cards)
    return EXIT_OK


def as_json(card: MetricCard) -> dict[str, Any]:
    """A metric's card as JSON values."""
    from dataclasses import asdict

    return {**asdict(card), "needs": sorted(card.needs), "can_run": card.can_run}


def _show_table(cards: list[MetricCard]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("metric", "scores", "needs", "weights", "licence", "runs here"):
        table.add_column(column, overflow="fold")
    for c in cards:
        scores = " ".join(f"{s.name}{ARROWS[s.direction]}" for s in c.scores)
        table.add_row(
            c.name,
            scores,
            " ".join(sorted(c.needs)) or "-",
            "\n".join(c.weights) or "-",
            escape(c.licence),
            "yes" if c.can_run else "no",
        )
    console = Console()
    console.print(table)
    for c in cards:
        for gap in c.missing:
            console.print(about(c.name, gap), style="dim", soft_wrap=True, highlight=False, markup=False)


def _show_one(c: MetricCard) -> None:
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(f"{c.name} {c.version}: {c.title} (from {c.origin})", style="bold")
    for s in c.scores:
        low, high = ("-inf" if s.range[0] is None else s.range[0]), ("inf" if s.range[1] is None else s.range[1])
        console.print(f"  {s.name} {ARROWS[s.direction]} {s.title}; {s.unit}; range {low} to {high}; {s.source}")
    console.print(f"  needs: {', '.join(sorted(c.needs)) or 'nothing but the file'}")
    console.print(f"  protocols: {', '.join(c.protocols)}")
    console.print(f"  weights: {', '.join(c.weights) or 'none'}; licence: {c.licence}")
    console.print("  runs here: " + ("yes" if c.can_run else "no"))
    for gap in c.missing:
        console.print(f"  {gap}")
