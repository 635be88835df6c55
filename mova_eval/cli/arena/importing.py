"""import, import-clips, import-scores, demo."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metrics.errors import UserError
from mova_eval.cli.app import EXIT_OK, EXIT_PARTIAL
from mova_eval.cli.arena.common import (
    CLI_ACTOR,
    CampaignOption,
    ConfigOption,
    DatabaseOption,
    JsonOption,
    arena_app,
    command,
    opened,
    progress_bar,
    show,
)
from mova_eval.cli.options import words

if TYPE_CHECKING:
    from arena.context import Arena
    from mova_eval.arena_runs import Batch

MAIN_CAMPAIGN = "main"


@command(arena_app, "import")
def import_(
    sources: Annotated[list[Path], typer.Argument(help="Run directories, or folders of clips; one model each.")],
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", "-b", help="For folders: mini, verse-bench, ... or a prompt file.")
    ] = None,
    models: Annotated[
        str | None, typer.Option(help="Comma-separated model names, in the order of the sources.")
    ] = None,
    campaign: CampaignOption = None,
    browse: Annotated[int, typer.Option(min=0, help="Keep the first N items out of battles, to be shown by name.")] = 0,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the campaign when it can be.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look at everything, write nothing.")] = False,
    config: ConfigOption = None,
    database: DatabaseOption = None,
    json_: JsonOption = False,
) -> int:
    """Take the clips of finished runs into the arena; the first import makes configuration, database and campaign.

    Stop it at any time: the same command goes on with the next clip.

    Example: mova-eval arena import results/mini-a results/mini-b && mova-eval arena serve
    """
    from mova_eval.arena_runs import read_sources

    batch = read_sources(sources, benchmark, words(models))
    arena = opened(config, database, create=True)
    report = _import(arena, batch, browse=browse, dry_run=dry_run, quiet=json_)
    slug = campaign or MAIN_CAMPAIGN
    if not dry_run:
        _into_campaign(arena, slug, [m.slug for m in batch.models], {i.benchmark for i in batch.items}, open_)
    if json_:
        show({**report, "campaign": slug})
    else:
        for warning in report["warnings"]:
            typer.echo(warning, err=True)
        typer.echo(f"clips: {report['added']} added, {report['unchanged']} there already, {report['failed']} failed")
        if not dry_run:
            typer.echo(f"campaign: {slug}; open the site: mova-eval arena serve")
    return EXIT_PARTIAL if report["failed"] else EXIT_OK


def _import(arena: Arena, batch: Batch, *, browse: int, dry_run: bool, quiet: bool) -> dict[str, Any]:
    from dataclasses import replace

    from arena.media import renderer
    from arena.service import importer

    arena.media_root.mkdir(parents=True, exist_ok=True)
    batch.items = [replace(item, browse=at < browse) for at, item in enumerate(batch.items)]
    if dry_run:
        missing = [str(clip.path) for clip in batch.clips if not clip.path.is_file()]
        return {
            "added": len(batch.clips) - len(missing),
            "unchanged": 0,
            "failed": len(missing),
            "warnings": batch.remarks,
        }
    importer.import_models(arena, batch.models, CLI_ACTOR)
    importer.import_items(arena, batch.items, CLI_ACTOR)
    with progress_bar("clips", quiet=quiet) as progress:
        done = importer.import_clips(arena, batch.clips, renderer(arena.media_root), actor=CLI_ACTOR, progress=progress)
    scores = importer.import_scores(arena, batch.scores, CLI_ACTOR)
    warnings = [*batch.remarks, *done.warnings, *scores.warnings]
    return {"added": done.added, "unchanged": done.unchanged, "failed": done.failed, "warnings": warnings}


def _into_campaign(arena: Arena, slug: str, models: list[str], benchmarks: set[str], open_: bool) -> None:
    from arena.errors import ArenaError
    from arena.service import campaigns

    if slug not in {c.slug for c in campaigns.list_all(arena)}:
        campaigns.create(arena, slug, actor=CLI_ACTOR)
    campaigns.add_models(arena, slug, models, CLI_ACTOR)
    campaigns.add_items(arena, slug, CLI_ACTOR, benchmarks=sorted(benchmarks))
    if open_ and campaigns.get(arena, slug).status == "draft":
        try:
            campaigns.set_status(arena, slug, "open", CLI_ACTOR)
        except ArenaError as error:
            typer.echo(f"{error} (the campaign stays a draft)", err=True)


@command(arena_app, "import-scores")
def import_scores(
    runs: Annotated[list[Path], typer.Argument(help="Run directories whose clips are in the arena.")],
    models: Annotated[str | None, typer.Option(help="Comma-separated model names, in the order of the runs.")] = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> int:
    """Take the scores of runs that were measured after their clips were imported."""
    from arena.service import importer
    from mova_eval.arena_runs import read_sources

    report = importer.import_scores(opened(config, database), read_sources(runs, None, words(models)).scores, CLI_ACTOR)
    for warning in report.warnings:
        typer.echo(warning, err=True)
    typer.echo(f"scores: {report.added} taken, {report.failed} without a clip")
    return EXIT_OK


@command(arena_app)
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder for everything that the demo makes.")] = Path("arena-demo"),
    votes: Annotated[int, typer.Option(min=0, help="Votes of simulated people.")] = 800,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Open the site afterwards.")] = True,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8501,
) -> int:
    """A living site within a minute, offline: rendered clips, four made-up models, simulated voters.

    Example: mova-eval arena demo
    """
    from mova_eval.arena_demo import build_demo
    from mova_eval.cli.arena.serving import run_site

    if folder.exists() and any(folder.iterdir()) and not (folder / "arena.toml").is_file():
        raise UserError(f"{folder} is not empty and holds no demo; give another folder")
    if not (folder / "arena.toml").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="arena-demo-") as work, progress_bar("demo") as progress:
            board = build_demo(folder, Path(work), votes=votes, progress=progress)
        if board is not None:
            for row in board.rows:
                typer.echo(f"{row.rank:>4} {row.display_name:<24} {row.rating or 0:7.1f}  {row.n} votes")
    typer.echo(f"configuration: {folder / 'arena.toml'}")
    if serve:
        run_site(folder / "arena.toml", None, host, port)
    return EXIT_OK
