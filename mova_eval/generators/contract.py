"""What a generator is: five methods, and the values that cross between it and the suite.

    describe()                what it is; imports nothing heavy
    probe(level)              what it needs and whether that is here; runs nothing, loads no weights
    plan(item, options)       the native request for an item; does not touch the disk
    open()                    holds the model, process or connection, once per worker
    generate(request, out, bench)   writes the clip

`attach`, `refusal`, `identity`, `lanes` and `label` have defaults that suit most. A generator of another distribution
registers its class in the entry-point group `mova_eval.generators`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from metrics.errors import UserError
from mova_eval.generators.settings import Setting, read_settings
from mova_eval.runs.outcomes import digest
from mova_eval.runs.paths import canonical_json

if TYPE_CHECKING:
    from mova_eval.benchmarks import Benchmark, Item

Level = Literal["files", "env", "device", "server"]
LEVELS: tuple[Level, ...] = ("files", "env", "device", "server")
"""Each level of a probe includes those before it: paths and file headers; packages and programs; GPUs; the network."""
TAIL_LINES, TAIL_BYTES = 40, 4096


class GenerationError(Exception):
    """A clip that could not be made; the run goes on with the next one.

    code: short stable slug. tail: last lines of what the generator printed. retry: whether another attempt may help.
    """

    def __init__(self, code: str, reason: str, *, tail: str = "", retry: bool = True) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.tail = tail
        self.retry = retry


class NotRunnable(Exception):
    """Raised by `plan` for an item that this generator cannot make a clip of; the other items are made."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a generator needs. remedy: how to get it, half a sentence; empty where nothing is to be done."""

    name: str
    state: Literal["ok", "missing", "wrong", "unknown"]
    detail: str
    remedy: str = ""

    @property
    def fails(self) -> bool:
        return self.state in {"missing", "wrong"}


@dataclass(frozen=True, slots=True)
class GeneratorCard:
    """What there is to say about a generator before using it. Empty or None: it depends on what is behind it."""

    name: str
    title: str
    version: str
    modes: tuple[Literal["i2va", "t2va"], ...]
    sizes: tuple[str, ...] = ()
    fps: float | None = None
    frames: str = ""
    """The rule for the number of frames, as a phrase."""
    sample_rate: str = ""
    speech: bool = True
    """Whether the model can speak at all; a model without speech has no score on it."""
    needs: str = ""
    """Hardware and disk, as a phrase."""
    code_licence: str = ""
    weights_licence: str = ""
    settings: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What a run asks of every item.

    seed: of every item, or with seed_per_item the seed from which each item's own follows. duration: seconds, None for
    the generator's own. text_only: make clips from the text alone, leaving first frames aside. variant: of prompts.
    """

    seed: int = 42
    seed_per_item: bool = False
    duration: float | None = None
    text_only: bool = False
    variant: str = "official"


@dataclass(frozen=True, slots=True)
class ClipRequest:
    """The native request for one clip, as `plan` makes it. None where the generator decides or nobody knows.

    parameters: everything else that the clip depends on, JSON values. wants_sound: the item asks for sound or speech.
    has_sound: the clip must have an audio stream. kept: share of the first frame's area that the model's crop leaves.
    as_it_is: a foreign clip, taken over without judging it. source: the file of a foreign clip.
    """

    item: str
    set: str
    seed: int
    prompt: str = ""
    video_prompt: str = ""
    audio_prompt: str = ""
    speech_text: str = ""
    first_frame: str | None = None
    first_frame_sha256: str | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    fps: float | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    wants_sound: bool = True
    has_sound: bool = True
    kept: float | None = None
    as_it_is: bool = False
    source: str | None = None
    suffix: str = ".mp4"

    @property
    def seconds(self) -> float | None:
        """Planned length."""
        return self.frames / self.fps if self.frames and self.fps else None

    @property
    def size(self) -> str | None:
        return f"{self.width}x{self.height}" if self.width and self.height else None

    def identity(self) -> dict[str, Any]:
        """Everything that the clip depends on; the first frame by its content, not by its place."""
        values = asdict(self)
        for name in ("first_frame", "source", "kept", "wants_sound", "as_it_is", "suffix"):
            values.pop(name)
        return {name: value for name, value in values.items() if value not in (None, "", {})}

    def sha256(self) -> str:
        """Hex digest of `identity`."""
        return digest(canonical_json(self.identity()).encode())


@dataclass(frozen=True, slots=True)
class Identity:
    """What is behind a generator on this machine.

    model: its id and revision. weights: file -> sha256. caveats: what a reader must know before any number.
    """

    model: str = ""
    weights: Mapping[str, str] = field(default_factory=dict)
    caveats: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Lane:
    """One of the places where clips are made at the same time: a GPU, a server, a share of the processor.

    options: settings that differ from the generator's own. environment: variables of the worker process.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bench:
    """The place where a clip is made.

    scratch: a folder of this item's own, which is still there, with what was put in, when the same request is taken up
    again after an interruption; it goes when the clip is done. step: tell that `done` of `total` steps are done.
    """

    scratch: Path
    step: Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class MadeClip:
    """What `generate` reports. flags: short warnings, kept with the clip. details: JSON values."""

    details: Mapping[str, Any] = field(default_factory=dict)
    flags: Sequence[str] = ()
    peak_memory_bytes: int | None = None


