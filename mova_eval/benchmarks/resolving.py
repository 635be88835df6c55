"""Which item a file name means."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator

from mova_eval.benchmarks.schema import DIGITS, Item

_CLIP = re.compile(r"clip_[0-9a-fA-F]{8}(?![^\W_])")
_LEADING = re.compile(r"([0-9]{1,100})(?=$|[_-])")
_NUMBERED = re.compile(r"(?:sample|video)_([0-9]{1,100})(?=$|[_-])")


def _same(name: str) -> str:
    return unicodedata.normalize("NFC", name)  # some file systems hand names back decomposed


class Resolver:
    """Finds items by file stems. Never by a string prefix over all ids: ids may begin alike."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._names: dict[str, set[str]] = defaultdict(set)
        self._numbers: dict[int, set[str]] = defaultdict(set)
        self.sets: dict[str, str] = {}
        for item in items:
            self.sets[item.id] = item.set
            for name in (item.id, *item.aliases):
                self._names[_same(name)].add(item.id)
                if DIGITS.fullmatch(name):
                    self._numbers[int(name)].add(item.id)

    def candidates(self, stem: str, within: str | None = None) -> list[str]:
        """Ids that a stem means: one, or several if it is ambiguous, or none. within: name of a set to stay in.

        The first rule that gives exactly one item wins: the stem is an id or alias; it is a number; it begins with
        `clip_` and eight hexadecimal digits; it begins with a number and `_` or `-`; `sample_` or `video_` and a
        number; it begins with an id or alias and `_video_` (names of the official pipeline).
        """
        several: list[str] = []
        for found in self._by_rule(stem):
            inside = sorted(name for name in found if within is None or self.sets[name] == within)
            if len(inside) == 1:
                return inside
            several = several or inside
        return several

    def exactly(self, stem: str, within: str | None = None) -> list[str]:
        """As `candidates`, by the first two rules alone: for media, whose names carry nothing but the id."""
        for found in (self._named(stem), self._number(stem)):
            inside = sorted(name for name in found if within is None or self.sets[name] == within)
            if inside:
                return inside
        return []

    def _by_rule(self, stem: str) -> Iterator[set[str]]:
        yield self._named(stem)
        yield self._number(stem)
        clip = _CLIP.match(stem)
        if clip:
            yield self._named(clip[0].lower())
        for pattern in (_LEADING, _NUMBERED):
            number = pattern.match(stem)
            if number:
                yield self._number(number[1])
        head, mark, _ = stem.partition("_video_")
        if mark:
            yield self._named(head)

    def _named(self, name: str) -> set[str]:
        return self._names.get(_same(name), set())

    def _number(self, digits: str) -> set[str]:
        return self._numbers.get(int(digits), set()) if DIGITS.fullmatch(digits) else set()
