"""`mova-eval export`: the clips of a run in another tool's folder layout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mova_eval.cli.app import EXIT_OK, app


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")],
    layout: Annotated[str, typer.Option(help="official (the pipeline of MOVA) or verse-bench.")] = "official",
    copy: Annotated[bool, typer.Option("--copy", help="Copy the clips instead of linking to them.")] = False,
) -> int:
    """Write the clips of a run as another evaluation tool looks for them.

    official: step_000000/<set>/<id>_video_..._step0_seed<N>.mp4 and prompts.json. verse-bench: one folder of
    <original id>.mp4 with <original id>.wav, 16 kHz mono. `mova-eval score` reads both.

    Example: mova-eval export results/mini-nano --layout official --out exported
    """
    from mova_eval.cli.options import one_of
    from mova_eval.layouts import LAYOUTS, export_run

    chosen = next(name for name in LAYOUTS if name == one_of("--layout", layout, LAYOUTS))
    done = export_run(run, out, chosen, copy=copy)
    typer.echo(f"{len(done.clips)} clips in {done.root}")
    for what, items in (("no clip", done.without_clip), ("no sound, so no wav", done.without_sound)):
        if items:
            typer.echo(f"{what}: {', '.join(items[:10])}{' ...' if len(items) > 10 else ''}", err=True)
    return EXIT_OK