class Generator(ABC):
    """Makes the clip of an item. Subclasses declare `name`, `version` and `settings`."""

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    settings: ClassVar[Mapping[str, Setting]] = {}

    def __init__(self, **options: Any) -> None:
        self.options: dict[str, Any] = read_settings(self.name, self.settings, options)

    @abstractmethod
    def describe(self) -> GeneratorCard:
        """What it is. Imports nothing heavy, asks nothing of the machine."""

    @abstractmethod
    def probe(self, level: Level = "files") -> list[Check]:
        """What it needs, up to a level. Loads no weights, opens no socket below level "server"."""

    def attach(self, benchmark: Benchmark) -> None:  # noqa: B027 - most generators need nothing of it
        """Called with the whole benchmark before any item is planned. Raises UserError."""

    @abstractmethod
    def plan(self, item: Item, options: PlanOptions) -> ClipRequest:
        """The request for an item. Raises NotRunnable for this item alone, UserError for what the user must mend."""

    def open(self) -> AbstractContextManager[None]:
        """Entered once per worker, around all calls of `generate`."""
        return nullcontext()

    @abstractmethod
    def generate(self, request: ClipRequest, out: Path, bench: Bench) -> MadeClip:
        """Write the clip to `out`: whole or not at all.

        Raises GenerationError where this clip fails, UserError where no clip can be made before the user does
        something, OSError where the disk refuses.
        """

    def label(self) -> str:
        """Name of the model for reports."""
        return self.name

    def refusal(self, failing: list[Check]) -> str:
        """One sentence for checks that failed: what is missing, how to get it, what to do instead."""
        gaps = "; ".join(f"{c.name}: {c.detail}" + (f", {c.remedy}" if c.remedy else "") for c in failing)
        return f"{self.label()} cannot run here: {gaps}"

    def identity(self) -> Identity:
        """What is behind it here; asked after a successful probe."""
        return Identity()

    def lanes(self, workers: int | None) -> list[Lane]:
        """Where clips are made at the same time; workers: as the user asked, None for the generator's own choice."""
        return [Lane()] * (workers or 1)

    def output_settings(self) -> dict[str, Any]:
        """Settings that clips depend on, as JSON values; those that were left to the model are left out."""
        known = {name: value for name, value in self.options.items() if value is not None}
        return {name: value for name, value in known.items() if not self.settings[name].machine}


def tail_of(text: str) -> str:
    """The last lines of a program's output, as much as a journal keeps."""
    lines = "\n".join(text.splitlines()[-TAIL_LINES:])
    return lines.encode()[-TAIL_BYTES:].decode(errors="replace")


def item_seed(item: str, options: PlanOptions) -> int:
    """The seed of an item: a whole number from 0 to 2**31 - 1."""
    if not options.seed_per_item:
        return options.seed
    return int(digest(f"{options.seed}/{item}".encode())[:16], 16) % 2**31


def checked_seed(seed: int) -> int:
    """Raises UserError for a seed that some generator would refuse. 0 is a seed like any other."""
    if not 0 <= seed < 2**31:
        raise UserError(f"seed {seed} is out of range; give a whole number from 0 to {2**31 - 1}")
    return seed
