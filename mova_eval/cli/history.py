"""`mova-eval history`: each score over many runs, with the changes that are real."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mova_eval.cli.app import EXIT_OK, app
from mova_eval.cli.options import words

if TYPE_CHECKING:
    from mova_eval.history import History


@app.command()
def history(
    folder: Annotated[Path, typer.Argument(help="Folder that holds run directories.")],
    metrics: Annotated[
        str | None, typer.Option("--metrics", "-m", help="Comma-separated metrics or scores; default: all.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The page; default: FOLDER/history.html.")] = None,
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap resamples of a change's interval.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the random draws.")] = 0,
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON on standard output.")] = False,
) -> int:
    """Draw each score over the runs of a folder with intervals, and mark real changes; one static page.

    Example: mova-eval history results
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from mova_eval.history import trace_history, write_history

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=json_) as bar:
        task = bar.add_task("reading", total=None)

        def step(name: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, description=f"reading {name}")

        found = trace_history(folder, metrics=words(metrics), resamples=resamples, seed=seed, on_run=step)
    written = write_history(found, out or folder / "history.html")
    if json_:
        typer.echo(found.model_dump_json(indent=1))
        return EXIT_OK
    _show(found)
    typer.echo(f"history: {written[0]}")
    return EXIT_OK


def _show(found: History) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mova_eval.reports.numbers import ARROWS, difference_style, signed, style_of

    console = Console()
    for series in found.series:
        title = Text(f"{series.model}, {series.benchmark}, protocol {series.protocol}: {len(series.runs)} runs")
        table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, title_style="bold")
        for name in ("score", "first", "last", "real changes"):
            table.add_column(name, justify="right" if name in ("first", "last") else "left", overflow="fold")
        for line in series.lines:
            values = [point.value for point in line.points if point.value is not None]
            if not values:
                continue
            style, shift = style_of(line), difference_style(line)
            changes = [f"{c.verdict} {signed(shift, c.difference)} at {point.run}" for point, c in line.changes]
            label = Text(f"{line.name} {ARROWS[line.direction]}")
            table.add_row(label, style.write(values[0]), style.write(values[-1]), Text("; ".join(changes) or "none"))
        console.print(table)
    for name, why in found.skipped.items():
        console.print(f"left out: {name}: {why}", style="yellow", markup=False, soft_wrap=True)
