"""`mova-eval report`: write the reports of a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mova_eval.cli.app import EXIT_OK, app
from mova_eval.cli.options import words


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    formats: Annotated[str, typer.Option(help="Comma-separated: md, html.")] = "md,html",
    json_: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on standard output.")] = False,
) -> int:
    """Show a run's table and write its report.md and report.html again.

    Example: mova-eval report results/verse-bench-my-clips
    """
    from mova_eval.reports import summary_table, write_reports
    from mova_eval.runs import load_run

    loaded = load_run(run)
    written = write_reports(run, formats=tuple(words(formats) or ()))
    if json_:
        typer.echo(loaded.summary.model_dump_json(indent=2))
        return EXIT_OK
    from rich.console import Console

    console = Console()
    console.print(summary_table(loaded.summary))
    for path in written:
        console.print(f"report: {path}", soft_wrap=True, markup=False, highlight=False)
    return EXIT_OK
