"""The files of a run, as types: every other module reads and writes runs through these.

A run directory holds
    run.json       `Manifest`, written once when the run starts
    items.jsonl    `RunItem`, one line per item of the run in benchmark order
    generation.json   `GenerationManifest`, where the suite has the clips made: written once when that starts
    generation.jsonl  `GenerationRecord`, append-only journal, one line per attempt at a clip
    scores.jsonl   `Record`, append-only journal, one line per (item, metric); the only truth
    timings.jsonl  seconds per (item, metric): apart from the journal, which is the same for the same clips
    features/      one .npz per (item, metric) with corpus-level features
    weights.lock   digest, source and licence of every file of weights that was used
    summary.json   `Summary`, derived from the journal
    report.md, report.html
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BenchmarkRef(_Strict):
    """Which items a run is about."""

    name: str
    version: str
    title: str
    content_sha256: str
    """Of all items of the benchmark, not only of the chosen ones."""
    prompt_variant: str = "official"
    sets: list[str]
    """Chosen sets in the benchmark's order."""
    limit: int | None = None
    n_items: int


class GeneratorRef(_Strict):
    """What made the clips, and how. For foreign clips kind is "folder" and most is unknown: None or empty."""

    kind: str
    """Registered name of the generator: reference, sglang, command, folder ..."""
    name: str
    """Of the model, as reports show it."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """What else the clips depend on: steps, guidance, shifts, text-only use ... Never where or how fast it ran."""
    version: str = ""
    """Of the generator's way of making clips; raised when the same request gives another clip."""
    model: str = ""
    """The model's own id and revision, as its files or its server state them."""
    seed: int | None = None
    seed_per_item: bool = False
    """The seed of an item follows from `seed` and its id, instead of being `seed` for every item."""
    seconds: float | None = None
    """Planned length of a clip; None where unknown or not the same for all items."""
    frames: int | None = None
    fps: float | None = None
    sizes: list[str] = Field(default_factory=list)
    """Sizes of the clips, "WIDTHxHEIGHT", in the order in which items ask for them."""
    weights: dict[str, str] = Field(default_factory=dict)
    """File of the model -> sha256."""
    caveats: list[str] = Field(default_factory=list)
    """Sentences that a reader must know before believing any number, such as that the clips are noise."""


class MetricRef(_Strict):
    """One metric as it was run: everything that its numbers depend on."""

    name: str
    version: str
    parameters: dict[str, Any]
    weights: dict[str, str] = Field(default_factory=dict)
    """Weights name -> sha256."""
    scores: list[str]
    origin: str = "mova-eval"
    made_with: str = ""
    """Weights and models behind the numbers, for a reader ("whisper large-v3"); empty where there are none."""


class NotRun(_Strict):
    """A metric that was asked for and could not run on this machine."""

    metric: str
    reason: str


class Manifest(_Strict):
    schema_version: int = SCHEMA_VERSION
    run: str
    created: str
    """ISO 8601, UTC."""
    benchmark: BenchmarkRef
    generator: GeneratorRef
    protocol: str
    metrics: list[MetricRef]
    not_run: list[NotRun] = Field(default_factory=list)
    seed: int = 0
    """Of the bootstrap."""
    device: str
    machine: dict[str, str]
    """System, processor, cores, Python."""
    versions: dict[str, str]
    """Of the packages that numbers depend on, and of the FFmpeg libraries."""
    commit: str | None = None
    dirty: bool | None = None
    command: list[str] = Field(default_factory=list)


class GenerationManifest(_Strict):
    """Which clips are made, by what, and where."""

    schema_version: int = SCHEMA_VERSION
    run: str
    created: str
    """ISO 8601, UTC."""
    benchmark: BenchmarkRef
    generator: GeneratorRef
    machine: dict[str, str]
    versions: dict[str, str]
    commit: str | None = None
    dirty: bool | None = None
    command: list[str] = Field(default_factory=list)


class ClipFacts(_Strict):
    """What the container of a clip says, with video frames counted. None: there is no such stream."""

    seconds: float
    """Of the longer stream."""
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    fps: float | None = None
    video_codec: str | None = None
    audio_codec: str | None = None
    sample_rate: int | None = None
    channels: int | None = None
    audio_seconds: float | None = None
    silent: bool | None = None
    """Whether every sample of the sound is exactly zero."""


