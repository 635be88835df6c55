"""MyBench (MOVA-Bench): the 27 multi-speaker references, and the other categories where the user has their prompts.

The prompts are not public in a form known to the suite. A file `prompts.json` of the shape `{category: {id: record}}`
beside the references is read; without it the benchmark has its multi-speaker set only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metrics.errors import UserError
from metrics.requests import SPEAKER_TAG, parse_turns
from metrics.types import Turn
from mova_eval.benchmarks.catalogue import ASSETS, MYBENCH, how_to_get, shipped
from mova_eval.benchmarks.reading import checked, read_json, read_text
from mova_eval.benchmarks.schema import DIGITS, Header, Item, natural_key
from mova_eval.benchmarks.sources import Source, ordered, without_duplicates
from mova_eval.benchmarks.verse_bench import Record

MULTI_SPEAKER = "multi-speaker"
LINES = 27
PROMPTS = "prompts.json"
_REFERENCE_NAMES = ("references.txt", "mybench_multi_speaker_references.txt", "multi-speaker/references.txt")


def header() -> Header:
    """The benchmark's header."""
    return Header.model_validate(shipped("mybench.json"))


def load(root: Path | None) -> Source:
    """MyBench from a references file, from a folder with it (and `prompts.json`, category folders), or from the cache.

    Raises UserError when no references are there (with how to get them) and for wrong shapes (with the place).
    """
    references = _references_file(root)
    turns = parse_references(read_text(references), references.name)
    if len(turns) != LINES:
        raise UserError(f"{references.name} has {len(turns)} lines, expected {LINES}; {how_to_get(MYBENCH)}")
    folder = root if root is not None and root.is_dir() else None
    head = header()
    prompts = _prompts(folder / PROMPTS, head) if folder is not None and (folder / PROMPTS).is_file() else {}
    items = _dialogues(turns, prompts.get(MULTI_SPEAKER, {})) + _others(prompts)
    sets = tuple(entry for entry in head.sets if not entry.optional or any(item.set == entry.name for item in items))
    has_media = folder is not None and any((folder / entry.name).is_dir() for entry in sets)
    shown = head.model_copy(update={"sets": sets})
    return Source(shown, ordered(items, sets), media=folder if has_media else None)


def parse_references(text: str, where: str) -> list[tuple[Turn, ...]]:
    """Turns of each line `[S01] text [S02] text ...`, in order; two turns of one speaker stay two turns.

    Blank lines at the end do not count. Raises UserError naming the line.
    """
    parsed = []
    for number, line in enumerate(text.rstrip().splitlines(), start=1):
        if not SPEAKER_TAG.search(line):
            raise UserError(f"{where}: line {number}: expected '[S01] text [S02] text', got {line[:40]!r}")
        try:
            turns = parse_turns(line)
        except ValueError as error:
            raise UserError(f"{where}: line {number}: {error}; correct the line") from error
        silent = next((turn.speaker for turn in turns if not turn.text), None)
        if silent:
            raise UserError(f"{where}: line {number}: [{silent}] says nothing; write its text or remove the tag")
        parsed.append(turns)
    return parsed


def _references_file(root: Path | None) -> Path:
    if root is None:
        cached = ASSETS[MYBENCH].cached
        if cached.is_file():
            return cached
        raise UserError(f"the references of MyBench are not on this machine; {how_to_get(MYBENCH)}")
    if root.is_file():
        return root
    for name in _REFERENCE_NAMES:
        if (root / name).is_file():
            return root / name
    raise UserError(f"{root} holds no references.txt; {how_to_get(MYBENCH)}")


def _prompts(path: Path, head: Header) -> dict[str, dict[str, Any]]:
    content = checked(dict[str, dict[str, Any]], read_json(path), path.name)  # type: dict[str, dict[str, Any]]
    known = {entry.name for entry in head.sets}
    found = {}
    for published, records in content.items():
        category = re.sub(r"[\s_]+", "-", published.strip().lower())
        if category not in known:
            raise UserError(f"{path.name}: {published}: no such category; known: {', '.join(sorted(known))}")
        found[category] = records
    return found


def _record(category: str, name: str, raw: Any) -> tuple[Record, dict[str, Any]]:
    """A record, which may be just the prompt."""
    content = {"prompt": raw} if isinstance(raw, str) else raw
    record: Record = checked(Record, content, f"{PROMPTS}: {category}.{name}")
    return record, content


def _dialogues(turns: list[tuple[Turn, ...]], records: Mapping[str, Any]) -> list[Item]:
    names = _names_by_line(records)
    items = []
    for line, said in enumerate(turns, start=1):
        name = names.get(line)
        record, raw = _record(MULTI_SPEAKER, name, records[name]) if name else (Record(), {})
        items.append(
            Item.model_validate(
                {
                    **_texts(record),
                    "id": f"{MULTI_SPEAKER}-{line:02d}",
                    "set": MULTI_SPEAKER,
                    "aliases": list(dict.fromkeys([str(line), f"{line:02d}", *([name] if name else [])])),
                    "speech": [{"speaker": turn.speaker, "text": turn.text} for turn in said],
                    "category": MULTI_SPEAKER,
                    "raw": {**raw, "reference": " ".join(f"[{turn.speaker}] {turn.text}" for turn in said)},
                }
            )
        )
    return items


def _names_by_line(records: Mapping[str, Any]) -> dict[int, str]:
    """Which record belongs to which reference line: by value if the ids lie in 1..27, else by order if there are 27."""
    numbers = {name: int(name) for name in records if DIGITS.fullmatch(name)}
    if len(numbers) == len(records) and set(numbers.values()) <= set(range(1, LINES + 1)):
        return {number: name for name, number in numbers.items()}
    if len(records) != LINES:
        raise UserError(
            f"{PROMPTS}: {MULTI_SPEAKER}: its {len(records)} ids are not numbers of 1..{LINES}; name them by line "
            f"of the references, or give all {LINES}"
        )
    return dict(enumerate(sorted(records, key=natural_key), start=1))


def _others(prompts: Mapping[str, Mapping[str, Any]]) -> list[Item]:
    found = []
    for category, records in prompts.items():
        for name, content in records.items() if category != MULTI_SPEAKER else ():
            record, raw = _record(category, name, content)
            where = f"{PROMPTS}: {category}.{name}"
            said = record.speech_prompt
            values = {
                **_texts(record),
                "id": f"{category}-{name}",
                "set": category,
                "aliases": [name],
                "speech": [{"speaker": said.speaker, "text": said.text}] if said.text.strip() else [],
                "category": category,
                "raw": raw,
            }
            item: Item = checked(Item, values, where)
            found.append((item, where))
    return without_duplicates(found)


def _texts(record: Record) -> dict[str, Any]:
    return {
        "prompt": record.video_prompt if record.prompt is None else record.prompt,
        "video_prompt": record.video_prompt,
        "audio_prompts": record.audio_prompt,
    }
