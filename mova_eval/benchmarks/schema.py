"""Items and benchmarks as types. One record shape for every benchmark; loaders fill it, nothing else knows sources."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, field_validator, model_validator

from metrics.requests import language_of, parse_turns
from metrics.types import Request, Turn
from mova_eval.benchmarks.text import clean_audio_prompts, mixed_script, strip_speaker_label
from mova_eval.records import BenchmarkRef

Language = Literal["zh", "en"]
DIGITS = re.compile(r"[0-9]{1,100}")
_UNFIT_FOR_FILES = re.compile(r"[\x00-\x1f\x7f/\\]")


def canonical_id(published: str) -> str:
    """The id that the suite uses: decimal numbers padded to eight digits, every other id as it is."""
    return f"{int(published):08d}" if DIGITS.fullmatch(published) else published


def natural_key(name: str) -> tuple[int, int, str]:
    """Sort key of ids: numbers by value first, then the others by name."""
    return (0, int(name), name) if DIGITS.fullmatch(name) else (1, 0, name)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Speech(_Strict):
    """One turn of speech as published: who, and what is said."""

    speaker: StrictStr = ""
    text: StrictStr


class FirstFrame(_Strict):
    """The picture that a clip starts from. Width and height in pixels as stored; None where not (yet) read."""

    path: StrictStr
    sha256: StrictStr | None = None
    width: int | None = None
    height: int | None = None


class Reference(_Strict):
    """Recorded sound and picture of an item, where a benchmark has them: for distances between distributions only."""

    audio: StrictStr | None = None
    video: StrictStr | None = None


class Item(_Strict):
    """One thing that a generator is asked for.

    Derived when absent: `language` ("zh" if the speech holds a CJK ideograph, else "en"; None exactly without speech)
    and `mixed_script` (Han and Latin letters in the speech). `audio_prompts` loses blank, repeated and "no sound
    mentioned" entries; the list as published then stays in `raw["audio_prompt"]`. `speech` may be given as a text,
    `[S01] ... [S02] ...` tags make turns. A decimal id is padded to eight digits and kept as an alias.
    """

    id: StrictStr
    set: StrictStr
    aliases: tuple[StrictStr, ...] = ()
    prompt: StrictStr = ""
    video_prompt: StrictStr = ""
    audio_prompts: tuple[StrictStr, ...] = ()
    speech: tuple[Speech, ...] = ()
    language: Language | None = None
    mixed_script: StrictBool = False
    first_frame: FirstFrame | None = None
    reference: Reference | None = None
    category: StrictStr | None = None
    flags: tuple[StrictStr, ...] = ()
    onsets_s: tuple[float, ...] | None = None
    """When visible events happen, seconds from the start of the clip."""
    raw: dict[str, Any] = Field(default_factory=dict)
    """The record as published."""

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        values = dict(data)
        _complete_id(values)
        if isinstance(values.get("first_frame"), str):
            values["first_frame"] = {"path": values["first_frame"]}
        if isinstance(values.get("speech"), str):
            turns = parse_turns(values["speech"])
            values["speech"] = [{"speaker": turn.speaker, "text": turn.text} for turn in turns]
        _complete_language(values)
        _complete_sounds(values)
        return values

    @field_validator("id", "set")
    @classmethod
    def _fit_for_file_names(cls, name: str) -> str:
        if not name or name != name.strip() or name.startswith(".") or _UNFIT_FOR_FILES.search(name):
            raise ValueError(f"'{name}' cannot name a file: no slashes, control characters, outer blanks, leading dot")
        if len(name.encode("utf-8", "replace")) > 200:
            raise ValueError("longer than 200 bytes")
        return name

    @model_validator(mode="after")
    def _language_iff_speech(self) -> Item:
        if bool(self.speech) != (self.language is not None):
            raise ValueError("language must be given with speech, and null without")
        return self

    def request(self) -> Request:
        """What metrics may read of the item. Lines lose a leading `Speaker<digits>:` label, which nobody says."""
        return Request(
            id=self.id,
            prompt=self.prompt,
            video_prompt=self.video_prompt,
            audio_prompts=self.audio_prompts,
            speech=tuple(Turn(turn.speaker, strip_speaker_label(turn.text)) for turn in self.speech),
            language=self.language,
            first_frame=self.first_frame.path if self.first_frame else None,
            reference_audio=self.reference.audio if self.reference else None,
            category=self.category,
        )


def _complete_id(values: dict[str, Any]) -> None:
    published = values.get("id")
    if not isinstance(published, str):
        return
    values["id"] = canonical_id(published)
    aliases = values.get("aliases", ())
    if values["id"] != published and isinstance(aliases, list | tuple) and published not in aliases:
        values["aliases"] = [*aliases, published]


def _complete_language(values: dict[str, Any]) -> None:
    speech = values.get("speech")
    if not isinstance(speech, list | tuple):
        return
    said = [turn.get("text") if isinstance(turn, Mapping) else getattr(turn, "text", None) for turn in speech]
    text = " ".join(part for part in said if isinstance(part, str))
    if values.get("language") is None:
        values["language"] = language_of(text)
    values.setdefault("mixed_script", mixed_script(text))


def _complete_sounds(values: dict[str, Any]) -> None:
    prompts, raw = values.get("audio_prompts"), values.get("raw", {})
    if not isinstance(prompts, list | tuple) or not all(isinstance(prompt, str) for prompt in prompts):
        return
    cleaned = clean_audio_prompts(prompts)
    if cleaned != tuple(prompts) and isinstance(raw, Mapping):
        values["raw"] = {"audio_prompt": list(prompts), **raw}
    values["audio_prompts"] = cleaned


class SetInfo(_Strict):
    """A set as the header names it. `count`: items it should hold, None where open."""

    name: StrictStr
    title: str = ""
    count: int | None = None
    positional: bool = False
    """Foreign clips of the set are numbered by the line of the reference file, see `match_clips`."""
    optional: bool = False
    """The set is empty unless more files than the benchmark's main one are given."""


