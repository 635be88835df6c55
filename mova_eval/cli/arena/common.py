"""What the arena's commands share: options, opening the installation, errors and output."""

from __future__ import annotations

import functools
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metrics.errors import MissingPackage, UserError
from mova_eval.cli.app import app

if TYPE_CHECKING:
    from arena.clock import Clock
    from arena.config import ArenaConfig
    from arena.context import Arena

arena_app = typer.Typer(
    help="Blind votes on clips: import, serve, rate, export.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(arena_app, name="arena")

CONFIG_FILE = "arena.toml"
CLI_ACTOR = "command line"

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help=f"Configuration file; default: ./{CONFIG_FILE} where there is one.")
]
DatabaseOption = Annotated[
    str | None, typer.Option("--database", help="sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME.")
]
CampaignOption = Annotated[str | None, typer.Option("--campaign", "-c", help="Campaign; default: the newest open one.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the audit log.")]


def command(group: typer.Typer, name: str | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a command whose mistakes end in one sentence, and whose missing packages say what to install."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **options: Any) -> Any:
            with plain_errors():
                return function(*args, **options)

        group.command(name)(run)
        return function

    return register


@contextmanager
def plain_errors() -> Iterator[None]:
    """The arena knows nothing of the suite's errors: its own become those."""
    try:
        yield
    except ModuleNotFoundError as error:
        root = (error.name or "").split(".")[0]
        if root in {"sqlalchemy", "alembic", "streamlit", "starlette", "uvicorn", "pyarrow"}:
            raise MissingPackage(f"the arena needs {root}; install it with: pip install 'mova-eval[arena]'") from error
        if root == "psycopg":
            raise MissingPackage("PostgreSQL needs psycopg: pip install 'mova-eval[arena-pg]'") from error
        raise
    except Exception as error:
        from arena.errors import ArenaError

        if isinstance(error, ArenaError):
            raise UserError(str(error)) from error
        raise


def configuration(config: Path | None, database: str | None, **given: Any) -> ArenaConfig:
    """File, environment and options together."""
    from arena.config import ArenaConfig
    from mova_eval import __version__

    place = config if config is not None else Path(CONFIG_FILE) if Path(CONFIG_FILE).is_file() else None
    return ArenaConfig.load(place, database=database, code_version=__version__, **given)


def opened(
    config: Path | None,
    database: str | None,
    *,
    create: bool = False,
    clock: Clock | None = None,
    background: bool = False,
) -> Arena:
    """The installation. create: make the configuration file with fresh secrets, and the tables, where missing."""
    from arena.context import open_arena

    if create and config is None and not Path(CONFIG_FILE).exists() and not os.environ.get("ARENA_SECRET"):
        write_config(Path(CONFIG_FILE), database)
    settings = configuration(config, database)
    return open_arena(settings, create=create, clock=clock, background=background, allow_simulated=True)


def write_config(path: Path, database: str | None, **extra: str) -> None:
    """A new configuration file that only its owner may read."""
    if path.exists():
        raise UserError(f"{path} exists already; remove it first, or edit it")
    values = {
        "database": database or "sqlite:///arena.sqlite",
        "media_root": "arena-media",
        "secret": secrets.token_urlsafe(48),
        "cookie_secret": secrets.token_urlsafe(48),
        **extra,
    }
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("# Secrets: whoever reads them can forge voters' cookies. Keep this file, and back it up.\n" + text)


def campaign_name(arena: Arena, given: str | None) -> str:
    """The campaign that is meant. Raises UserError when there is none."""
    from arena.service import campaigns

    if given is not None:
        return campaigns.get(arena, given).slug
    found = campaigns.default(arena)
    if found is None:
        raise UserError("there is no campaign yet; import clips first: mova-eval arena import RUN [RUN ...]")
    return found.slug


def show(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))


def plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if type(value).__module__ == "numpy":
        return plain(value.item() if value.ndim == 0 else value.tolist())
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return None
    return str(value) if isinstance(value, Path) else value


def settings_of(texts: list[str] | None) -> dict[str, Any]:
    """`key=value` texts; values are JSON where they can be, else text."""
    from mova_eval.cli.options import json_or_text

    found: dict[str, Any] = {}
    for text in texts or []:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UserError(f"'{text}': expected KEY=VALUE, such as mode=quick")
        found[key] = json_or_text(value)
    return found


@contextmanager
def progress_bar(what: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left, on standard error; to be called with (done, total)."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
