"""`mova-eval score`: a folder of clips in, a run with its report out."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mova_eval.cli.app import EXIT_INTERRUPTED, EXIT_OK, EXIT_PARTIAL, app
from mova_eval.cli.options import LICENCES, metric_options, one_of, precision_options, words
from mova_eval.cli.texts import about
from mova_eval.cli.weights import requested

if TYPE_CHECKING:
    from mova_eval.runs import RunOutcome

_ASR_METRICS = ("wer", "cpcer")


@app.command()
def score(
    clips: Annotated[Path, typer.Argument(help="Folder of generated clips (mp4, mov, mkv, webm, avi), or one file.")],
    benchmark: Annotated[
        str, typer.Option("--benchmark", "-b", help="verse-bench, mybench, mini, or a path (folder, .jsonl, .json).")
    ] = "verse-bench",
    metrics: Annotated[
        str | None, typer.Option("--metrics", "-m", help="Comma-separated metrics; default: all that can run here.")
    ] = None,
    require: Annotated[
        str | None, typer.Option(help="Metrics that must be able to run; otherwise stop before any work.")
    ] = None,
    present: Annotated[
        bool,
        typer.Option(
            "--present", help="Leave items without a clip out of the run, instead of counting them as failed."
        ),
    ] = False,
    sets: Annotated[str | None, typer.Option(help="Comma-separated sets of the benchmark; default: all.")] = None,
    ids: Annotated[str | None, typer.Option(help="Comma-separated item ids; default: all.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N items.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Run directory; default: results/<benchmark>-<clips folder>.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Name of the model that made the clips, for the report.")] = None,
    protocol: Annotated[str, typer.Option(help="official, direct or verse-bench.")] = "official",
    root: Annotated[Path | None, typer.Option(help="The benchmark's own files, if not fetched.")] = None,
    media: Annotated[Path | None, typer.Option(help="Folder of first frames and references, if any.")] = None,
    variant: Annotated[str, typer.Option(help="Prompt variant: official or clean.")] = "official",
    mapping: Annotated[
        Path | None, typer.Option(help="JSON file {item id: file name} where names do not match.")
    ] = None,
    asr: Annotated[
        str | None, typer.Option(help="Speech recogniser of the error rates, such as faster-whisper:large-v3.")
    ] = None,
    transcripts: Annotated[
        Path | None, typer.Option(help="Stored transcripts (JSON or JSONL, id to text) instead of recognition.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A metric's option: METRIC.OPTION=VALUE; may be repeated.")
    ] = None,
    weights: Annotated[
        list[str] | None, typer.Option("--weights", help="Weights of your own: NAME=PATH; may be repeated.")
    ] = None,
    licence: Annotated[
        str, typer.Option(help="commercial: leave out metrics whose weights forbid commercial use; any.")
    ] = "any",
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; default: one per core.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of each worker; default: cores/workers.")] = None,
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
        str, typer.Option(help="local, or ray: the workers of a Ray cluster (RAY_ADDRESS, else this machine).")
    ] = "local",
    timeout: Annotated[
        float | None, typer.Option(min=1, help="Seconds after which one measurement counts as failed.")
    ] = None,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Reuse measurements of the same clip.")] = True,
    budget: Annotated[
        str | None, typer.Option(help="Such as 2h: measure what fits, an equal share of each set; says what it buys.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be measured, fetched and how long it takes; do nothing.")
    ] = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.md and report.html.")] = True,
    json_: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on standard output.")] = False,
) -> int:
    """Measure a folder of ready clips: table on screen, run directory with journal, summary and report.

    Kill it at any time and start the same command again: it goes on where it stopped.

    Example: mova-eval score my-clips --benchmark verse-bench --sets set3 --metrics dnsmos,wer
    """
    from mova_eval import benchmarks
    from mova_eval.cli.planning import ScoreRequest, fitted, show_plan
    from mova_eval.runs import score_clips
    from mova_eval.runs.means import Means
    from mova_eval.runs.plan import resolve_device
    from mova_eval.runs.progress import display

    requested(weights)
    chosen = words(metrics)
    loaded = benchmarks.load(
        benchmark, root=root, media=media, sets=words(sets), ids=words(ids), limit=limit, variant=variant
    )
    matching = benchmarks.match_clips(clips, loaded, mapping=mapping)
    if present and matching.missing:
        typer.echo(f"{len(matching.missing)} items without a clip are left out (--present)", err=True)
        loaded = benchmarks.load(benchmark, root=root, media=media, ids=list(matching.clips), variant=variant)
        matching = benchmarks.match_clips(clips, loaded, mapping=mapping)
    options = metric_options(set_ or [])
    speech_options(options, asr, transcripts)
    precision_options(options, precision)
    out = out or Path("results") / f"{loaded.name}-{clips.resolve().stem}"
    one_of("--licence", licence, LICENCES)
    memory = None if vram is None else round(vram * 2**30)
    means = Means(protocol, resolve_device(device), workers, threads, timeout, executor, batch, memory)
    request = ScoreRequest(loaded, matching, chosen, tuple(words(require) or ()), options, licence, cache, out, means)
    if budget is not None:
        request = fitted(request, budget, quiet=json_)
        chosen = list(request.metrics or ())
        if request.shrunk:
            loaded = benchmarks.load(benchmark, root=root, media=media, ids=list(request.ids or ()), variant=variant)
            matching = benchmarks.match_clips(clips, loaded, mapping=mapping)
            request = replace(request, benchmark=loaded, matching=matching)
    if dry_run:
        return show_plan(request, as_json=json_)
    with display(quiet=json_) as on_event:
        outcome = score_clips(
            loaded,
            matching,
            metrics=chosen,
            require=words(require) or [],
            protocol=protocol,
            out=out,
            model=model or clips.resolve().stem,
            workers=workers,
            threads=threads,
            device=device,
            timeout=timeout,
            executor=executor,
            options=options,
            cache=cache,
            batch=batch,
            memory=memory,
            licence=licence,
            on_event=on_event,
            command=["mova-eval", *sys.argv[1:]],
        )
    return finish(outcome, report=report, as_json=json_)


def speech_options(options: dict[str, dict[str, Any]], asr: str | None, transcripts: Path | None) -> None:
    """`--asr` and `--transcripts` are short for the same option of each metric that listens; `--set` wins."""
    for name in _ASR_METRICS:
        if asr is not None:
            options.setdefault(name, {}).setdefault("asr", asr)
        if transcripts is not None:
            options.setdefault(name, {}).setdefault("transcripts", str(transcripts))


def finish(outcome: RunOutcome, *, report: bool, as_json: bool) -> int:
    """Write the reports, show the table; gives the exit code."""
    from mova_eval.reports import summary_table, write_reports

    written = write_reports(outcome.run_dir) if report else []
    if as_json:
        typer.echo(outcome.summary.model_dump_json(indent=2))
    else:
        from rich.console import Console

        console = Console()
        console.print(summary_table(outcome.summary))
        for gap in outcome.summary.not_run:
            console.print(about(gap.metric, gap.reason), style="dim", soft_wrap=True, markup=False, highlight=False)
        for path in written:
            console.print(f"report: {path}", soft_wrap=True, markup=False, highlight=False)
    if outcome.interrupted:
        typer.echo("interrupted; start the same command again to go on", err=True)
        return EXIT_INTERRUPTED
    return EXIT_PARTIAL if outcome.n_failed else EXIT_OK
