"""`mova-eval noise`: how far scores move between evaluations that should be equal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mova_eval.cli.app import EXIT_OK, app

if TYPE_CHECKING:
    from rich.table import Table

    from mova_eval.noise import Noise
    from mova_eval.runs.runner import OnEvent


@app.command()
def noise(
    runs: Annotated[
        list[Path], typer.Argument(help="A run; or several of the same model with other generation seeds.")
    ],
    repeat: Annotated[int, typer.Option(min=0, help="Score the first run's clips again so many times.")] = 0,
    benchmark: Annotated[
        str | None,
        typer.Option("--benchmark", "-b", help="Name or path of the benchmark, if the run's items will not do."),
    ] = None,
    root: Annotated[Path | None, typer.Option(help="The benchmark's own files, if not fetched.")] = None,
    media: Annotated[Path | None, typer.Option(help="Folder of first frames and references, if any.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; default: one per core.")] = None,
    allow_different_protocol: Annotated[
        bool, typer.Option("--allow-different-protocol", help="Take runs that were made differently.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON on standard output.")] = False,
) -> int:
    """Measure the noise floor and store it as noise.json in the (first) run; the gate never fires below it.

    --repeat scores the same clips again without the cache. Several runs show what other generation seeds do.

    Example: mova-eval noise results/main --repeat 5
    """
    from mova_eval.noise import measure_noise

    @contextmanager
    def watch(number: int, total: int) -> Iterator[OnEvent | None]:
        from mova_eval.runs.progress import display

        typer.echo(f"evaluation {number} of {total}", err=True)
        with display(quiet=json_) as on_event:
            yield on_event

    found = measure_noise(
        list(runs),
        repeat=repeat,
        benchmark=benchmark,
        root=root,
        media=media,
        workers=workers,
        allow_different_protocol=allow_different_protocol,
        watch=watch,
    )
    if json_:
        typer.echo(found.model_dump_json(indent=1))
        return EXIT_OK
    from rich.console import Console

    console = Console()
    console.print(_table(found))
    for note in found.notes:
        console.print(note, style="yellow")
    console.print(f"stored: {runs[0] / 'noise.json'}", soft_wrap=True, highlight=False)
    return EXIT_OK


def _table(found: Noise) -> Table:
    from rich import box
    from rich.table import Table

    from mova_eval.reports.numbers import difference_style

    table = Table(title="Noise floor", box=box.SIMPLE_HEAD, pad_edge=False, title_style="bold")
    for name, justify in (
        ("score", "left"),
        ("source", "left"),
        ("evaluations", "right"),
        ("sd", "right"),
        ("floor", "right"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for kind, source in (("evaluation", found.evaluation), ("generation", found.generation)):
        for name, spread in (source.scores if source is not None else {}).items():
            style = difference_style(spread)
            table.add_row(name, kind, str(len(spread.values)), style.write(spread.sd), style.write(spread.floor))
    table.caption = "floor: two further evaluations differ by less with probability 0.95"
    return table
