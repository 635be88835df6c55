"""`mova-eval weights`: which weights there are, where they lie, getting and checking them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metrics.errors import UserError
from mova_eval.cli.app import EXIT_OK, EXIT_PARTIAL, app
from mova_eval.cli.options import LICENCES, one_of

if TYPE_CHECKING:
    from metrics.weights import WeightsFile

weights_app = typer.Typer(help="List, fetch, verify and find the weights of the metrics' networks.")
app.add_typer(weights_app, name="weights", invoke_without_command=True)

_LICENCE = typer.Option("--licence", help="commercial: leave out what forbids commercial use; any: everything.")
_NAMES = typer.Argument(help="Names of weights, or of metrics or scores that need them.")


@weights_app.callback(invoke_without_command=True)
def weights(ctx: typer.Context) -> None:
    """List the weights; without a sub-command the same as `weights list`."""
    if ctx.invoked_subcommand is None:
        list_weights()


@weights_app.command("list")
def list_weights(
    licence: Annotated[str, _LICENCE] = "any",
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """Every file of weights: what needs it, size, licence, whether it is here."""
    from metrics.weights import TABLE

    kept, lost = _by_licence(list(TABLE.values()), licence)
    if json_:
        import json

        typer.echo(json.dumps([_row(entry) for entry in kept], indent=2))
        return EXIT_OK
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("weights", "for", "size", "licence", "here"):
        table.add_column(column, overflow="fold", no_wrap=column in {"weights", "size"})
    for entry in kept:
        row = _row(entry)
        table.add_row(entry.name, " ".join(entry.needed_by), _size(entry.size), entry.licence, row["here"] or "no")
    console = Console()
    console.print(table)
    _tell_lost(lost)
    return EXIT_OK


@weights_app.command()
def fetch(
    names: Annotated[list[str] | None, _NAMES] = None,
    every: Annotated[bool, typer.Option("--all", help="Everything that can be fetched.")] = False,
    lock: Annotated[Path | None, typer.Option(help="A run, or its weights.lock: what that run used.")] = None,
    licence: Annotated[str, _LICENCE] = "any",
) -> int:
    """Download weights into the cache: resumed after an interruption, checked by digest, in place only when whole.

    Example: mova-eval weights fetch lip_sync
    """
    from metrics.weights.store import fetch as fetch_one

    kept, lost = _by_licence(_chosen(names or [], every=every, lock=lock), licence)
    _tell_lost(lost)
    failed = []
    for entry in kept:
        if every and not entry.fetchable:
            continue
        try:
            with _progress(entry.name) as step:
                place = fetch_one(entry.name, progress=step)
        except UserError as error:
            if len(kept) == 1:
                raise
            failed.append(str(error))
            typer.echo(f"mova-eval: {error}", err=True)
        else:
            typer.echo(f"{entry.name}: {place}")
    return EXIT_PARTIAL if failed else EXIT_OK


@weights_app.command()
def verify(
    names: Annotated[list[str] | None, _NAMES] = None,
    lock: Annotated[Path | None, typer.Option(help="A run, or its weights.lock, to compare this machine with.")] = None,
) -> int:
    """Check the weights on this machine by length and digest; exit code 3 when something is wrong.

    Without names, everything that is here. With --lock, whether this machine has what a run used.
    """
    from metrics.weights import TABLE, missing

    if lock is not None:
        from metrics.weights.lockfile import check, read_lock

        findings: dict[str, str | None] = check(read_lock(lock))
    else:
        chosen = _chosen(names, every=False, lock=None) if names else list(TABLE.values())
        here = [entry for entry in chosen if names or missing(entry.name) is None]
        findings = {entry.name: _wrong(entry) for entry in here}
    for name, wrong in findings.items():
        typer.echo(f"WRONG   {wrong}" if wrong else f"ok      {name}")
    if not findings:
        typer.echo("no weights are on this machine; get some with: mova-eval weights fetch NAME")
    return EXIT_PARTIAL if any(findings.values()) else EXIT_OK


@weights_app.command()
def path(name: Annotated[str, typer.Argument(help="Name of weights.")]) -> int:
    """Print where weights lie; exit code 2, with what to do, when they are not here."""
    from metrics.weights import locate

    typer.echo(locate(name))
    return EXIT_OK


def _row(entry: WeightsFile) -> dict[str, Any]:
    from metrics.weights import missing, own_path
    from metrics.weights.finding import is_here, places

    place = next((p for p in places(entry.name) if is_here(entry, p)), None) if missing(entry.name) is None else None
    where = "own path" if own_path(entry.name) else "package" if _in_package(entry, place) else "yes"
    return {
        "name": entry.name,
        "needed_by": list(entry.needed_by),
        "size": entry.size,
        "sha256": entry.sha256,
        "source": entry.source,
        "repo": entry.repo,
        "revision": entry.revision if entry.repo else None,
        "licence": entry.licence,
        "commercial": entry.commercial,
        "here": None if place is None else where,
        "path": None if place is None else str(place),
    }


def _in_package(entry: WeightsFile, place: Path | None) -> bool:
    return entry.package is not None and place is not None and place.as_posix().endswith("/".join(entry.package))


def _wrong(entry: WeightsFile) -> str | None:
    from metrics.weights import verified

    try:
        verified(entry.name)
    except UserError as error:
        return str(error)
    return None


def _chosen(names: list[str], *, every: bool, lock: Path | None) -> list[WeightsFile]:
    """Declarations by weights' names, by metrics or by scores, each once, in the table's order."""
    from metrics.weights import TABLE

    if every:
        return list(TABLE.values())
    wanted: set[str] = set()
    if lock is not None:
        from metrics.weights.lockfile import read_lock

        wanted |= set(read_lock(lock)) & set(TABLE)
    for name in names:
        wanted |= {name} if name in TABLE else _weights_of(name)
    if not wanted:
        raise UserError("name the weights to fetch, or a metric that needs them, or give --all; see: mova-eval weights")
    return [entry for entry in TABLE.values() if entry.name in wanted]


def _weights_of(name: str) -> set[str]:
    """Weights that a metric or score needs. Raises UserError for an unknown name."""
    from metrics.registry import get, metric_class
    from metrics.weights import TABLE, declared

    scored = {entry.name for entry in TABLE.values() if name in entry.needed_by}
    try:
        own = set(get(metric_class(name).name).weights_used())
    except UserError:
        if scored:
            return scored
        declared(name)  # its complaint names weights that are nearly called so
        raise
    if not own:
        raise UserError(f"{name} needs no declared weights")
    return own


def _by_licence(entries: list[WeightsFile], licence: str) -> tuple[list[WeightsFile], list[WeightsFile]]:
    one_of("--licence", licence, LICENCES)
    kept = [entry for entry in entries if licence == "any" or entry.commercial]
    return kept, [entry for entry in entries if entry not in kept]


def _tell_lost(lost: list[WeightsFile]) -> None:
    for entry in lost:
        typer.echo(f"left out: {entry.name} ({entry.licence}), and with it {', '.join(entry.needed_by)}", err=True)


def _size(size: int | None) -> str:
    if size is None:
        return "?"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar with rate and time left on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def requested(settings: list[str] | None) -> None:
    """Take `--weights NAME=PATH` over into the environment, where workers see it. Raises UserError."""
    import os

    from metrics.weights import own_path
    from metrics.weights.finding import OWN_PATHS

    if not settings:
        return
    before = os.environ.get(OWN_PATHS)
    given = [setting.partition("=") for setting in settings]
    whole = [f"{name}={Path(place).expanduser().resolve()}" if place else name for name, _, place in given]
    os.environ[OWN_PATHS] = os.pathsep.join([*whole, *filter(None, [before])])
    for name, _, _ in given:
        own_path(name)  # complains about what it cannot read
