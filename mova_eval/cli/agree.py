"""`mova-eval agree`: do automatic scores predict what people vote for?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mova_eval.cli.app import EXIT_OK, app
from mova_eval.cli.options import words


@app.command()
def agree(
    votes: Annotated[Path, typer.Argument(help="Votes: an arena's export, or a .csv, .jsonl or .parquet.")],
    runs: Annotated[list[Path], typer.Argument(help="Run directories, one per model.")],
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="VOTED=RUN: which model of the votes is which run; may be repeated."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for agree.md, agree.html and agree.json.")] = Path(
        "agreement"
    ),
    formats: Annotated[str, typer.Option(help="Comma-separated: md, html, json.")] = "md,html,json",
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap resamples.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of the random draws.")] = 0,
    allow_different_protocol: Annotated[
        bool, typer.Option("--allow-different-protocol", help="Take runs that were measured differently.")
    ] = False,
    allow_unfinished: Annotated[
        bool, typer.Option("--allow-unfinished", help="Take what an unfinished run has.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON on standard output.")] = False,
) -> int:
    """How often each automatic score predicts the votes, per criterion and category, and whether models rank alike.

    Example: mova-eval agree export/ results/mova-360p results/ovi results/ltx-2
    """
    from mova_eval.agreement import agree as hold_against
    from mova_eval.agreement import write_agreement

    found = hold_against(
        votes,
        list(runs),
        names=_names(name or []),
        resamples=resamples,
        seed=seed,
        allow_different_protocol=allow_different_protocol,
        allow_unfinished=allow_unfinished,
    )
    written = write_agreement(found, out, tuple(words(formats) or ()))
    if json_:
        typer.echo(found.model_dump_json(indent=1))
        return EXIT_OK
    from rich.console import Console

    from mova_eval.agreement.texts import console_tables

    console = Console()
    for table in console_tables(found):
        console.print(table)
    if any(prediction.expected for prediction in found.predictions):
        console.print("* named for this question beforehand; the others are exploratory", style="dim", markup=False)
    for note in found.notes:
        console.print(note, style="yellow", markup=False)
    for why, n in found.left_out.items():
        console.print(f"left out: {n} votes {why}", style="dim", markup=False)
    for path in written:
        console.print(f"agreement: {path}", soft_wrap=True, highlight=False)
    return EXIT_OK


def _names(pairs: list[str]) -> dict[str, str]:
    from metrics.errors import UserError

    names = {}
    for pair in pairs:
        voted, equals, run = pair.partition("=")
        if not (equals and voted and run):
            raise UserError(f"--name {pair}: expected VOTED=RUN, such as --name mova=mova-360p")
        names[voted] = run
    return names
