"""What a run tells while it works: typed events, in order, each after its measurement is safe on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from metrics.types import Status


@dataclass(frozen=True, slots=True)
class Started:
    """Counts are of (item, metric), of items that have a clip only.

    done: already in the journal; cached: taken over from the cache just now.
    """

    run_dir: Path
    items: int
    clips: int
    metrics: tuple[str, ...]
    total: int
    done: int
    cached: int
    workers: int


@dataclass(frozen=True, slots=True)
class MeasuringStarted:
    """A worker has begun a measurement; loading: networks are being loaded for it."""

    item: str
    metric: str
    loading: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement is in the journal. seconds: the metric's own time."""

    item: str
    set: str
    metric: str
    status: Status
    seconds: float
    code: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class WorkerDied:
    item: str
    metric: str
    reason: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a person should know although the run goes on."""

    message: str


@dataclass(frozen=True, slots=True)
class Finished:
    """n_failed: failed measurements of clips; n_without_clip: those that had no clip to measure.

    interrupted: stopped on request before everything was measured. seconds: wall time.
    """

    run_dir: Path
    n_failed: int
    n_without_clip: int
    interrupted: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class MakingStarted:
    """The making of clips begins. total: items that can be made; done: clips that stand already."""

    run_dir: Path
    generator: str
    items: int
    total: int
    done: int
    workers: int


@dataclass(frozen=True, slots=True)
class ClipStarted:
    """An attempt at a clip begins; loading: the model is being loaded for it."""

    item: str
    loading: bool


@dataclass(frozen=True, slots=True)
class ClipStep:
    """Progress inside a clip, in the generator's own steps."""

    item: str
    done: int
    total: int
    what: str


@dataclass(frozen=True, slots=True)
class ClipMade:
    """An attempt has ended and is in the journal. final: there is no further attempt."""

    item: str
    set: str
    ok: bool
    seconds: float
    attempt: int
    final: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class MakingFinished:
    """Counts of items. interrupted: stopped on request before every clip was tried. seconds: wall time."""

    run_dir: Path
    n_clips: int
    n_failed: int
    n_not_runnable: int
    interrupted: bool
    seconds: float


Event = (
    Started
    | MeasuringStarted
    | Measured
    | WorkerDied
    | Warned
    | Finished
    | MakingStarted
    | ClipStarted
    | ClipStep
    | ClipMade
    | MakingFinished
)