class GenerationRecord(_Strict):
    """One attempt at the clip of one item."""

    item: str
    set: str
    state: Literal["ok", "failed", "not_runnable"]
    generator: str
    model: str = ""
    code: str = ""
    """Version and commit of the suite."""
    request: dict[str, Any] = Field(default_factory=dict)
    """What the generator was asked for, as planned."""
    request_sha256: str = ""
    seed: int | None = None
    prompt_sha256: str = ""
    prompt_variant: str = "official"
    first_frame_sha256: str | None = None
    clip_sha256: str | None = None
    facts: ClipFacts | None = None
    flags: list[str] = Field(default_factory=list)
    """silent-audio, cropped-first-frame, prompt-cut ..."""
    seconds: float = 0.0
    """Wall time of the attempt."""
    peak_memory_bytes: int | None = None
    attempt: int = 1
    reason: str | None = None
    """Why there is no clip, a sentence."""
    code_of_failure: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)
    """What the generator reports: job id, server's own times, number of network evaluations ..."""
    error_tail: str = ""
    """Last lines of what the generator printed, where it failed."""


class RunItem(_Strict):
    """An item of the run with its clip, if it has one."""

    item: str
    set: str
    category: str | None = None
    language: str | None = None
    prompt: str = ""
    video_prompt: str = ""
    audio_prompts: list[str] = Field(default_factory=list)
    speech: list[dict[str, str]] = Field(default_factory=list)
    audio_prompt_listed: bool = False
    """Whether the published list of audio prompts holds anything, be it an empty text: the condition of the
    Verse-Bench tool for its sound scores."""
    flags: list[str] = Field(default_factory=list)
    clip: str | None = None
    """Path relative to the run directory, forward slashes."""
    source: str | None = None
    """Where the clip lay, absolute."""
    sha256: str | None = None


class Record(_Strict):
    """One line of the journal: one metric on one item. Holds nothing that changes from one evaluation to the next."""

    item: str
    set: str
    metric: str
    key: str
    """sha256 over the clip's sha256, the metric, its version, parameters, weights, and what it read of the item."""
    status: Literal["scored", "not_applicable", "failed"]
    scores: dict[str, float] = Field(default_factory=dict)
    counts: dict[str, tuple[float, float]] = Field(default_factory=dict)
    reason: str | None = None
    code: str | None = None
    flags: list[str] = Field(default_factory=list)
    details: dict[str, Any] = Field(default_factory=dict)
    features: str | None = None
    """File under `features/`, if the measurement has features."""


class Timing(_Strict):
    """What one measurement cost; `cached` ones cost nothing."""

    item: str
    metric: str
    seconds: float
    decode_seconds: float = 0.0
    cached: bool = False


class Aggregate(_Strict):
    """Scores of many clips made one number.

    value: over scored clips only, None without any. compat: with the official tool's treatment of failed clips; equal
    to `value` when no clip failed. interval: 95% bootstrap interval of `value`, None with fewer than two scored clips
    in a group whose mean is taken.
    """

    value: float | None
    compat: float | None
    interval: tuple[float, float] | None
    n_expected: int
    n_scored: int
    n_not_applicable: int
    n_failed: int
    reasons: dict[str, int] = Field(default_factory=dict)
    """Reason code -> number of clips, not applicable, failed and (code "pending") not measured yet together.

    n_expected = n_scored + n_not_applicable + n_failed + reasons["pending"].
    """
    numerator: float | None = None
    denominator: float | None = None


class ScoreSummary(_Strict):
    """One score over the whole run."""

    name: str
    title: str
    metric: str
    direction: Literal["higher", "lower", "target"]
    unit: str
    range: tuple[float | None, float | None]
    decimals: int
    source: str
    protocol: str
    made_with: str = ""
    """Weights or model badge ("whisper large-v3"), empty where the score depends on none."""
    rule: str
    """How the overall number is made, as a phrase ("mean of the means of set1, set2, set3")."""
    overall: Aggregate
    sets: dict[str, Aggregate]
    notes: list[str] = Field(default_factory=list)
    """Caveats of this aggregate ("3 items only: too few to compare")."""


class Summary(_Strict):
    schema_version: int = SCHEMA_VERSION
    run: str
    benchmark: BenchmarkRef
    complete: bool
    """Every (item, metric) has a record."""
    n_items: int
    n_clips: int
    missing_clips: list[str] = Field(default_factory=list)
    """Items without a clip."""
    unmatched_files: list[str] = Field(default_factory=list)
    """Files of the clips folder that belong to no item."""
    matching_notes: list[str] = Field(default_factory=list)
    """What else a reader must know about how files were matched to items, one sentence each."""
    scores: list[ScoreSummary]
    not_run: list[NotRun] = Field(default_factory=list)
    journal_sha256: str
    """Of the journal this summary was made from."""
    resamples: int
    seed: int
