"""The program's shape: commands, exit codes, and how errors are shown."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from metrics.errors import UserError
from mova_eval import __version__

EXIT_OK = 0
EXIT_GATE = 1
EXIT_USAGE = 2
EXIT_PARTIAL = 3
EXIT_BUG = 70  # a defect of ours, kept apart from a failed gate
EXIT_INTERRUPTED = 130

# typer carries its own copy of click in some releases: take the error class from the public name that derives from it
_ClickError: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

HELP = """Measure clips of joint audio-video generation models.

The main job: point it at a folder of clips and get the table.

    mova-eval score CLIPS --benchmark verse-bench

Exit codes: 0 fine, 1 a gate failed, 2 usage or input, 3 some measurements failed, 70 a defect of the suite,
130 interrupted (start the same command again to go on).
"""

app = typer.Typer(
    name="mova-eval",
    help=HELP,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mova-eval {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Never open a socket.")] = False,
) -> None:
    """What every command has in common."""
    if debug:
        os.environ["MOVA_EVAL_DEBUG"] = "1"
    if offline:
        os.environ["MOVA_EVAL_OFFLINE"] = "1"
        os.environ["HF_HUB_OFFLINE"] = "1"


def _say(message: str) -> None:
    print(f"mova-eval: {message}", file=sys.stderr)


def main() -> None:
    """Run the program; a user's mistake is one sentence on standard error, a defect keeps its traceback."""
    from mova_eval.cli import commands  # noqa: F401 - registers the commands

    sys.exit(_run())


def _run() -> int:  # noqa: PLR0911 - one way out per kind of ending
    try:
        return int(app(standalone_mode=False) or EXIT_OK)
    except typer.Exit as done:
        return done.exit_code
    except _ClickError as error:
        error.show()  # type: ignore[attr-defined]
        return EXIT_USAGE
    except UserError as error:
        if os.environ.get("MOVA_EVAL_DEBUG"):
            raise
        _say(str(error))
        return EXIT_USAGE
    except (KeyboardInterrupt, typer.Abort):
        _say("interrupted; start the same command again to go on")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads any more: no complaint at exit
        return EXIT_OK
    except Exception:
        import traceback

        traceback.print_exc()
        _say("this is a defect of mova-eval; please report it with the lines above")
        return EXIT_BUG
