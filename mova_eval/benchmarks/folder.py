"""Benchmarks of one's own: a folder with `items.jsonl` and perhaps `benchmark.json`, or a JSONL file alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from metrics.errors import UserError
from mova_eval.benchmarks.reading import checked, parse_json, read_json, read_text
from mova_eval.benchmarks.schema import Header, Item, Reference, SetInfo
from mova_eval.benchmarks.sources import Source, ordered, without_duplicates

ITEMS = "items.jsonl"
HEADER = "benchmark.json"


def load(path: Path) -> Source:
    """A benchmark from a folder or a JSONL file; media paths in it are relative to the folder.

    Without a header the sets are those of the items, by name. Raises UserError with file and line.
    """
    items_file = path / ITEMS if path.is_dir() else path
    if not items_file.is_file():
        raise UserError(f"{path} holds no {ITEMS}; write one JSON object per line, at least id, set and prompt")
    found = []
    for number, line in enumerate(read_text(items_file).split("\n"), start=1):
        if line.strip():
            where = f"{items_file.name}: line {number}"
            item: Item = checked(Item, _as_item(parse_json(line, where, first_line=number)), where)
            found.append((_beside(item, items_file.parent), where))
    if not found:
        raise UserError(f"{items_file} is empty; write one JSON object per line, at least id, set and prompt")
    head = _header(items_file, found)
    return Source(head, ordered(without_duplicates(found), head.sets))


def _as_item(value: Any) -> Any:
    """A line may leave out `set` where a benchmark has one set only."""
    return {"set": "all", **value} if isinstance(value, dict) else value


def _header(items_file: Path, found: list[tuple[Item, str]]) -> Header:
    path = items_file.parent / HEADER
    used = sorted({item.set for item, _ in found})
    own_name = items_file.parent.resolve().name if items_file.name == ITEMS else items_file.stem
    derived = tuple(SetInfo(name=name) for name in used)
    if not path.is_file():
        return Header(name=own_name, sets=derived)
    head: Header = checked(Header, read_json(path), path.name)
    if not head.sets:
        return head.model_copy(update={"sets": derived})
    known = {entry.name for entry in head.sets}
    for item, where in found:
        if item.set not in known:
            raise UserError(f"{where}: set: no set '{item.set}' in {HEADER}; known: {', '.join(sorted(known))}")
    return head


def _beside(item: Item, folder: Path) -> Item:
    """The item with absolute media paths; media that are not there count as not fetched."""

    def there(path: str | None) -> str | None:
        full = None if path is None else os.path.abspath(folder / path)
        return full if full is not None and os.path.isfile(full) else None

    frame = there(item.first_frame.path) if item.first_frame else None
    audio = there(item.reference.audio) if item.reference else None
    video = there(item.reference.video) if item.reference else None
    return item.model_copy(
        update={
            "first_frame": item.first_frame.model_copy(update={"path": frame}) if item.first_frame and frame else None,
            "reference": Reference(audio=audio, video=video) if audio or video else None,
        }
    )
