"""`mova-eval plan`, `--dry-run` and `--budget`: what a run will do, need and take, before anything is measured."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mova_eval.cli.app import EXIT_OK, app
from mova_eval.cli.score import score
from mova_eval.cli.texts import about

if TYPE_CHECKING:
    from mova_eval.runs.forecast import Choice, Forecast
    from mova_eval.runs.items import BenchmarkLike, MatchingLike
    from mova_eval.runs.means import Means
    from mova_eval.runs.plan import MetricPlan


@dataclass(frozen=True)
class ScoreRequest:
    """What `score` was asked for, read and resolved. ids: those that a budget has chosen; None without one."""

    benchmark: BenchmarkLike
    matching: MatchingLike
    metrics: list[str] | None
    require: tuple[str, ...]
    options: Mapping[str, Mapping[str, Any]]
    licence: str
    cache: bool
    out: Path
    means: Means
    ids: tuple[str, ...] | None = None

    @property
    def shrunk(self) -> bool:
        """Whether fewer items are left than were asked for."""
        return self.ids is not None and len(self.ids) < len(self.benchmark.items)

    def choose(self) -> tuple[list[MetricPlan], Any]:
        """The metrics that will run, and those that cannot."""
        from mova_eval.runs.plan import choose

        return choose(
            self.metrics, require=self.require, protocol=self.means.protocol, options=self.options, licence=self.licence
        )

    @property
    def workers(self) -> int:
        return max(self.means.worker_count(max(len(self.matching.clips), 1)), 1)


def fitted(request: ScoreRequest, budget: str, *, quiet: bool) -> ScoreRequest:
    """The request with the metrics and items that fit into a budget; says what that buys. Raises UserError."""
    from mova_eval.runs.forecast import seconds_of, within_budget

    plans, _ = request.choose()
    choice = within_budget(
        request.benchmark,
        request.matching,
        plans,
        budget=seconds_of(budget),
        workers=request.workers,
        device=request.means.device,
        protocol=request.means.protocol,
    )
    if not quiet:
        _show_choice(choice, len(request.matching.clips), budget)
    return replace(request, metrics=list(choice.metrics), ids=choice.items)


def show_plan(request: ScoreRequest, *, as_json: bool) -> int:
    """Print what a run will do; measure nothing, write nothing."""
    from mova_eval.runs.forecast import forecast

    plans, not_run = request.choose()
    found = forecast(
        request.benchmark,
        request.matching,
        plans,
        not_run,
        out=request.out,
        workers=request.workers,
        device=request.means.device,
        options=request.options,
        cache=request.cache,
    )
    if as_json:
        import json

        rows = {**asdict(found), "not_run": [gap.model_dump() for gap in found.not_run]}
        typer.echo(json.dumps(rows, indent=2))
    else:
        _show_forecast(found)
    return EXIT_OK


def _show_forecast(found: Forecast) -> None:
    from rich.console import Console
    from rich.table import Table

    from mova_eval.runs.forecast import duration

    console = Console()
    film = "" if found.film is None else f", {found.film:.1f} s each"
    console.print(f"{found.items} items, {found.clips} clips{film}; {found.workers} workers", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("metric", "to measure", "known", "n/a", "work", "rate"):
        table.add_column(column, justify="right" if column in {"to measure", "known", "n/a", "work"} else "left")
    for row in found.metrics:
        work = "?" if row.seconds is None else duration(row.seconds)
        table.add_row(row.name, str(row.to_measure), str(row.known), str(row.not_applicable), work, row.origin)
    console.print(table)
    for gap in found.not_run:
        console.print(about(gap.metric, gap.reason), style="dim", soft_wrap=True, markup=False, highlight=False)
    if found.downloads:
        sizes = [each.size for each in found.downloads if each.size is not None]
        unknown = len(found.downloads) - len(sizes)
        more = f" and {unknown} of unknown size" if unknown else ""
        names = " ".join(each.name for each in found.downloads)
        console.print(
            f"to download for them: {sum(sizes) / 1e9:.2f} GB{more}: mova-eval weights fetch {names}",
            soft_wrap=True,
            highlight=False,
        )
    if found.seconds is not None:
        left_out = f", without {', '.join(found.untimed)}, never timed here" if found.untimed else ""
        console.print(
            f"predicted: {duration(found.seconds)} with {found.workers} workers, loading not counted{left_out}",
            soft_wrap=True,
            highlight=False,
        )
    elif found.metrics:
        console.print("no prediction: none of these metrics was ever timed here", highlight=False)


def _show_choice(choice: Choice, clips: int, budget: str) -> None:
    from rich.console import Console

    from mova_eval.runs.forecast import duration

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(
        f"--budget {budget}: {len(choice.items)} of {clips} clips, {', '.join(choice.metrics)}; "
        f"predicted {duration(choice.seconds)}"
    )
    for name, why in choice.dropped.items():
        console.print(f"left out: {name}: {why}", markup=False)
    for width in choice.widths:
        known = width.half_width is not None
        half = f"95% interval about ±{width.half_width:.3g}" if known else "its scatter is not known here yet"
        console.print(f"  {width.score}: {half}, {width.times:.2f} times as wide as with all clips", markup=False)


def plan(**options: Any) -> int:
    """Say what `score` with the same options would measure, what weights are missing, and how long it would take.

    Nothing is measured, fetched or written. The time comes from the runs made on this machine.

    Example: mova-eval plan my-clips --benchmark verse-bench --budget 2h
    """
    return score(**options, dry_run=True, report=False)


_LEFT_OUT = ("dry_run", "report")
_signature = inspect.signature(score, eval_str=True)
_kept = [parameter for name, parameter in _signature.parameters.items() if name not in _LEFT_OUT]
plan.__signature__ = _signature.replace(parameters=_kept)  # type: ignore[attr-defined]
plan.__annotations__ = {parameter.name: parameter.annotation for parameter in _kept}
app.command()(plan)
