"""Flags: what a reader should know about an item of Verse-Bench before trusting a score on it.

Most follow by rule from the texts; what no rule can tell stands in `data/defects.json` as ids, flags and notes.
Flags change no text.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache

from mova_eval.benchmarks.catalogue import shipped
from mova_eval.benchmarks.schema import Item
from mova_eval.benchmarks.text import clean_audio_prompts, fits_duration, fold, letters, no_sound_specified

LONG_SPEECH_S = 8.0

_SOMEBODY_SPEAKS = re.compile(
    r"\b(?:man|woman|boy|girl|male|female|person|child|adult)\b.*\b(?:speak\w*|speech|sing\w*|talk\w*)\b", re.IGNORECASE
)
_SENTENCE_END = tuple(".!?…。！？\"'”’」』")
_PLACEHOLDER = re.compile(r"speaker\s*[0-9]*", re.IGNORECASE)


@lru_cache(maxsize=1)
def descriptions() -> Mapping[str, str]:
    """Every flag with what it means."""
    flags: Mapping[str, str] = shipped("defects.json")["flags"]
    return flags


@lru_cache(maxsize=1)
def listed() -> Mapping[str, frozenset[str]]:
    """Item id -> flags that no rule gives, from the shipped list."""
    found: dict[str, set[str]] = defaultdict(set)
    for entry in shipped("defects.json")["items"]:
        found[entry["id"]].add(entry["flag"])
    return {item: frozenset(flags) for item, flags in found.items()}


def derived(item: Item) -> set[str]:
    """Flags that follow from the item's own texts."""
    return _audio_flags(item) | (_speech_flags(item) if item.speech else _silent_flags(item))


def all_flags(item: Item) -> tuple[str, ...]:
    """Flags of an item of Verse-Bench, sorted: those it has, the derived and the listed ones."""
    return tuple(sorted({*item.flags, *derived(item), *listed().get(item.id, frozenset())}))


def _audio_flags(item: Item) -> set[str]:
    published = item.raw.get("audio_prompt", item.audio_prompts)
    flags = set()
    if not any(prompt.strip() for prompt in published):
        flags.add("blank-audio-prompt")
    if any(no_sound_specified(prompt) for prompt in published):
        flags.add("quiet-sentence")
    kept = clean_audio_prompts(published)
    if item.speech and kept and all(_SOMEBODY_SPEAKS.search(prompt) for prompt in kept):
        flags.add("voice-only-audio-prompt")
    return flags


def _silent_flags(item: Item) -> set[str]:
    return {"prompt-quotes-without-speech"} if '"' in fold(item.prompt) else set()


def _speech_flags(item: Item) -> set[str]:
    flags = set()
    for turn in item.speech:
        if item.prompt:  # the original distribution has no unified prompt to compare with
            flags |= _prompt_flags(turn.text, item.prompt)
        if not turn.text.rstrip().endswith(_SENTENCE_END):
            flags.add("truncated-speech")
        if re.search(r"[0-9]", turn.text):
            flags.add("digits-in-speech")
        label = turn.speaker
        if label != label.strip().rstrip(".") or _PLACEHOLDER.fullmatch(label):
            flags.add("speaker-label-messy")
    if not fits_duration(item, LONG_SPEECH_S):
        flags.add("long-speech")
    return flags


def _prompt_flags(text: str, prompt: str) -> set[str]:
    if text in prompt:
        return set()
    return {"speech-quotes-differ" if letters(text) in letters(prompt) else "speech-differs-from-prompt"}
