"""The files of a run, as types: every other module reads and writes runs through these.

A run directory holds
    run.json       `Manifest`, written once when the run starts
    items.jsonl    `RunItem`, one line per item of the run in benchmark order
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
    """What made the clips. For ready-made clips: kind "folder" and where they lay."""

    kind: str
    name: str
    settings: dict[str, Any] = Field(default_factory=dict)


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


class RunItem(_Strict):
    """An item of the run with its clip, if it has one."""

    item: str
    set: str
    category: str | None = None
    language: str | None = None
    prompt: str = ""
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
