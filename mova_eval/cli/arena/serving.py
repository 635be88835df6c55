"""init, migrate, backup, check, serve."""

from __future__ import annotations

import os
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metrics.errors import UserError
from mova_eval.cli.app import EXIT_GATE, EXIT_OK
from mova_eval.cli.arena.common import (
    CONFIG_FILE,
    ConfigOption,
    DatabaseOption,
    JsonOption,
    arena_app,
    command,
    configuration,
    opened,
    plain,
    show,
    write_config,
)

if TYPE_CHECKING:
    from arena.db.engine import Database

KEPT_BACKUPS = 14
_UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0}


@command(arena_app)
def init(
    config: Annotated[Path, typer.Option("--config", help="Configuration file to write.")] = Path(CONFIG_FILE),
    database: DatabaseOption = None,
    host: Annotated[
        list[str] | None, typer.Option(help="Public host name of the site; may be repeated. Needed behind a proxy.")
    ] = None,
    admin: Annotated[
        bool, typer.Option("--admin/--no-admin", help="Ask for a password of the admin page (or ARENA_ADMIN_PASSWORD).")
    ] = False,
) -> int:
    """Write a configuration with fresh secrets, and make the tables.

    Example: mova-eval arena init --admin --host votes.example.org
    """
    extra: dict[str, Any] = {}
    if admin:
        password = os.environ.get("ARENA_ADMIN_PASSWORD") or typer.prompt("Password of the admin page", hide_input=True)
        extra["admin_password_hash"] = import_module("arena.passwords").hash_password(password)
    if host:
        extra["public_hosts"] = host
    write_config(config, database, **extra)
    arena = opened(config, database, create=True)
    typer.echo(f"configuration: {config}\ndatabase: {arena.database.describe()}")
    return EXIT_OK


def _database(config: Path | None, database: str | None) -> Database:
    from arena.db.engine import Database

    settings = configuration(config, database)
    return Database(settings.database, i_know=settings.i_know)


@command(arena_app)
def migrate(
    config: ConfigOption = None,
    database: DatabaseOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="PostgreSQL: a backup was made.")] = False,
) -> int:
    """Bring the database to this version's tables; SQLite is copied first."""
    from arena.db.migrate import backup, current, head, upgrade

    target = _database(config, database)
    before = current(target)
    if before == head():
        typer.echo(f"{target.describe()} has the newest tables already ({before})")
        return EXIT_OK
    if before is not None and target.path is not None:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        typer.echo(f"backup: {backup(target, target.path.with_name(f'{target.path.name}.{before}.{stamp}'))}")
    elif before is not None and not yes:
        raise UserError("back up first (pg_dump --format=custom NAME > FILE), then repeat with --yes")
    upgrade(target)
    typer.echo(f"{target.describe()}: {before or 'empty'} -> {head()}")
    return EXIT_OK


@command(arena_app)
def backup(
    folder: Annotated[Path, typer.Argument(help="Folder for the dated copy.")] = Path("arena-backups"),
    config: ConfigOption = None,
    database: DatabaseOption = None,
    keep: Annotated[int, typer.Option(min=1, help="Copies to keep in the folder.")] = KEPT_BACKUPS,
) -> int:
    """Copy a SQLite database while it is in use, and verify the copy.

    Restore: stop the site, put the copy in the place of the database file, remove FILE-wal and FILE-shm, start again.
    """
    typer.echo(f"backup: {dated_backup(_database(config, database), folder, keep)}")
    return EXIT_OK


def dated_backup(database: Database, folder: Path, keep: int) -> Path:
    """A verified copy named by the time; the oldest beyond `keep` are removed."""
    from arena.db.migrate import backup as copy

    folder.mkdir(parents=True, exist_ok=True)
    name = (database.path or Path("arena")).stem
    made = copy(database, folder / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.sqlite")
    for old in sorted(folder.glob(f"{name}-*.sqlite"))[:-keep]:
        old.unlink()
    return made


@command(arena_app)
def check(config: ConfigOption = None, database: DatabaseOption = None, json_: JsonOption = False) -> int:
    """Is everything sound? Tables, triggers, audit chain, files of clips. Exit code 1 if something is not."""
    from arena.service import audit, overview
    from arena.service.checks import check_files, check_rows

    arena = opened(config, database)
    problems = [*check_rows(arena), *check_files(arena)]
    chain = audit.verify(arena)
    if chain.broken_at is not None:
        problems.append(f"the audit log was changed at entry {chain.broken_at}")
    state = overview.health(arena)
    if not state.writable:
        problems.append("the database cannot be written")
    if json_:
        show({"problems": problems, "health": plain(state), "audit_entries": chain.entries})
    else:
        for problem in problems:
            typer.echo(problem)
        typer.echo(f"{len(problems)} problems; {chain.entries} audit entries; {state.missing_clips} clips missing")
    return EXIT_GATE if problems else EXIT_OK


@command(arena_app)
def serve(
    config: ConfigOption = None,
    database: DatabaseOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on; a proxy with TLS belongs before it.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8501,
    backup_every: Annotated[
        str | None, typer.Option(help="SQLite: copy into arena-backups this often, such as 6h; 14 are kept.")
    ] = None,
) -> int:
    """Open the voting site on this machine.

    Example: mova-eval arena serve --port 8501
    """
    run_site(config, database, host, port, backup_every)
    return EXIT_OK


def run_site(config: Path | None, database: str | None, host: str, port: int, backup_every: str | None = None) -> None:
    """Serve until interrupted. One process: the framework keeps visitors' state in memory."""
    import uvicorn

    create_app, site = import_module("arena.web.asgi").create_app, import_module("arena.web.site").Site

    from arena.context import open_arena
    from arena.service import battles

    settings = configuration(config, database)
    arena = open_arena(settings, background=True)
    battles.expire_old(arena)
    if backup_every is not None:
        _back_up_regularly(arena.database, seconds_of(backup_every))
    typer.echo(f"arena: http://{host}:{port}  (stop with Ctrl-C)", err=True)
    uvicorn.run(create_app(site(arena)), host=host, port=port, workers=1, log_level="warning", server_header=False)


def seconds_of(text: str) -> float:
    """`90m`, `6h`, `1d` in seconds."""
    number, unit = text[:-1], text[-1:]
    try:
        return float(number) * _UNITS[unit]
    except (ValueError, KeyError):
        raise UserError(f"'{text}' is no span of time; give 90m, 6h or 1d") from None


def _back_up_regularly(database: Database, every: float) -> None:
    from arena.errors import ArenaError

    def work() -> None:
        while True:
            time.sleep(every)
            try:
                dated_backup(database, Path("arena-backups"), KEPT_BACKUPS)
            except (ArenaError, OSError) as error:
                typer.echo(f"backup failed: {error}", err=True)

    if not database.is_sqlite:
        raise UserError("--backup-every copies SQLite files; back up PostgreSQL with pg_dump")
    threading.Thread(target=work, name="arena-backup", daemon=True).start()
