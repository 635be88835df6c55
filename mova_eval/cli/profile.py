"""`mova-eval profile`: what a clip of the suite's own sampler costs, and what a benchmark would."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metrics.errors import UserError
from mova_eval.cli import generation as g
from mova_eval.cli.app import EXIT_OK, app

if TYPE_CHECKING:
    from reference_model.presets import Preset
    from reference_model.profile import Profile
    from reference_model.shapes import ClipShape


@app.command()
def profile(
    model: Annotated[str, typer.Option("--model", "-m", help="720p, 360p or nano.")],
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", "-b", help="Also say what all of its items take: verse-bench, mini ...")
    ] = None,
    clips: Annotated[int | None, typer.Option(min=1, help="Also say what so many clips take.")] = None,
    root: Annotated[Path | None, typer.Option(help="The benchmark's own files, if not fetched.")] = None,
    measure: Annotated[
        bool | None,
        typer.Option(
            "--measure/--predict", help="Time a step, or count from shapes alone; default: time it if it can."
        ),
    ] = None,
    steps: g.Steps = None,
    guidance_text: Annotated[float, typer.Option(help="Scale of the text guidance.")] = 5.0,
    guidance_bridge: Annotated[float, typer.Option(help="Scale of the Bridge guidance; 1 for none.")] = 1.0,
    size: g.Size = None,
    frames: g.Frames = None,
    duration: g.Duration = None,
    fps: g.Fps = None,
    offload: Annotated[str, typer.Option(help="none, component or layer.")] = "none",
    checkpoint: g.Checkpoint = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """Parameters, memory, multiply-adds and seconds of each component, seconds per clip, device-hours per benchmark.

    One step is timed where the model can run; otherwise everything but seconds is counted from shapes.

    Example: mova-eval profile --model nano --benchmark mini
    """
    from mova_eval.generators.profiling import clip_shape, make_profile, preset_of

    preset = preset_of(model)
    shape = clip_shape(preset, size, frames, duration, fps)
    options = {"offload": offload, "device": device, **({"checkpoint": checkpoint} if checkpoint else {})}
    found = make_profile(
        preset, shape, steps=steps, guidance=(guidance_text, guidance_bridge), options=options, measured=measure
    )
    count = clips if clips is not None else _items(benchmark, root)
    if json_:
        import json

        typer.echo(json.dumps(as_json(found, count), indent=2))
        return EXIT_OK
    _show(preset, found, shape, count, benchmark)
    return EXIT_OK


def _items(benchmark: str | None, root: Path | None) -> int | None:
    if benchmark is None:
        return None
    from mova_eval import benchmarks

    if benchmark in benchmarks.names():
        return int(benchmarks.describe(benchmark)["n_items"])
    if not os.path.exists(benchmark):
        raise UserError(f"--benchmark {benchmark}: known are {', '.join(benchmarks.names())}, or a path")
    return len(benchmarks.load(benchmark, root=root).items)


def _show(preset: Preset, found: Profile, shape: ClipShape, count: int | None, benchmark: str | None) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    where = (
        f"on {found.device}, {found.precision}, offload {found.offload}" if found.device else f"in {found.precision}"
    )
    tokens = f"{shape.video_tokens:,} video and {shape.audio_latents:,} audio tokens"
    console.print(
        f"{found.model} {where}: {shape.frames} frames of {shape.width}x{shape.height}, {tokens}, "
        f"{found.steps} steps of {found.evaluations_per_step} evaluations",
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("component", no_wrap=True)
    timed = found.step_seconds is not None
    for column in ("parameters", "weights", "steps", "MAC/step", *(("s/step", "s/clip") if timed else ()), "share"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in found.rows:
        inside = row.step_macs is not None
        table.add_row(
            row.name,
            f"{row.parameters / 1e6:,.1f} M",
            _bytes(row.weight_bytes),
            str(row.steps) if inside else "-",
            _macs(row.step_macs) if row.step_macs is not None else "-",
            *((_seconds(row.step_seconds), _seconds(row.clip_seconds)) if timed else ()),
            f"{found.share(row):.1%}",
        )
    console.print(table)
    weights = f"{found.parameters / 1e6:,.1f} M parameters, {_bytes(found.weight_bytes)} of weights"
    share = "seconds" if timed else "multiply-adds"
    console.print(f"all: {weights}, {_macs(found.clip_macs)} multiply-adds per clip; share of {share}", soft_wrap=True)
    for line in _totals(preset, found, count, benchmark):
        console.print(line, soft_wrap=True)


def _totals(preset: Preset, found: Profile, count: int | None, benchmark: str | None) -> list[str]:
    lines = []
    if found.peak_bytes is not None:
        lines.append(f"peak memory: {_bytes(found.peak_bytes)}")
    if found.clip_seconds is None or found.step_seconds is None:
        lines.append("no seconds: nothing was timed here (a GPU and the checkpoint are needed, or --measure for nano)")
        memory = ", ".join(f"{gb:.0f} GB with offload {mode}" for mode, gb in preset.vram_gb.items())
        if preset.hub is not None:
            lines.append(f"GPU memory: {memory} ({preset.vram_source})")
        return lines
    lines.append(f"one step {_seconds(found.step_seconds)} s, one clip {_seconds(found.clip_seconds)} s after loading")
    if count is not None:
        hours = found.device_hours(count) or 0.0
        what = f"{count} clips" + (f" of {benchmark}" if benchmark else "")
        lines.append(f"{what}: {hours:.2f} hours of one {found.device}")
    return lines


def _macs(count: int) -> str:
    """Multiply-adds with a prefix that leaves a number one can read."""
    for prefix, size in (("P", 1e15), ("T", 1e12), ("G", 1e9)):
        if count >= size:
            return f"{count / size:,.2f} {prefix}"
    return f"{count / 1e6:,.2f} M"


def _bytes(count: int) -> str:
    return f"{count / 1e9:,.2f} GB" if count >= 1e8 else f"{count / 1e6:,.2f} MB"


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def as_json(found: Profile, count: int | None) -> dict[str, Any]:
    """A profile as JSON values."""
    from dataclasses import asdict

    values = asdict(found)
    values["clip_seconds"] = found.clip_seconds
    values["clip_macs"] = found.clip_macs
    values["parameters"] = found.parameters
    for row, entry in zip(found.rows, values["rows"], strict=True):
        entry["share"] = found.share(row)
    if count is not None:
        values["clips"] = count
        values["device_hours"] = found.device_hours(count)
    return values
