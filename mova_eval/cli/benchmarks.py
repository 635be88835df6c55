"""`mova-eval benchmarks`: what can be evaluated on, and getting its files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mova_eval.cli.app import EXIT_OK, EXIT_PARTIAL, app
from mova_eval.cli.options import words

benchmarks_app = typer.Typer(help="List benchmarks, fetch and verify their files, render the mini truth clips.")
app.add_typer(benchmarks_app, name="benchmarks", invoke_without_command=True)


@benchmarks_app.callback(invoke_without_command=True)
def benchmarks(ctx: typer.Context) -> None:
    """List benchmarks; without a sub-command the same as `benchmarks list`."""
    if ctx.invoked_subcommand is None:
        list_benchmarks()


@benchmarks_app.command("list")
def list_benchmarks(json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> int:
    """Every benchmark with its size and whether its files are here."""
    from mova_eval import benchmarks as known

    rows = [known.describe(name) for name in known.names()]
    if json_:
        import json

        typer.echo(json.dumps(rows, indent=2))
        return EXIT_OK
    for row in rows:
        typer.echo(
            f"{row['name']:<12} {row['n_items']:>4} items  {'here' if row['here'] else 'to fetch':<9} {row['title']}"
        )
    return EXIT_OK


@benchmarks_app.command()
def fetch(name: Annotated[str, typer.Argument(help="verse-bench or mybench.")]) -> int:
    """Download a benchmark's prompts from their public source into the cache, checked by sha256."""
    from mova_eval import benchmarks as known

    for path in known.fetch(name):
        typer.echo(path)
    return EXIT_OK


@benchmarks_app.command()
def verify(
    name: Annotated[str, typer.Argument(help="Name or path of a benchmark.")],
    root: Annotated[Path | None, typer.Option(help="The benchmark's own files, if not fetched.")] = None,
    media: Annotated[Path | None, typer.Option(help="Folder of first frames and references, if any.")] = None,
) -> int:
    """Check a benchmark's files: counts, ids, hashes, frames and references that are there or missing."""
    from mova_eval import benchmarks as known

    findings = known.verify(name, root=root, media=media)
    for finding in findings:
        typer.echo(f"{finding.level}: {finding.message}")
    return EXIT_PARTIAL if any(f.level == "error" for f in findings) else EXIT_OK


@benchmarks_app.command()
def render(
    out: Annotated[Path, typer.Argument(help="Folder to write to.")],
    subset: Annotated[str | None, typer.Option(help="'smoke' for six items, or comma-separated clip names.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Render again what is already there.")] = False,
) -> int:
    """Render the truth clips of the `mini` benchmark: clips of known timing, sound and speech, drawn by the suite.

    Writes items/<set>/<id>.mp4, one clip per item, and probes/<name>.mp4, each with a JSON of its truth.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from mova_eval.mini import SMOKE
    from mova_eval.mini.render import left_out, render_truth

    names = list(SMOKE) if subset == "smoke" else words(subset)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("rendering", total=None)

        def step(name: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, description=f"rendered {name}")

        paths = render_truth(out, subset=names, progress=step, force=force)
    typer.echo(f"{len(paths)} clips in {out}")
    for name, why in left_out(names).items():
        typer.echo(f"left out: {name}: {why}", err=True)
    return EXIT_OK
