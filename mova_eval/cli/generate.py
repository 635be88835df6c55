"""`mova-eval generate`: make the clips of a benchmark, without measuring them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mova_eval.cli import generation as g
from mova_eval.cli.app import EXIT_INTERRUPTED, EXIT_OK, EXIT_PARTIAL, app
from mova_eval.cli.options import words

if TYPE_CHECKING:
    from mova_eval.benchmarks import Benchmark
    from mova_eval.generators import Generator, PlanOptions


@app.command()
def generate(
    benchmark: g.BenchmarkName,
    model: g.Model,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Run directory; default: results/<benchmark>-<model>.")
    ] = None,
    sets: Annotated[str | None, typer.Option(help="Comma-separated sets of the benchmark; default: all.")] = None,
    ids: Annotated[str | None, typer.Option(help="Comma-separated item ids; default: all.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N items.")] = None,
    root: Annotated[Path | None, typer.Option(help="The benchmark's own files, if not fetched.")] = None,
    media: Annotated[Path | None, typer.Option(help="Folder of first frames and references, if any.")] = None,
    variant: g.Variant = "official",
    steps: g.Steps = None,
    guidance_text: g.GuidanceText = None,
    guidance_bridge: g.GuidanceBridge = None,
    negative_prompt: g.NegativePrompt = None,
    negative_prompt_file: g.NegativePromptFile = None,
    size: g.Size = None,
    frames: g.Frames = None,
    fps: g.Fps = None,
    duration: g.Duration = None,
    seed: g.Seed = 42,
    seed_per_item: g.SeedPerItem = False,
    text_only: g.TextOnly = False,
    offload: g.Offload = None,
    checkpoint: g.Checkpoint = None,
    server: g.Server = None,
    command: g.Command = None,
    clips: g.Clips = None,
    label: g.Label = None,
    set_: g.GeneratorSet = None,
    retries: g.Retries = 1,
    clip_timeout: g.ClipTimeout = None,
    clips_at_once: g.Lanes = None,
    overwrite: g.Overwrite = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
) -> int:
    """Make the clips of a benchmark with a model into a run directory; `run` or `score` measures them.

    Kill it at any time and start the same command again: it goes on where it stopped.

    Example: mova-eval generate mini --model nano --sets smoke
    """
    from mova_eval import benchmarks
    from mova_eval.generators import generate_clips
    from mova_eval.runs.progress import display

    wishes = g.Wishes(
        {
            "steps": steps,
            "guidance_text": guidance_text,
            "guidance_bridge": guidance_bridge,
            "negative_prompt": g.negative_prompt_of(negative_prompt, negative_prompt_file),
            "size": size,
            "frames": frames,
            "fps": fps,
            "offload": offload,
            "checkpoint": checkpoint,
            "server": server,
            "command": command,
            "clips": clips,
            "label": label,
        },
        set_ or [],
    )
    generator = wishes.generator(model)
    loaded = benchmarks.load(
        benchmark, root=root, media=media, sets=words(sets), ids=words(ids), limit=limit, variant=variant
    )
    options = g.plan_options(seed, seed_per_item, duration, text_only, loaded.prompt_variant)
    where = out or g.default_out(loaded.name, generator, model)
    if dry_run:
        return show_plan(loaded, generator, options, where)
    with display() as on_event:
        made = generate_clips(
            loaded,
            generator,
            out=where,
            options=options,
            retries=retries,
            workers=clips_at_once,
            timeout=clip_timeout,
            overwrite=overwrite,
            on_event=on_event,
            command=["mova-eval", *sys.argv[1:]],
        )
    g.say_warnings(made)
    typer.echo(f"{len(made.clips)} clips in {made.run_dir / 'clips'}")
    if made.interrupted:
        typer.echo("interrupted; start the same command again to go on", err=True)
        return EXIT_INTERRUPTED
    return EXIT_PARTIAL if made.failed or made.not_runnable else EXIT_OK


def show_plan(benchmark: Benchmark, generator: Generator, options: PlanOptions, where: Path) -> int:
    """Print the plan of the first item, the totals, and what is missing; exit code 3 when something is."""
    import json

    from mova_eval.generators.estimate import human_seconds, seconds_per_clip
    from mova_eval.generators.planning import plan_all, requests_of, warnings

    plans = plan_all(benchmark, generator, options)
    requests = requests_of(plans)
    first: dict[str, Any] = requests[0].identity()
    typer.echo(json.dumps(first, indent=2, ensure_ascii=False))
    sizes = ", ".join(dict.fromkeys(request.size for request in requests if request.size)) or "the generator's own size"
    typer.echo(f"{len(requests)} clips by {generator.label()}, {sizes}, into {where}")
    known = seconds_per_clip(Path("results"), generator, requests[0])
    if known is not None:
        total = human_seconds(known * len(requests))
        typer.echo(f"about {total}, at {known:.1f} s per clip as measured by an earlier run, one at a time")
    for warning in warnings(plans):
        typer.echo(f"warning: {warning}")
    failing = [check for check in generator.probe("device") if check.fails]
    if failing:
        typer.echo(f"missing: {generator.refusal(failing)}")
    return EXIT_PARTIAL if failing else EXIT_OK
