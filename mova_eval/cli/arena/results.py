"""rate, export, import-votes, power, audit: what the votes say."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from metrics.errors import UserError
from mova_eval.cli.app import EXIT_GATE, EXIT_OK
from mova_eval.cli.arena.common import (
    CLI_ACTOR,
    CampaignOption,
    ConfigOption,
    DatabaseOption,
    JsonOption,
    ReasonOption,
    arena_app,
    campaign_name,
    command,
    opened,
    settings_of,
    show,
)
from mova_eval.cli.options import words

if TYPE_CHECKING:
    from arena.service.types_results import Board

audit_app = typer.Typer(help="The log of what was changed.", no_args_is_help=True)
arena_app.add_typer(audit_app, name="audit")


@command(arena_app)
def rate(
    campaign: CampaignOption = None,
    criterion: Annotated[str, typer.Option(help="overall, video, audio, sync or prompt.")] = "overall",
    filter_: Annotated[
        list[str] | None, typer.Option("--filter", help="KEY=VALUE: category, set, language, cohort, device, ...")
    ] = None,
    method: Annotated[str, typer.Option(help="bt_half, bt_drop, davidson, rao_kupper or elo_online.")] = "bt_half",
    anchor: Annotated[str | None, typer.Option(help="mean:1000 or MODEL:RATING.")] = None,
    publish: Annotated[bool, typer.Option("--publish", help="Show it on the leaderboard.")] = False,
    reason: ReasonOption = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out what takes longer: permutations, convergence.")
    ] = False,
    config: ConfigOption = None,
    database: DatabaseOption = None,
    json_: JsonOption = False,
) -> int:
    """Rate all votes that count, and store the result as a snapshot.

    Example: mova-eval arena rate --criterion sync --filter category=speech
    """
    from arena.service import snapshots

    arena = opened(config, database)
    board = snapshots.compute(
        arena, campaign_name(arena, campaign), criterion, given=settings_of(filter_), method=method,  # type: ignore[arg-type]
        anchor=anchor, extras=not quick, publish_now=publish, actor=CLI_ACTOR, reason=reason,
    )  # fmt: skip
    if json_:
        show(board)
    else:
        _print_board(board)
    return EXIT_OK


def _print_board(board: Board) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("rank", justify="right")
    table.add_column("model", overflow="fold", min_width=14)
    for name in ("rating", "95% interval", "votes", "won", "tied", "lost"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in board.rows:
        limits = "" if row.lo is None or row.hi is None else f"{_number(row.lo)}..{_number(row.hi)}"
        tied = row.ties + row.both_bad
        state = "" if row.state == "ranked" else f" ({row.state})"
        table.add_row(
            row.rank, row.display_name + state, "" if row.rating is None else f"{row.rating:.1f}", limits, str(row.n),
            _share(row.wins, row.n), _share(tied, row.n), _share(row.losses, row.n),
        )  # fmt: skip
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"{board.n_votes} votes of {board.n_voters} voters (worth {board.eff_voters:.0f} equally active ones) on"
        f" {board.n_items} items, {board.n_excluded} left out; {board.method}, anchor {board.anchor}"
    )
    robust = board.fit.get("robustness")
    if robust:
        console.print(
            f"without {robust['votes']} votes of {robust['voters']} voters, {robust['rival']} or another would be first"
        )
    for note in board.fit.get("notes", []):
        console.print(f"note: {note}", soft_wrap=True)
    if board.simulated:
        console.print("simulated voters took part")
    console.print(f"snapshot {board.snapshot_id}{' (published)' if board.published else ''}")


def _number(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else "∞" if value > 0 else "-∞"


def _share(count: int, total: int) -> str:
    return f"{count / total:.0%}" if total else ""


@command(arena_app)
def export(
    folder: Annotated[Path, typer.Argument(help="Folder to write.")],
    campaign: CampaignOption = None,
    level: Annotated[str, typer.Option(help="public (anonymous) or full.")] = "public",
    formats: Annotated[
        str, typer.Option("--format", help="Comma-separated: csv, parquet, jsonl.")
    ] = "csv,parquet,jsonl",
    config: ConfigOption = None,
    database: DatabaseOption = None,
    json_: JsonOption = False,
) -> int:
    """Write every judgement, with a manifest that says which leaderboard it is the data of.

    Example: mova-eval arena export votes-2026-11
    """
    from arena.service.export import export_votes

    arena = opened(config, database)
    made = export_votes(
        arena,
        campaign_name(arena, campaign),
        folder,
        level=_level(level),
        formats=words(formats) or [],
        actor=CLI_ACTOR,
    )
    if json_:
        show(made)
    else:
        typer.echo(f"{made.rows} judgements of {made.voters} voters: {', '.join(p.name for p in made.files)}")
        if made.snapshots:
            typer.echo(f"the data of snapshots {', '.join(map(str, made.snapshots))}")
    return EXIT_OK


def _level(text: str) -> Literal["public", "full"]:
    levels: dict[str, Literal["public", "full"]] = {"public": "public", "full": "full"}
    if text not in levels:
        raise UserError(f"--level {text}: give public or full")
    return levels[text]


@command(arena_app, "import-votes")
def import_votes(
    path: Annotated[Path, typer.Argument(help="Folder or file of an export, or a table: model_a, model_b, winner.")],
    criterion: Annotated[str, typer.Option(help="Which question.")] = "overall",
    anchor: Annotated[str, typer.Option(help="mean:1000 or MODEL:RATING.")] = "mean:1000",
    json_: JsonOption = False,
) -> int:
    """Rate exported votes again: anybody can check a leaderboard without the database.

    Example: mova-eval arena import-votes votes-2026-11
    """
    from arena.ratings import bradley_terry
    from arena.service.export import counted, data_sha256, read_export

    table = read_export(path)
    rows = counted(table, criterion)
    ratings = bradley_terry(rows, anchor=anchor)
    digest = data_sha256(table, criterion)
    if json_:
        records: list[dict[str, Any]] = ratings.table.to_dict("records")
        show({"table": records, "notes": ratings.notes, "data_sha256": digest, "votes": len(rows)})
        return EXIT_OK
    for row in ratings.table.itertuples():
        typer.echo(f"{row.model:<28} {row.rating:7.1f}  {_number(row.lower)}..{_number(row.upper)}  {row.votes} votes")
    for note in ratings.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"{len(rows)} votes, data {digest[:12]}")
    return EXIT_OK


@command(arena_app)
def power(
    difference: Annotated[float, typer.Argument(help="Elo points between two models.")] = 20.0,
    alpha: Annotated[float, typer.Option(help="Chance of a false alarm.")] = 0.05,
    power_: Annotated[float, typer.Option("--power", help="Chance of seeing a real difference.")] = 0.8,
    ties: Annotated[float, typer.Option(help="Share of ties.")] = 0.12,
    deff: Annotated[float | None, typer.Option(help="Design effect; default: several.")] = None,
    json_: JsonOption = False,
) -> int:
    """How many head-to-head votes separate two models.

    Example: mova-eval arena power 30
    """
    from arena.ratings.power import KNOWN_DEFF, votes_needed

    effects = {"given": deff} if deff is not None else {"independent votes": 1.0, **KNOWN_DEFF}
    rows = {
        name: votes_needed(difference, alpha=alpha, power=power_, ties=ties, deff=effect)
        for name, effect in effects.items()
    }
    if json_:
        show({"difference": difference, "votes": rows})
        return EXIT_OK
    for name, votes in rows.items():
        typer.echo(f"{votes:>8} votes  design effect {effects[name]:g} ({name})")
    if deff is None:
        typer.echo("more items and more voters help, more votes per voter hardly do")
    return EXIT_OK


@command(audit_app)
def verify(config: ConfigOption = None, database: DatabaseOption = None) -> int:
    """Walk the chain of the audit log. Exit code 1 if it was changed."""
    from arena.service import audit

    chain = audit.verify(opened(config, database))
    if chain.broken_at is not None:
        typer.echo(f"the audit log was changed at entry {chain.broken_at}; {chain.entries} entries before it are sound")
        return EXIT_GATE
    typer.echo(f"{chain.entries} entries, unbroken")
    return EXIT_OK


@command(arena_app)
def correlate(
    campaign: CampaignOption = None,
    criterion: Annotated[str, typer.Option(help="overall, video, audio, sync or prompt.")] = "overall",
    config: ConfigOption = None,
    database: DatabaseOption = None,
    json_: JsonOption = False,
) -> int:
    """Do automatic metrics prefer what people prefer? Per metric, on battles and on models.

    Example: mova-eval arena correlate --criterion sync
    """
    from arena.service import correlation

    arena = opened(config, database)
    rows = correlation.correlate(arena, campaign_name(arena, campaign), criterion)
    if json_:
        show(rows)
        return EXIT_OK
    for row in rows:
        b, m = row.battles, row.models
        share = "no votes" if b.accuracy is None else f"{b.accuracy:.1%} ({b.lower:.1%}..{b.upper:.1%}) of {b.decisive}"
        rho = "" if m.spearman is None else f"  models: rho {m.spearman:+.2f}, p {m.p:.3f}"
        kind = "expected" if row.expected else "exploratory"
        typer.echo(f"{row.metric:<14} {row.protocol:<10} {kind:<11} agrees with {share}{rho}")
    notes = sorted({row.models.note for row in rows if row.models.note})
    for note in notes:
        typer.echo(f"note: {note}")
    return EXIT_OK
