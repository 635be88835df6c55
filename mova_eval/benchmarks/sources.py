"""What a loader hands over: a header, all items, and how the prompts were chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from metrics.errors import UserError
from mova_eval.benchmarks.schema import Header, Item, SetInfo, natural_key


@dataclass(frozen=True)
class Source:
    """A benchmark before any choice. items: all, in benchmark order. media: folder to look for frames, if any."""

    header: Header
    items: tuple[Item, ...]
    prompts: str = "official"
    media: Path | None = None


def ordered(items: Iterable[Item], sets: Sequence[SetInfo]) -> tuple[Item, ...]:
    """Items in benchmark order: the header's sets; inside a set numeric ids by value, then the others by name."""
    place = {entry.name: index for index, entry in enumerate(sets)}
    return tuple(sorted(items, key=lambda item: (place[item.set], natural_key(item.id))))


def without_duplicates(items: Iterable[tuple[Item, str]]) -> list[Item]:
    """The items, after a check that no id stands twice. Each comes with where it stands, for the complaint.

    Raises UserError naming both places.
    """
    seen: dict[str, str] = {}
    kept = []
    for item, place in items:
        if item.id in seen:
            raise UserError(f"{place}: the id {item.id} stands there and in {seen[item.id]}; ids must be unique")
        seen[item.id] = place
        kept.append(item)
    return kept
