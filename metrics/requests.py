"""Reading a request (what a clip was asked for) from plain mappings, and tagged speech from text."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from metrics.types import Request, Turn

SPEAKER_TAG = re.compile(r"\[(S\d+)\]", re.IGNORECASE)
CJK_IDEOGRAPH = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def language_of(text: str) -> str | None:
    """Language of a text: "zh" if it holds a CJK ideograph, else "en" if it holds anything, else None."""
    if CJK_IDEOGRAPH.search(text):
        return "zh"
    return "en" if text.strip() else None


def parse_turns(text: str) -> tuple[Turn, ...]:
    """Turns of a text tagged `[S01] ... [S02] ...`, in order; an untagged text is one turn of nobody in particular.

    Two turns of one speaker stay two turns. Text before the first tag is an error, since nobody said it.
    """
    parts = SPEAKER_TAG.split(text)
    if len(parts) == 1:
        return (Turn("", text.strip()),) if text.strip() else ()
    if parts[0].strip():
        raise ValueError(f"speech starts with '{parts[0].strip()[:40]}' before the first speaker tag such as [S01]")
    return tuple(Turn(tag.upper(), said.strip()) for tag, said in zip(parts[1::2], parts[2::2], strict=True))


def request_from_mapping(item: Mapping[str, Any]) -> Request:
    """See `Request.of`."""
    known = {f.name for f in fields(Request)}
    unknown = sorted(set(item) - known)
    if unknown:
        raise ValueError(f"item has no field '{unknown[0]}'; its fields: {', '.join(sorted(known))}")
    values: dict[str, Any] = {k: v for k, v in item.items() if v is not None}
    for name in ("id", "prompt", "video_prompt", "language", "category"):
        if name in values and not isinstance(values[name], str):
            raise ValueError(f"item field '{name}' must be a text, not {type(values[name]).__name__}")
    for name in ("first_frame", "reference_audio"):
        if name in values:
            values[name] = os.fspath(values[name])
    if "audio_prompts" in values:
        prompts = values["audio_prompts"]
        values["audio_prompts"] = (prompts,) if isinstance(prompts, str) else tuple(prompts)
    if "speech" in values:
        values["speech"] = _turns(values["speech"])
    request = Request(**values)
    if "language" not in values and request.speech:
        values["language"] = language_of(request.text)
        request = Request(**values)
    return request


def _turns(speech: Any) -> tuple[Turn, ...]:
    if isinstance(speech, str):
        return parse_turns(speech)
    if isinstance(speech, Mapping):
        speech = [speech]
    if not isinstance(speech, Sequence):
        raise ValueError(f"item field 'speech' must be a text or a list of turns, not {type(speech).__name__}")
    turns = []
    for place, turn in enumerate(speech):
        if isinstance(turn, Turn):
            turns.append(turn)
        elif isinstance(turn, Mapping) and isinstance(turn.get("text"), str):
            turns.append(Turn(str(turn.get("speaker", "")), turn["text"]))
        else:
            raise ValueError(f"item field 'speech', turn {place + 1}: expected speaker and text, got {turn!r:.60}")
    return tuple(turns)
