"""`mova-eval inspect`: why a clip has the lip-sync score it has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metrics.errors import UserError
from mova_eval.cli.app import EXIT_OK, app
from mova_eval.cli.options import PRECISIONS, metric_options, one_of
from mova_eval.cli.weights import requested

PROTOCOLS = ("official", "direct", "verse-bench")


@app.command()
def inspect(
    clip: Annotated[Path, typer.Argument(help="A clip (mp4, mov, mkv, webm, avi).")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Default: <clip>.inspect.html here.")] = None,
    protocol: Annotated[str, typer.Option(help="official, direct or verse-bench.")] = "official",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="An option: lip_sync.OPTION=VALUE; may be repeated.")
    ] = None,
    weights: Annotated[
        list[str] | None, typer.Option("--weights", help="Weights of your own: NAME=PATH; may be repeated.")
    ] = None,
    precision: Annotated[str, typer.Option(help="float32, float16 or bfloat16.")] = "float32",
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Threads of the networks.")] = 2,
) -> int:
    """Write one page about the lip sync of one clip: faces, waveform, confidence, offset curve, people and tracks.

    Example: mova-eval inspect clip.mp4 --out clip.html
    """
    one_of("--protocol", protocol, PROTOCOLS)
    requested(weights)
    options = metric_options(set_ or [])
    unknown = sorted(set(options) - {"lip_sync"})
    if unknown:
        raise UserError(f"--set {unknown[0]}.…: inspect looks at lip_sync only")
    chosen = {"precision": one_of("--precision", precision, PRECISIONS), **options.get("lip_sync", {})}
    from mova_eval.inspection import inspect_clip

    target = out or Path(f"{clip.stem}.inspect.html")
    written = inspect_clip(clip, target, protocol=protocol, options={**chosen, "device": device, "threads": threads})
    typer.echo(written)
    return EXIT_OK
