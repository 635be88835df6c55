"""Verse-Bench: the adaptation of MOVA (one JSON file of sets and records) and the original folder of set1..set3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, StrictStr

from metrics.errors import UserError
from mova_eval.benchmarks.catalogue import ASSETS, VERSE_BENCH, how_to_get, shipped
from mova_eval.benchmarks.flags import all_flags
from mova_eval.benchmarks.reading import checked, parse_json, read_json, read_text
from mova_eval.benchmarks.schema import DIGITS, Header, Item, SetInfo, canonical_id
from mova_eval.benchmarks.sources import Source, ordered, without_duplicates

ORIGINAL = "original"
"""Prompt variant of the original distribution, which has no unified prompt: the video prompt takes its place."""


class _SpeechPrompt(BaseModel):
    speaker: StrictStr = ""
    text: StrictStr = ""


class Record(BaseModel):
    """An upstream record; fields beyond these are kept in the item's `raw` only."""

    model_config = ConfigDict(extra="allow")

    prompt: StrictStr | None = None
    video_prompt: StrictStr = ""
    audio_prompt: list[StrictStr] = []
    speech_prompt: _SpeechPrompt = _SpeechPrompt()


class AdaptedRecord(Record):
    """A record of MOVA's file: the unified prompt must be there."""

    prompt: StrictStr


def header() -> Header:
    """The benchmark's header."""
    return Header.model_validate(shipped("verse-bench.json"))


def load(root: Path | None) -> Source:
    """Verse-Bench from MOVA's file, from a folder that holds it, from the original layout, or from the cache.

    Raises UserError when nothing is there (with how to get it) and for wrong shapes (with the place).
    """
    if root is None:
        cached = ASSETS[VERSE_BENCH].cached
        if not cached.is_file():
            raise UserError(f"the prompts of Verse-Bench are not on this machine; {how_to_get(VERSE_BENCH)}")
        root = cached.parent
    if root.is_file():
        return load_file(root)
    if not root.is_dir():
        raise UserError(f"{root} does not exist; give the file {ASSETS[VERSE_BENCH].file} or a folder with set1/*.json")
    file = root / ASSETS[VERSE_BENCH].file
    if file.is_file():
        has_media = any((root / entry.name).is_dir() for entry in header().sets)
        source = load_file(file)
        return Source(source.header, source.items, source.prompts, root if has_media else None)
    if any(next((root / entry.name).glob("*.json"), None) for entry in header().sets):
        return load_original(root)
    raise UserError(f"{root} holds neither {file.name} nor set1/*.json; {how_to_get(VERSE_BENCH)}")


def load_file(path: Path) -> Source:
    """A file `{set: {id: record}}`: MOVA's, or one of the same shape with sets of its own."""
    content = read_json(path)
    records: dict[str, dict[str, AdaptedRecord]] = checked(dict[str, dict[str, AdaptedRecord]], content, path.name)
    if not any(records.values()):
        raise UserError(f"{path.name} holds no items; expected sets of records such as set1.00000000")
    head = _header_for(path, list(records))
    found = without_duplicates(
        (_item(name, set_, record, content[set_][name], path.name), f"{path.name}: {set_}.{name}")
        for set_, entries in records.items()
        for name, record in entries.items()
    )
    return Source(head, ordered(found, head.sets))


def load_original(root: Path) -> Source:
    """The original layout: `root/set{1,2,3}/<id>.json` with video, audio and speech prompts; media beside them."""
    found = []
    for entry in header().sets:
        for path in sorted((root / entry.name).glob("*.json")):
            where = f"{entry.name}/{path.name}"
            content = parse_json(read_text(path), where)
            record: Record = checked(Record, content, where)
            found.append((_item(path.stem, entry.name, record, content, where), where))
    return Source(header(), ordered(without_duplicates(found), header().sets), ORIGINAL, root)


def _header_for(path: Path, sets: list[str]) -> Header:
    known = header()
    if set(sets) <= {entry.name for entry in known.sets}:
        return known
    return Header(name=path.stem, sets=tuple(SetInfo(name=name) for name in sorted(sets)))


def _item(published: str, set_: str, record: Record, raw: dict[str, Any], where: str) -> Item:
    speech = record.speech_prompt
    values = {
        "id": published,
        "set": set_,
        "aliases": _aliases(published),
        "prompt": record.video_prompt if record.prompt is None else record.prompt,
        "video_prompt": record.video_prompt,
        "audio_prompts": record.audio_prompt,
        "speech": [{"speaker": speech.speaker, "text": speech.text}] if speech.text.strip() else [],
        "raw": raw,
    }
    item: Item = checked(Item, values, f"{where}: {set_}.{published}")
    return item.model_copy(update={"flags": all_flags(item)})


def _aliases(published: str) -> list[str]:
    """How other distributions write a decimal id: five digits, and without padding."""
    if not DIGITS.fullmatch(published):
        return []
    number = int(published)
    return [alias for alias in dict.fromkeys((f"{number:05d}", str(number))) if alias != canonical_id(published)]
