"""`mova-eval report`: a run's table and reports, and its row under the published ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mova_eval.cli.app import EXIT_OK, app
from mova_eval.cli.options import words

if TYPE_CHECKING:
    from mova_eval.baselines import Standing

PAGES = ("md", "html")


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run directory; several to put them into one table.")],
    formats: Annotated[
        str, typer.Option(help="Comma-separated: md, html (report and table), tex, csv, json (table).")
    ] = "md,html",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the table; default: the run, or where the runs lie.")
    ] = None,
    baselines: Annotated[bool, typer.Option("--baselines/--no-baselines", help="Show published rows.")] = True,
    include_doubtful: Annotated[
        bool, typer.Option("--include-doubtful", help="Also doubtful sources and those of other benchmarks.")
    ] = False,
    context: Annotated[bool, typer.Option("--context", help="Print rows that are not comparable, too.")] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="Print the summary (of several runs: the table) as JSON on standard output.")
    ] = False,
) -> int:
    """Show the table of a run, write report.md and report.html again, and put its row under the published ones.

    The table beside published results goes to table.md, table.html and, if asked for, table.tex, table.csv, table.json.

    Example: mova-eval report results/verse-bench-my-clips --formats md,html,tex
    """
    from mova_eval.baselines import beside_baselines, write_tables
    from mova_eval.baselines.writing import FORMATS
    from mova_eval.reports import write_reports
    from mova_eval.runs import load_run

    chosen = tuple(words(formats) or ())
    unknown = [name for name in chosen if name not in FORMATS]
    if unknown:
        raise typer.BadParameter(f"no format is called '{unknown[0]}'; choose from {', '.join(FORMATS)}")
    opened = [load_run(run) for run in runs]
    written = []
    if len(opened) == 1:
        written = write_reports(runs[0], formats=tuple(name for name in chosen if name in PAGES))
    standing = beside_baselines(opened, baselines=baselines, include_doubtful=include_doubtful)
    written += write_tables(standing, out or _folder(runs), chosen)
    if json_:
        one = opened[0].summary if len(opened) == 1 else standing
        typer.echo(one.model_dump_json(indent=2))
        return EXIT_OK
    from rich.console import Console

    from mova_eval.reports import summary_table

    console = Console()
    if len(opened) == 1:
        console.print(summary_table(opened[0].summary))
    _show(standing, context)
    for path in written:
        console.print(f"report: {path}", soft_wrap=True, markup=False, highlight=False)
    return EXIT_OK


def _folder(runs: list[Path]) -> Path:
    """The run itself, or the folder that all the runs lie in."""
    return runs[0] if len(runs) == 1 else Path(os.path.commonpath([run.absolute().parent for run in runs]))


def _show(standing: Standing, context: bool) -> None:
    from rich.console import Console

    from mova_eval.baselines.texts import console_tables, remarks

    console = Console(highlight=False)
    published = sum(row.origin != "run" for row in standing.rows)
    if published or len(standing.rows) > 1:
        for table in console_tables(standing, context=context):
            console.print(table)
        for place, text in enumerate(standing.footnotes, start=1):
            console.print(f"[{place}] {text}", style="dim", markup=False)
        for text in remarks(standing):
            console.print(f"* {text}", style="dim", markup=False)
    apart = sum(len(group.rows) for group in standing.context)
    if apart and not context:
        console.print(
            f"{published} published rows are comparable; {apart} more are not: --context prints them, with reasons",
            style="dim",
        )
    for note in standing.notes:
        console.print(note, style="yellow", markup=False)