class Header(_Strict):
    """A benchmark's `benchmark.json`."""

    name: StrictStr
    version: StrictStr = "1"
    title: StrictStr = ""
    licence: dict[str, str] | str = Field(default_factory=dict)
    sources: tuple[Any, ...] = ()
    sets: tuple[SetInfo, ...] = ()
    modes: tuple[Literal["i2va", "t2va"], ...] = ("i2va",)
    default_duration_s: float | None = Field(default=None, gt=0)
    content_sha256: str | None = None
    """Of the official variant as published; `verify` compares with it."""
    defects: str | None = None
    redistributable: dict[str, bool] = Field(default_factory=dict)
    subsets: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Named choices of items; `load(sets=[...])` takes them beside sets."""

    @field_validator("sets", mode="before")
    @classmethod
    def _names_alone_will_do(cls, sets: Any) -> Any:
        if isinstance(sets, Sequence) and not isinstance(sets, str):
            return [{"name": entry} if isinstance(entry, str) else entry for entry in sets]
        return sets


@dataclass(frozen=True)
class Benchmark:
    """A benchmark as loaded: its header, and the chosen items in benchmark order.

    sets: names of the sets that chosen items come from, in the header's order. content_sha256: of all items of the
    benchmark, not only of the chosen ones. all_items: every item, without media.
    """

    header: Header
    items: tuple[Item, ...]
    all_items: tuple[Item, ...] = field(repr=False)
    sets: tuple[str, ...]
    content_sha256: str
    prompt_variant: str = "official"
    limit: int | None = None

    @property
    def name(self) -> str:
        return self.header.name

    @property
    def version(self) -> str:
        return self.header.version

    @property
    def title(self) -> str:
        return self.header.title or self.header.name

    @property
    def default_duration_s(self) -> float | None:
        return self.header.default_duration_s

    @property
    def n_total(self) -> int:
        """Items of the whole benchmark."""
        return len(self.all_items)

    def reference(self) -> BenchmarkRef:
        """What a run's manifest says about the benchmark."""
        return BenchmarkRef(
            name=self.name,
            version=self.version,
            title=self.title,
            content_sha256=self.content_sha256,
            prompt_variant=self.prompt_variant,
            sets=list(self.sets),
            limit=self.limit,
            n_items=len(self.items),
        )
