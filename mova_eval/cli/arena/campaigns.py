"""campaign create, open, pause, close, set, list."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mova_eval.cli.app import EXIT_OK
from mova_eval.cli.arena.common import (
    CLI_ACTOR,
    ConfigOption,
    DatabaseOption,
    JsonOption,
    ReasonOption,
    arena_app,
    command,
    opened,
    settings_of,
    show,
)

campaign_app = typer.Typer(help="Campaigns: one study each.", no_args_is_help=True)
arena_app.add_typer(campaign_app, name="campaign")

SlugArgument = Annotated[str, typer.Argument(help="Name of the campaign.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE; may be repeated. See docs/arena.md.")]


@command(campaign_app)
def create(
    slug: SlugArgument,
    title: Annotated[str, typer.Option(help="Title in English.")] = "",
    title_zh: Annotated[str, typer.Option(help="Title in Chinese.")] = "",
    models: Annotated[str | None, typer.Option(help="Comma-separated models; default: all contestants.")] = None,
    benchmarks: Annotated[str | None, typer.Option(help="Comma-separated benchmarks; default: all items.")] = None,
    set_: SetOption = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> int:
    """A new campaign in draft, with models and items of the arena.

    Example: mova-eval arena campaign create spring --set mode=quick --set min_votes_ranked=200
    """
    from arena.service import campaigns
    from mova_eval.cli.options import words

    arena = opened(config, database)
    made = campaigns.create(arena, slug, title_en=title, title_zh=title_zh, config=settings_of(set_), actor=CLI_ACTOR)
    chosen = words(models) or campaigns.contestants(arena)
    n_models = campaigns.add_models(arena, slug, chosen, CLI_ACTOR)
    n_items = campaigns.add_items(arena, slug, CLI_ACTOR, benchmarks=words(benchmarks))
    typer.echo(f"campaign {made.slug}: draft, {n_models} models, {n_items} items; open it: campaign open {made.slug}")
    return EXIT_OK


def _status(slug: str, status: Any, reason: str, config: Any, database: str | None) -> int:
    from arena.service import campaigns

    found = campaigns.set_status(opened(config, database), slug, status, CLI_ACTOR, reason)
    typer.echo(f"campaign {found.slug}: {found.status}")
    return EXIT_OK


@command(campaign_app, "open")
def open_(slug: SlugArgument, config: ConfigOption = None, database: DatabaseOption = None) -> int:
    """Let people vote."""
    return _status(slug, "open", "", config, database)


@command(campaign_app)
def pause(
    slug: SlugArgument, reason: ReasonOption = "", config: ConfigOption = None, database: DatabaseOption = None
) -> int:
    """Serve no new battles; open ones may be answered for half an hour."""
    return _status(slug, "paused", reason, config, database)


@command(campaign_app)
def close(
    slug: SlugArgument, reason: ReasonOption = "", config: ConfigOption = None, database: DatabaseOption = None
) -> int:
    """End a campaign."""
    return _status(slug, "closed", reason, config, database)


@command(campaign_app, "set")
def set_values(
    slug: SlugArgument,
    values: Annotated[list[str], typer.Argument(help="KEY=VALUE ...")],
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> int:
    """Change the configuration; every change is audited and shown on the leaderboard.

    Example: mova-eval arena campaign set spring coverage_floor=20
    """
    from arena.service import campaigns

    found = campaigns.configure(opened(config, database), slug, settings_of(values), CLI_ACTOR)
    typer.echo(f"campaign {found.slug}: configuration version {found.config_version}")
    return EXIT_OK


@command(campaign_app, "list")
def list_campaigns(config: ConfigOption = None, database: DatabaseOption = None, json_: JsonOption = False) -> int:
    """All campaigns, the newest first."""
    from arena.service import campaigns, fairness

    arena = opened(config, database)
    rows: list[dict[str, Any]] = [
        {"campaign": c.slug, "status": c.status, "config": c.config.model_dump(mode="json"),
         "progress": fairness.progress(arena, c.slug)}
        for c in campaigns.list_all(arena)
    ]  # fmt: skip
    if json_:
        show(rows)
        return EXIT_OK
    for row in rows:
        done = row["progress"]
        typer.echo(
            f"{row['campaign']:<20} {row['status']:<7} {done.votes:>7} votes {done.voters:>5} voters"
            f" {done.models:>3} models {done.items:>5} items"
        )
    return EXIT_OK
