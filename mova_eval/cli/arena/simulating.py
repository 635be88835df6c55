"""simulate, loadtest."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from metrics.errors import UserError
from mova_eval.cli.app import EXIT_GATE, EXIT_OK
from mova_eval.cli.arena.common import JsonOption, arena_app, command, plain, progress_bar, show, write_config


@command(arena_app)
def simulate(
    folder: Annotated[Path, typer.Argument(help="Folder for database, configuration and report.")],
    preset: Annotated[
        str, typer.Option(help="paper4, flat8, spread20, late_joiner, attack_fan or attack_ring.")
    ] = "paper4",
    votes: Annotated[int | None, typer.Option(min=1, help="Votes; default: of the preset.")] = None,
    voters: Annotated[int | None, typer.Option(min=1, help="Voters; default: of the preset.")] = None,
    items: Annotated[int | None, typer.Option(min=1, help="Items; default: of the preset.")] = None,
    coverage: Annotated[int, typer.Option(min=0, help="Also measure the intervals over so many repetitions.")] = 0,
    seed: Annotated[int, typer.Option(help="One seed gives one database content.")] = 0,
    json_: JsonOption = False,
) -> int:
    """Voters with known opinions against the real services and a real database: does the truth come out?

    Look at the result with: mova-eval arena rate --config FOLDER/arena.toml

    Example: mova-eval arena simulate sim --preset paper4 --coverage 300
    """
    from arena import simulate as engine

    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty; give another folder")
    folder.mkdir(parents=True, exist_ok=True)
    scenario = engine.preset(preset, votes=votes, voters=voters, items=items)
    report = _simulated(folder, scenario, seed, json_)
    if coverage:
        with progress_bar("coverage", quiet=json_) as progress:
            report["coverage"] = asdict(engine.coverage(scenario, coverage, seed, progress=progress))
    (folder / "report.json").write_text(json.dumps(plain(report), indent=2) + "\n", encoding="utf-8")
    if json_:
        show(report)
        return EXIT_OK
    for row in report["models"]:
        typer.echo(
            f"{row['model']:<20} truth {row['truth']:7.1f}  found {row['rating']:7.1f}"
            f"  {row['lo']:.0f}..{row['hi']:.0f}"
        )
    typer.echo(f"{report['votes']} votes, {report['votes_per_second']:.0f} a second; flagged {report['flagged']}")
    if coverage:
        found = report["coverage"]
        typer.echo(
            f"95% intervals held the truth in {found['clustered']:.1%} ({found['half_clustered']:.0f} Elo wide either"
            f" side); taking votes for independent: {found['iid']:.1%} ({found['half_iid']:.0f})"
        )
    typer.echo(f"report: {folder / 'report.json'}")
    return EXIT_OK


def _simulated(folder: Path, scenario: Any, seed: int, quiet: bool) -> dict[str, Any]:
    from arena import simulate as engine
    from arena.clock import FakeClock
    from arena.config import ArenaConfig
    from arena.context import Arena
    from arena.db.engine import Database
    from arena.db.migrate import upgrade
    from arena.service import snapshots, sweep
    from arena.tokens import seeded_source

    place = folder.resolve()
    url = f"sqlite:///{place / 'arena.sqlite'}"
    write_config(place / "arena.toml", url, media_root=str(place / "media"))
    clock = FakeClock()
    database = Database(url, clock=clock, fast=True)
    upgrade(database)
    settings = ArenaConfig.load(place / "arena.toml", {})
    arena = Arena(settings, database, clock, seeded_source(seed), simulated=True)
    started = time.perf_counter()
    with progress_bar("votes", quiet=quiet) as progress:
        simulator = engine.run(arena, scenario, seed, progress)
    seconds = time.perf_counter() - started
    board = snapshots.compute(arena, scenario.name, publish_now=True, actor="simulator")
    flags = {flag.voter_id for flag in sweep.sweep(arena, scenario.name, act=False)}
    people = simulator.played.people
    by_type = {
        kind: [
            sum(p.voter_id in flags for p in people if p.type == kind and p.voter_id),
            sum(p.type == kind for p in people),
        ]
        for kind in sorted({p.type for p in people})
    }
    truth = dict(zip(scenario.models, scenario.truth(), strict=True))
    rows = {row.model: row for row in board.rows}
    return {
        "scenario": {**asdict(scenario)},
        "seed": seed,
        "votes": simulator.played.votes,
        "votes_per_second": simulator.played.votes / seconds,
        "events": {name: getattr(simulator.played, name) for name in ("served", "skipped", "expired", "repeated")},
        "models": [
            {"model": name, "truth": value, "rating": rows[name].rating, "lo": rows[name].lo, "hi": rows[name].hi,
             "inside": rows[name].lo <= value <= rows[name].hi, "battle_share": rows[name].battle_share}
            for name, value in truth.items()
        ],
        "flagged": {kind: f"{hit} of {count}" for kind, (hit, count) in by_type.items()},
    }  # fmt: skip


@command(arena_app)
def loadtest(
    database: Annotated[
        str | None, typer.Option("--database", help="An EMPTY database to fill; default: a temporary SQLite file.")
    ] = None,
    writers: Annotated[int, typer.Option(min=1, max=200, help="People who vote at the same time.")] = 50,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long.")] = 10,
    think: Annotated[float, typer.Option(min=0, help="Seconds between two votes of a person.")] = 0,
    processes: Annotated[int, typer.Option(min=1, max=16, help="Spread the writers over so many processes.")] = 1,
    json_: JsonOption = False,
) -> int:
    """How many battles and votes a database takes, and that none is lost or doubled. Exit code 1 if one is.

    Drives the same functions as the pages; the pages themselves are not part of it.
    """
    from arena.load import load_test

    report = load_test(database, writers=writers, seconds=seconds, think=think, processes=processes)
    if json_:
        show(report)
    else:
        typer.echo(
            f"{report.votes} votes in {report.seconds:.1f} s: {report.per_second:.0f} a second;"
            f" median {report.median_ms:.0f} ms, 99% {report.p99_ms:.0f} ms; lost {report.lost},"
            f" doubled {report.doubled},"
            f" errors {report.errors}"
        )
    return EXIT_GATE if report.lost or report.doubled or report.errors else EXIT_OK
