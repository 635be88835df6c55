"""The vocabulary of the package: what a metric declares, what it is asked, what it answers.

A metric never answers with a sentinel number. Its answer is a `Measurement` that is either *scored*, *not applicable*
(with the reason) or *failed* (with the reason), so nobody can mistake a missing face for a bad score.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Direction = Literal["higher", "lower", "target"]
Aggregation = Literal["mean", "ratio", "corpus"]
Status = Literal["scored", "not_applicable", "failed"]
Json = Any
"""A value that `json.dumps` takes: None, bool, int, float, str, list or dict of these."""

_EMPTY: Mapping[str, Any] = MappingProxyType({})


class Protocol(StrEnum):
    """How a metric treats its input; a report never mixes two of them in one column.

    `OFFICIAL` reproduces the MOVA evaluation toolkit, `VERSE_BENCH` the Verse-Bench tool where that differs, `DIRECT`
    skips lossy detours (temporary files, re-encoding) of the official pipelines.
    """

    OFFICIAL = "official"
    VERSE_BENCH = "verse-bench"
    DIRECT = "direct"


class Need(StrEnum):
    """What a metric must be given, besides a readable file, to give a score."""

    AUDIO = "audio"
    VIDEO = "video"
    PROMPT = "prompt"
    AUDIO_PROMPT = "audio_prompt"
    SPEECH = "speech"
    SPEAKERS = "speakers"  # speech with at least two speakers
    REFERENCE_AUDIO = "reference_audio"
    FIRST_FRAME = "first_frame"


@dataclass(frozen=True, slots=True)
class ScoreSpec:
    """One number that a metric gives.

    direction: "higher" or "lower" is better; "target" means that neither is (a loudness, an offset).
    range: closed interval of possible values, None for an open end.
    aggregation: how scores of many clips become one: "mean" of the clips' values; "ratio" = sum of numerators over sum
        of denominators (error rates: never a mean of ratios); "corpus" = computed from all clips' features at once.
    failure_value: what the official tool counts for a clip that could not be computed, None if it leaves the clip out.
        Used for the `compat` aggregate only.
    """

    name: str
    title: str
    direction: Direction
    unit: str
    range: tuple[float | None, float | None]
    source: str
    aggregation: Aggregation = "mean"
    failure_value: float | None = None
    decimals: int = 3


@dataclass(frozen=True, slots=True)
class Ratio:
    """An error rate kept as its counts, so that rates add up the right way: (e1 + e2) / (n1 + n2).

    numerator: errors (>= 0); denominator: reference length (>= 0), in the unit of the metric (words, characters).
    """

    numerator: float
    denominator: float

    @property
    def value(self) -> float:
        """The rate; NaN when the denominator is 0 (an empty reference has no rate)."""
        return self.numerator / self.denominator if self.denominator else float("nan")

    def __add__(self, other: Ratio) -> Ratio:
        return Ratio(self.numerator + other.numerator, self.denominator + other.denominator)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of speech: who (free text, or "S01"), and what is said."""

    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """What the clip was asked to show and to say: the part of a benchmark's item that metrics may read.

    language: "zh", "en" or None (no speech asked for). Paths are file-system paths or None.
    """

    id: str = ""
    prompt: str = ""
    video_prompt: str = ""
    audio_prompts: tuple[str, ...] = ()
    speech: tuple[Turn, ...] = ()
    language: str | None = None
    first_frame: str | None = None
    reference_audio: str | None = None
    category: str | None = None

    @classmethod
    def of(cls, item: Request | Mapping[str, Any] | None) -> Request:
        """Read a request from a mapping with (some of) the same field names; None is the empty request.

        `speech` may be a list of {"speaker", "text"} mappings or turns, a plain string (one turn), or a text tagged
        `[S01] ... [S02] ...`. The language is derived when absent: "zh" if the speech holds a CJK ideograph, else "en".

        Raises ValueError for an unknown field or a wrong type, naming it.
        """
        if item is None:
            return cls()
        if isinstance(item, Request):
            return item
        from metrics.requests import request_from_mapping  # parsing lives apart from the vocabulary

        return request_from_mapping(item)

    @property
    def text(self) -> str:
        """All spoken text, turns joined by one space."""
        return " ".join(turn.text for turn in self.speech)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Distinct speakers in order of first appearance."""
        return tuple(dict.fromkeys(turn.speaker for turn in self.speech))


@dataclass(frozen=True)
class Measurement:
    """The outcome of one metric on one clip.

    scores: name -> finite float, empty unless status is "scored". A metric with several scores may leave one out
        (its reason then stands in `details["left_out"]`).
    counts: for "ratio" scores, the counts the score was made from.
    reason: one sentence for a person; `code`: the same as a short stable slug for grouping ("no_audio_stream").
    details: JSON values worth keeping beside the score (transcript, offset, per-window values); never large arrays.
    features: arrays for corpus-level scores, stored apart from the journal.
    flags: short slugs of what a reader should know although a score exists ("silent_audio").
    seconds: wall time of the metric's own arithmetic on this clip, loading of networks and shared decoding left out.
    """

    metric: str
    status: Status
    scores: Mapping[str, float] = field(default_factory=lambda: _EMPTY)
    reason: str | None = None
    code: str | None = None
    counts: Mapping[str, Ratio] = field(default_factory=lambda: _EMPTY)
    details: Mapping[str, Json] = field(default_factory=lambda: _EMPTY)
    features: Mapping[str, NDArray[np.generic]] = field(default_factory=lambda: _EMPTY)
    flags: tuple[str, ...] = ()
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.status == "scored":
            if not self.scores and not self.features:
                raise ValueError(f"{self.metric}: a scored measurement needs a score or a feature")
            wrong = [name for name, value in self.scores.items() if not _finite(value)]
            if wrong:
                raise ValueError(f"{self.metric}: score {wrong[0]} is {self.scores[wrong[0]]}, not a finite number")
        elif self.scores:
            raise ValueError(f"{self.metric}: a {self.status} measurement must not carry scores")
        elif not self.reason:
            raise ValueError(f"{self.metric}: a {self.status} measurement needs a reason")

    @classmethod
    def scored(cls, metric: str, scores: Mapping[str, float], **more: Any) -> Measurement:
        """A measurement that worked; values become plain floats."""
        return cls(metric, "scored", {name: float(value) for name, value in scores.items()}, **more)

    @classmethod
    def not_applicable(cls, metric: str, code: str, reason: str, **more: Any) -> Measurement:
        """The clip is fine, but this metric has no meaning for it (no speech asked for, no face)."""
        return cls(metric, "not_applicable", reason=reason, code=code, **more)

    @classmethod
    def failed(cls, metric: str, code: str, reason: str, **more: Any) -> Measurement:
        """The clip should have had a score and has none (undecodable, no audio stream, an error of ours)."""
        return cls(metric, "failed", reason=reason, code=code, **more)


def _finite(value: float) -> bool:
    return math.isfinite(value)


@dataclass(frozen=True, slots=True)
class Feature:
    """One clip's arrays for a corpus-level score, with where it belongs."""

    item: str
    set: str
    arrays: Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class MetricCard:
    """What `mova-eval metrics` and the docs say about a metric, read off its class without loading anything heavy."""

    name: str
    version: str
    title: str
    scores: tuple[ScoreSpec, ...]
    needs: frozenset[Need]
    protocols: tuple[str, ...]
    weights: tuple[str, ...]
    packages: tuple[str, ...]
    licence: str
    origin: str
    """Where the metric comes from: "mova-eval" or the distribution that registered it."""
    missing: tuple[str, ...] = ()
    """What keeps it from running here and now, one sentence each with what to do; empty when it can run."""

    @property
    def can_run(self) -> bool:
        return not self.missing


def names_of(specs: Iterable[ScoreSpec]) -> Sequence[str]:
    """Names of the given score specifications, in order."""
    return [spec.name for spec in specs]
