"""`mova-eval compare`: is the second run better than the first, and does it pass the gate?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mova_eval.cli.app import EXIT_GATE, EXIT_OK, app
from mova_eval.cli.options import words

if TYPE_CHECKING:
    from mova_eval.comparison import Comparison
    from mova_eval.gates import GateResult


@app.command()
def compare(
    base: Annotated[Path, typer.Argument(help="Run directory to compare with.")],
    head: Annotated[Path, typer.Argument(help="Run directory that is judged.")],
    metrics: Annotated[
        str | None,
        typer.Option("--metrics", "-m", help="Comma-separated metrics or scores; default: all that both have."),
    ] = None,
    gate: Annotated[
        str | None, typer.Option(help="Gate file (TOML), or 'default' for the shipped rules; exit code 1 on failure.")
    ] = None,
    noise: Annotated[
        Path | None, typer.Option(help="Noise floors (noise.json); default: those beside the two runs.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for compare.md, .html and .json; default: HEAD.")
    ] = None,
    formats: Annotated[str, typer.Option(help="Comma-separated: md, html, json.")] = "md,html,json",
    junit: Annotated[Path | None, typer.Option(help="Write the gate as JUnit XML.")] = None,
    comment: Annotated[Path | None, typer.Option(help="Write the gate as Markdown for a comment.")] = None,
    badge: Annotated[Path | None, typer.Option(help="Write the gate's outcome as an SVG badge.")] = None,
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap resamples and permutations.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the random draws.")] = 0,
    allow_different_protocol: Annotated[
        bool, typer.Option("--allow-different-protocol", help="Compare although the runs were made differently.")
    ] = False,
    allow_unfinished: Annotated[
        bool, typer.Option("--allow-unfinished", help="Take what an unfinished run has.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON on standard output.")] = False,
) -> int:
    """Compare two runs on the items that both scored: paired differences with intervals, p-values and the worst clips.

    With --gate the exit code is 1 when a loss is too large, coverage dropped, or nothing could be compared.

    Example: mova-eval compare results/main results/my-branch --gate default
    """
    from mova_eval.comparison import compare as compare_runs
    from mova_eval.comparison import write_comparison

    if gate is None and (junit or comment or badge):
        raise typer.BadParameter("--junit, --comment and --badge say how a gate ended: add --gate")
    found = compare_runs(
        base,
        head,
        metrics=words(metrics),
        resamples=resamples,
        seed=seed,
        allow_different_protocol=allow_different_protocol,
        allow_unfinished=allow_unfinished,
    )
    result = _judge(found, gate, noise, (base, head)) if gate is not None else None
    written = write_comparison(found, out or head, tuple(words(formats) or ()), result)
    if json_:
        typer.echo(found.model_dump_json(indent=1, exclude={"items"}))
    else:
        _show(found, result, written)
    if result is not None:
        from mova_eval.gates import write_outputs

        write_outputs(result, junit=junit, comment=comment, badge=badge, say=typer.echo)
        return EXIT_GATE if result.outcome == "fail" else EXIT_OK
    return EXIT_OK


def _judge(found: Comparison, gate: str, noise: Path | None, runs: tuple[Path, Path]) -> GateResult:
    from mova_eval.gates import decide, read_gate
    from mova_eval.noise import floors_of

    known = [name for score in found.scores for name in (score.name, score.metric)]
    rules = read_gate(gate, known)
    return decide(found, rules, noise=floors_of([noise] if noise is not None else runs), name=gate)


def _show(found: Comparison, result: GateResult | None, written: list[Path]) -> None:
    from rich.console import Console

    from mova_eval.comparison.console import comparison_table, gate_table

    console = Console()
    console.print(comparison_table(found))
    if result is not None:
        console.print(gate_table(result))
    for path in written:
        console.print(f"comparison: {path}", soft_wrap=True, highlight=False)
