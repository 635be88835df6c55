"""`mova-eval run`: the main job, from a benchmark and a model to the report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mova_eval.cli import generation as g
from mova_eval.cli.app import EXIT_INTERRUPTED, EXIT_OK, EXIT_PARTIAL, app
from mova_eval.cli.options import LICENCES, metric_options, one_of, precision_options, words
from mova_eval.cli.score import finish, speech_options
from mova_eval.cli.weights import requested


@app.command()
def run(
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
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE of the generator or METRIC.OPTION=VALUE; may be repeated."),
    ] = None,
    retries: g.Retries = 1,
    clip_timeout: g.ClipTimeout = None,
    clips_at_once: g.Lanes = None,
    overwrite: g.Overwrite = False,
    metrics: Annotated[
        str | None, typer.Option(help="Comma-separated metrics; default: all that can run here.")
    ] = None,
    require: Annotated[
        str | None, typer.Option(help="Metrics that must be able to run; otherwise stop before any work.")
    ] = None,
    protocol: Annotated[str, typer.Option(help="official, direct or verse-bench.")] = "official",
    asr: Annotated[
        str | None, typer.Option(help="Speech recogniser of the error rates, such as faster-whisper:large-v3.")
    ] = None,
    transcripts: Annotated[
        Path | None, typer.Option(help="Stored transcripts (JSON or JSONL, id to text) instead of recognition.")
    ] = None,
    weights: Annotated[
        list[str] | None, typer.Option("--weights", help="Weights of your own: NAME=PATH; may be repeated.")
    ] = None,
    licence: Annotated[
        str, typer.Option(help="commercial: leave out metrics whose weights forbid commercial use; any.")
    ] = "any",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that measure; default: one per core.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of each; default: cores/workers.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Most clips measured together; default: as each metric likes."),
    ] = None,
    vram: Annotated[
        float | None,
        typer.Option(min=0.1, help="GiB for networks loaded at one time; what does not fit runs in a later pass."),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="float32, float16 or bfloat16, for every metric that knows it.")
    ] = None,
    executor: Annotated[
        str, typer.Option(help="Where to measure: local, or ray (RAY_ADDRESS, else this machine).")
    ] = "local",
    timeout: Annotated[
        float | None, typer.Option(min=1, help="Seconds after which one measurement counts as failed.")
    ] = None,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Reuse measurements of the same clip.")] = True,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.md and report.html.")] = True,
    json_: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on standard output.")] = False,
) -> int:
    """Make the clips of a benchmark with a model, measure them, and report: the main job in one command.

    Kill it at any time and start the same command again: it goes on where it stopped.

    Example: mova-eval run verse-bench --model 720p --sets set3 --limit 20 --offload component
    """
    from mova_eval import benchmarks
    from mova_eval.generators.running import run_benchmark
    from mova_eval.runs.progress import display

    requested(weights)
    texts = set_ or []
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
        [text for text in texts if "." not in text.partition("=")[0]],
    )
    generator = wishes.generator(model)
    loaded = benchmarks.load(
        benchmark, root=root, media=media, sets=words(sets), ids=words(ids), limit=limit, variant=variant
    )
    options: dict[str, dict[str, Any]] = metric_options([t for t in texts if "." in t.partition("=")[0]])
    speech_options(options, asr, transcripts)
    precision_options(options, precision)
    with display(quiet=json_) as on_event:
        made, scored = run_benchmark(
            loaded,
            generator,
            out=out or g.default_out(loaded.name, generator, model),
            options=g.plan_options(seed, seed_per_item, duration, text_only, loaded.prompt_variant),
            making={"retries": retries, "workers": clips_at_once, "timeout": clip_timeout, "overwrite": overwrite},
            scoring={
                "metrics": words(metrics),
                "require": words(require) or [],
                "protocol": protocol,
                "options": options,
                "workers": workers,
                "threads": threads,
                "device": device,
                "timeout": timeout,
                "cache": cache,
                "executor": executor,
                "batch": batch,
                "memory": None if vram is None else round(vram * 2**30),
                "licence": one_of("--licence", licence, LICENCES),
            },
            on_event=on_event,
            command=["mova-eval", *sys.argv[1:]],
        )
    g.say_warnings(made)
    if scored is None:
        typer.echo("interrupted; start the same command again to go on", err=True)
        return EXIT_INTERRUPTED
    code = finish(scored, report=report, as_json=json_)
    return EXIT_PARTIAL if code == EXIT_OK and (made.failed or made.not_runnable) else code
