"""Options and helpers that the commands which make clips have in common."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metrics.errors import UserError

if TYPE_CHECKING:
    from mova_eval.generators import Generator, PlanOptions

BenchmarkName = Annotated[str, typer.Argument(help="verse-bench, mybench, mini, or a path (folder, .jsonl, .json).")]
Model = Annotated[
    str, typer.Option("--model", "-m", help="720p, 360p, nano, or a generator: sglang, command, folder ...")
]
Steps = Annotated[int | None, typer.Option(min=1, help="Steps of the sampler.")]
GuidanceText = Annotated[float | None, typer.Option(help="Scale of the text guidance.")]
GuidanceBridge = Annotated[float | None, typer.Option(help="Scale of the Bridge guidance (dual CFG); 1 for none.")]
NegativePrompt = Annotated[str | None, typer.Option(help="Negative prompt.")]
NegativePromptFile = Annotated[Path | None, typer.Option(help="File with the negative prompt.")]
Size = Annotated[str | None, typer.Option(help="WIDTHxHEIGHT, 360p or 720p; turned the way of the first frame.")]
Frames = Annotated[int | None, typer.Option(min=1, help="Frames of a clip.")]
Fps = Annotated[float | None, typer.Option(min=1, help="Frames per second.")]
Duration = Annotated[float | None, typer.Option(min=0.01, help="Seconds of a clip, rounded to what the model makes.")]
Seed = Annotated[int, typer.Option(help="Seed of every item; 0 is a seed like any other.")]
SeedPerItem = Annotated[bool, typer.Option("--seed-per-item", help="Derive each item's seed from --seed and its id.")]
TextOnly = Annotated[bool, typer.Option("--text-only", help="Make clips from the text alone, without first frames.")]
Offload = Annotated[str | None, typer.Option(help="none, component or layer: less GPU memory, more time.")]
Checkpoint = Annotated[str | None, typer.Option(help="Folder of the checkpoint, or its repository on the model hub.")]
Server = Annotated[list[str] | None, typer.Option("--server", help="Address of an SGLang server; may be repeated.")]
Command = Annotated[str | None, typer.Option(help="Command of --model command, with placeholders such as {prompt}.")]
Clips = Annotated[Path | None, typer.Option(help="Folder of ready clips of --model folder.")]
Label = Annotated[str | None, typer.Option(help="Name of the model for reports (command, folder).")]
Retries = Annotated[int, typer.Option(min=0, help="Further attempts at a clip that failed.")]
ClipTimeout = Annotated[float | None, typer.Option(min=1, help="Seconds after which one clip is given up.")]
Lanes = Annotated[
    int | None, typer.Option("--clips-at-once", min=1, help="Clips made at once; default: one per GPU or server.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Make clips of another plan again.")]
Variant = Annotated[str, typer.Option("--variant", "--prompt-variant", help="Prompt variant: official or clean.")]
GeneratorSet = Annotated[
    list[str] | None, typer.Option("--set", help="A generator's setting: NAME=VALUE; may be repeated.")
]


@dataclass
class Wishes:
    """What the user said about the generator, by the settings' names; None where nothing was said."""

    named: dict[str, Any] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    """`--set` texts."""

    def generator(self, model: str) -> Generator:
        """The generator. Raises UserError for a named option that it does not have."""
        from mova_eval.generators import make, registry

        name, _ = registry.resolve(model)
        known = registry.generator_class(name).settings
        options = {key: value for key, value in self.named.items() if value is not None}
        for key in options:
            if key not in known:
                raise UserError(f"--{key.replace('_', '-')}: {model} has no such setting; it has {', '.join(known)}")
        return make(model, {**options, **generator_settings(self.texts)})


def generator_settings(texts: list[str]) -> dict[str, str]:
    """`name=value` texts as settings. Raises UserError."""
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name):
            raise UserError(f"--set {text}: expected NAME=VALUE, such as steps=30")
        settings[name] = value
    return settings


def negative_prompt_of(text: str | None, file: Path | None) -> str | None:
    """The negative prompt from one of its two options. Raises UserError."""
    if file is None:
        return text
    if text is not None:
        raise UserError("give --negative-prompt or --negative-prompt-file, not both")
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--negative-prompt-file {file} cannot be read: {error}") from None


def default_out(benchmark: str, generator: Generator, model: str) -> Path:
    """results/<benchmark>-<model>, with a name that any file system takes."""
    from mova_eval.runs.paths import safe_name

    name = generator.label() if model in {"command", "folder"} else model
    return Path("results") / safe_name(f"{benchmark}-{name}".replace(os.sep, "-"))


def say_warnings(made: Any) -> None:
    """Caveats of the clips, and what was not made, on standard error."""
    for caveat in made.reference.caveats:
        typer.echo(f"note: {caveat}", err=True)
    for what, items in (("failed", made.failed), ("not made", made.not_runnable)):
        for item, reason in list(items.items())[:5]:
            typer.echo(f"{what}: {item}: {reason}", err=True)
        if len(items) > 5:
            typer.echo(f"{what}: and {len(items) - 5} more, see generation.jsonl", err=True)


def plan_options(seed: int, seed_per_item: bool, duration: float | None, text_only: bool, variant: str) -> PlanOptions:
    """What a run asks of every item."""
    from mova_eval.generators import PlanOptions

    return PlanOptions(seed, seed_per_item, duration, text_only, variant)
