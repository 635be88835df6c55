"""`mova-eval generators`: what can make clips, what it needs, and whether that is here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mova_eval.cli import generation as g
from mova_eval.cli.app import EXIT_OK, EXIT_PARTIAL, app
from mova_eval.cli.doctor import SIGNS

if TYPE_CHECKING:
    from mova_eval.generators import GeneratorCard

generators_app = typer.Typer(help="List generators, show their settings, check whether one can run here.")
app.add_typer(generators_app, name="generators", invoke_without_command=True)


@generators_app.callback(invoke_without_command=True)
def generators(ctx: typer.Context) -> None:
    """List generators; without a sub-command the same as `generators list`."""
    if ctx.invoked_subcommand is None:
        list_generators()


@generators_app.command("list")
def list_generators(json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> int:
    """Every generator with its sizes, lengths, sound, needs and licences."""
    from mova_eval.generators import make, registry

    cards = [make(name).describe() for name in registry.available()]
    if json_:
        typer.echo(json.dumps([_as_json(card) for card in cards], indent=2))
        return EXIT_OK
    from rich.console import Console

    console = Console(highlight=False)
    for card in cards:
        short = [name for name, (generator, _) in registry.MODELS.items() if generator == card.name]
        names = f" (--model {', '.join(short)})" if short else ""
        console.print(f"[bold]{card.name}[/bold]{names}: {card.title}", soft_wrap=True)
        for label, text in _facts(card):
            console.print(f"  {label}: {text}", soft_wrap=True, markup=False)
    return EXIT_OK


def _facts(card: GeneratorCard) -> list[tuple[str, str]]:
    rows = [
        ("sizes", ", ".join(card.sizes)),
        ("frames", f"{card.frames}, {card.fps:g} fps" if card.frames and card.fps else card.frames),
        ("sound", card.sample_rate),
        ("needs", card.needs),
        ("code", card.code_licence),
        ("weights", card.weights_licence),
    ]
    return [(label, text) for label, text in rows if text]


def _as_json(card: GeneratorCard) -> dict[str, Any]:
    from dataclasses import asdict

    values = asdict(card)
    values["settings"] = {
        name: {"default": s.default, "help": s.help, "kind": s.kind.__name__, "machine": s.machine}
        for name, s in card.settings.items()
    }
    return values


@generators_app.command()
def show(name: Annotated[str, typer.Argument(help="A generator or a model's short name.")]) -> int:
    """The settings of a generator with their defaults."""
    from mova_eval.generators import make

    card = make(name).describe()
    typer.echo(f"{card.name} {card.version}: {card.title}")
    for setting, one in card.settings.items():
        default = "-" if one.default is None else one.default
        choices = f" ({', '.join(map(str, one.choices))})" if one.choices else ""
        where = "; changes no clip" if one.machine else ""
        typer.echo(f"  {setting} = {default}: {one.help}{choices}{where}")
    return EXIT_OK


@generators_app.command()
def probe(
    name: Annotated[str, typer.Argument(help="A generator or a model's short name.")],
    level: Annotated[str, typer.Option(help="files, env, device or server; each includes those before it.")] = "server",
    server: g.Server = None,
    command: g.Command = None,
    clips: g.Clips = None,
    checkpoint: g.Checkpoint = None,
    offload: g.Offload = None,
    size: g.Size = None,
    set_: g.GeneratorSet = None,
) -> int:
    """What a generator needs and whether it is here, with one sentence how to get what is missing; 3 if something is.

    Example: mova-eval generators probe 720p --offload layer
    """
    from mova_eval.cli.options import one_of
    from mova_eval.generators.contract import LEVELS

    one_of("--level", level, LEVELS)
    named = {
        "server": server,
        "command": command,
        "clips": clips,
        "checkpoint": checkpoint,
        "offload": offload,
        "size": size,
    }
    generator = g.Wishes(named, set_ or []).generator(name)
    wanted = next(known for known in LEVELS if known == level)
    checks = generator.probe(wanted)
    signs = {**SIGNS, "unknown": "unknown"}
    for check in checks:
        typer.echo(f"{signs[check.state]} {check.name}: {check.detail}" + (f"; {check.remedy}" if check.remedy else ""))
    return EXIT_PARTIAL if any(check.fails for check in checks) else EXIT_OK
