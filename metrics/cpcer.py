"""cpCER: concatenated minimum-permutation character error rate of speech with several speakers.

Each speaker's turns are joined; reference and hypothesis speakers are paired so that the errors are fewest, since a
recogniser cannot know which of the voices was to be called S01. Source: cpCER of the MOVA evaluation toolkit, after
cpWER (Watanabe et al. 2020, CHiME-6).

>>> result = cpcer("[S01] Hello, world! [S02] Bye", "[S02] hello world [S01] by")
>>> result.errors, result.length, result.assignment["S01"]
(1, 13, 'S02')
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from metrics.asr.base import Transcript
from metrics.asr.speech_metric import SPEECH_OPTIONS, SpeechMetric
from metrics.errors import NotApplicable, UserError
from metrics.text import cpcer_characters
from metrics.types import Measurement, Need, Protocol, Ratio, Request, ScoreSpec, Turn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_SPEAKERS = 100
"""With more speakers than this on either side the official tool pairs them by order of appearance."""

_TAG = re.compile(r"\[(S\d+)\]")
_ANY_CASE_TAG = re.compile(r"\[S\d+\]", re.IGNORECASE)
_MARKUP = re.compile(r"<[^>]*>")
_BLANKS = re.compile(r"\s+")

Speech = str | Sequence[Turn] | Mapping[str, str]
"""Tagged text `[S01] ... [S02] ...`, turns, or speaker -> text."""


@dataclass(frozen=True, slots=True)
class CpCerResult:
    """Errors of one or more recordings. Results add up by their counts: sum(results) is the corpus.

    errors: substitutions + deletions + insertions, in characters. length: characters of the reference.
    assignment: reference speaker -> hypothesis speaker, None for a speaker nobody was paired with; empty for a sum.
    surplus: hypothesis speakers without a partner, whose characters all count as insertions.
    """

    errors: int
    length: int
    assignment: Mapping[str, str | None] = field(default_factory=dict, compare=False)
    surplus: tuple[str, ...] = field(default=(), compare=False)

    @property
    def rate(self) -> float:
        """errors / length: 0 is perfect, more than 1 is possible; NaN for an empty reference."""
        return self.errors / self.length if self.length else float("nan")

    def __add__(self, other: CpCerResult) -> CpCerResult:
        return CpCerResult(self.errors + other.errors, self.length + other.length)

    def __radd__(self, other: object) -> CpCerResult:
        """So that `sum` works, which starts from 0."""
        if other == 0:
            return self
        return NotImplemented


def cpcer(reference: Speech, hypothesis: Speech) -> CpCerResult:
    """Errors of a hypothesis against a reference, both with speakers.

    A hypothesis text without speaker tags counts as empty (100 %), as in the official tool.
    Raises ValueError for a reference text that is not empty and has no speaker tag.
    """
    wanted = _speakers(reference)
    if isinstance(reference, str) and reference.strip() and not wanted:
        raise ValueError(f"reference has no speaker tag such as [S01]: '{reference.strip()[:40]}'")
    heard = _speakers(clean_hypothesis(hypothesis) if isinstance(hypothesis, str) else hypothesis)
    return _compare(wanted, heard)


def clean_hypothesis(text: str) -> str:
    """A recogniser's tagged text as the official tool reads it: markup `<...>` and what precedes the first tag removed,
    tags in upper case, blanks collapsed. `[MULTI]` is no tag and stays in the previous speaker's text.
    """
    text = _ANY_CASE_TAG.sub(lambda tag: tag[0].upper(), _MARKUP.sub("", text))
    first = _TAG.search(text)
    return _BLANKS.sub(" ", text[first.start() :]).strip() if first else ""


def has_tags(text: str) -> bool:
    """Whether a text holds a speaker tag such as `[S01]`."""
    return _ANY_CASE_TAG.search(text) is not None


def _speakers(speech: Speech) -> dict[str, str]:
    """Speaker -> normalised characters of all turns, in order of first appearance."""
    if isinstance(speech, Mapping):
        pairs = list(speech.items())
    elif isinstance(speech, str):
        parts = _TAG.split(speech)
        pairs = list(zip(parts[1::2], parts[2::2], strict=True))
    else:
        pairs = [(turn.speaker, turn.text) for turn in speech]
    joined: dict[str, str] = {}
    for speaker, text in pairs:
        joined[speaker] = joined.get(speaker, "") + text.strip()
    return {speaker: cpcer_characters(text) for speaker, text in joined.items()}


def _compare(wanted: Mapping[str, str], heard: Mapping[str, str]) -> CpCerResult:
    names, others = list(wanted), list(heard)
    size = max(len(names), len(others))
    costs = _costs([*wanted.values()], [*heard.values()], size)
    if size > MOST_SPEAKERS:
        columns = list(range(size))
    else:
        from scipy.optimize import linear_sum_assignment

        columns = [int(column) for column in linear_sum_assignment(costs)[1]]
    errors = sum(int(costs[row, column]) for row, column in enumerate(columns))
    partner = {row: others[column] for row, column in enumerate(columns) if column < len(others)}
    return CpCerResult(
        errors=errors,
        length=sum(map(len, wanted.values())),
        assignment=MappingProxyType({name: partner.get(row) for row, name in enumerate(names)}),
        surplus=tuple(partner[row] for row in range(len(names), size) if row in partner),
    )


def _costs(wanted: list[str], heard: list[str], size: int) -> NDArray[np.int64]:
    """Edit distances [size, size], both sides padded with empty strings."""
    import numpy as np
    from rapidfuzz.distance import Levenshtein

    wanted = wanted + [""] * (size - len(wanted))
    heard = heard + [""] * (size - len(heard))
    rows = [[Levenshtein.distance(one, other) for other in heard] for one in wanted]
    return np.array(rows, dtype=np.int64).reshape(size, size)


class CpCer(SpeechMetric):
    """cpCER of clips with at least two speakers.

    Score `cpcer` is a fraction (the official tool prints percent); of many clips it is all errors over all reference
    characters. The number belongs to the recogniser that heard the clips: with the official one, a hosted service, it
    changes with the service's version. A recogniser that was asked for speaker tags and gave none is scored as the
    official tool does, 100 %, with the flag `no_speaker_tags`. Options: see `metrics.asr.speech_metric.SPEECH_OPTIONS`.
    """

    name = "cpcer"
    title = "Character error rate per speaker (cpCER)"
    version = "1"
    scores = (
        ScoreSpec(
            "cpcer", "cpCER", "lower", "fraction", (0.0, None), "MOVA evaluation toolkit, cpCER", aggregation="ratio"
        ),
    )
    needs = frozenset({Need.AUDIO, Need.SPEECH, Need.SPEAKERS})
    protocols = (Protocol.OFFICIAL.value, Protocol.DIRECT.value)
    defaults = MappingProxyType({**SPEECH_OPTIONS, "asr": "endpoint"})
    packages = ("rapidfuzz", "scipy")
    licence = "that of the recogniser; the official one is a hosted service with its own terms"
    tells_speakers = True

    def score(self, request: Request, language: str | None, transcript: Transcript) -> Measurement:
        untagged = bool(transcript.plain) and not has_tags(transcript.text)
        if untagged and self.recogniser is not None and self.recogniser.tells_speakers is None:
            raise UserError(self.no_speakers())
        reference = " ".join(f"[{turn.speaker}] {turn.text.strip()}" for turn in request.speech)
        result = cpcer(request.speech, transcript.text)
        if not result.length:
            raise NotApplicable("empty_reference", "nothing of the reference is left after normalisation")
        details = self.details(transcript, reference, language)
        details["assignment"] = dict(result.assignment)
        details["surplus"] = list(result.surplus)
        flags = self.flags(transcript) + (("no_speaker_tags",) if untagged else ())
        return Measurement.scored(
            self.name,
            {"cpcer": result.rate},
            counts={"cpcer": Ratio(result.errors, result.length)},
            details=details,
            flags=flags,
        )
