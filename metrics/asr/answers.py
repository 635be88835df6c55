"""Reading transcripts out of the JSON answers of transcription services."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from metrics.asr.base import AsrFailure, Segment, Transcript

TEXT_FIELDS = ("text", "result", "transcription", "output", "generated_text")
_SPEAKER = re.compile(r"S(\d+)")


def moss_transcript(answer: Mapping[str, Any], *, model: str, language: str | None) -> Transcript:
    """Transcript of a MOSS Transcribe Diarize answer, in the official tool's order.

    (1) a tagged text in one of `TEXT_FIELDS`, (2) `asr_transcription_result.segments`, (3) its `full_text`, (4) an
    untagged text in one of `TEXT_FIELDS`. The official tool goes on to take the whole JSON for the transcript, which
    is an error rate of 100 %; here an answer without any of these is a failure of the request.
    Raises AsrFailure.
    """
    texts = [answer[name] for name in TEXT_FIELDS if isinstance(answer.get(name), str)]
    tagged = next((text for text in texts if "[S0" in text or "[S1" in text), None)
    result = answer.get("asr_transcription_result")
    segments: tuple[Segment, ...] = ()
    full: str | None = None
    if isinstance(result, Mapping):
        segments = _moss_segments(result.get("segments"))
        full = result["full_text"] if isinstance(result.get("full_text"), str) else None
    if tagged is not None:
        return Transcript(tagged, segments, language, model)
    if segments:
        return Transcript(" ".join(f"{s.speaker} {s.text}" for s in segments), segments, language, model)
    for text in (full, *texts):
        if text is not None:
            return Transcript(text, (), language, model)
    raise AsrFailure("asr_no_transcript", f"{model} answered JSON without a transcript; its fields: {_fields(answer)}")


def _moss_segments(parts: Any) -> tuple[Segment, ...]:
    return tuple(
        Segment(part["text"].strip(), _number(part.get("start")), _number(part.get("end")), _tag(part.get("speaker")))
        for part in _with_text(parts)
        if part["text"].strip()
    )


def _tag(speaker: Any) -> str:
    """`[Snn]` for a label that holds S and a number, else the label in brackets; nobody named is S01."""
    name = "S01" if speaker is None else str(speaker)
    number = _SPEAKER.search(name)
    return f"[S{int(number[1]):02d}]" if number else f"[{name}]"


def openai_transcript(answer: Mapping[str, Any], *, model: str, language: str | None) -> Transcript:
    """Transcript of an answer in OpenAI's `verbose_json` (or `json`) format.

    Segments with a `speaker` (diarising services) become a tagged text, speakers numbered as they appear.
    Raises AsrFailure without a `text`.
    """
    text = answer.get("text")
    if not isinstance(text, str):
        raise AsrFailure(
            "asr_no_transcript", f"{model} answered JSON without a transcript; its fields: {_fields(answer)}"
        )
    parts = _with_text(answer.get("segments"))
    names = list(dict.fromkeys(str(p["speaker"]) for p in parts if p.get("speaker") is not None))
    tags = {name: f"[S{place:02d}]" for place, name in enumerate(names, start=1)}
    segments = tuple(
        Segment(
            p["text"].strip(),
            _number(p.get("start")),
            _number(p.get("end")),
            tags.get(str(p.get("speaker"))),
            _number(p.get("no_speech_prob")),
        )
        for p in parts
    )
    if tags:
        text = " ".join(f"{s.speaker} {s.text}" if s.speaker else s.text for s in segments)
    found = answer.get("language")
    return Transcript(text.strip(), segments, language or (found if isinstance(found, str) else None), model)


def _with_text(parts: Any) -> list[Mapping[str, Any]]:
    """Those entries of a list that are objects with a text; none if it is no list."""
    if not isinstance(parts, list):
        return []
    return [part for part in parts if isinstance(part, Mapping) and isinstance(part.get("text"), str)]


def _number(value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return round(float(value), 4) if number else None


def _fields(answer: Mapping[str, Any]) -> str:
    return ", ".join(list(map(str, answer))[:8]) or "none"
