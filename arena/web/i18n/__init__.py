"""Texts of the site in English and Chinese: two JSON files with the same keys."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


@cache
def catalogue(language: Language) -> MappingProxyType[str, str]:
    """All texts of one language."""
    return MappingProxyType(json.loads(files(__package__).joinpath(f"{language}.json").read_text("utf-8")))


def pick_language(asked: str | None, locale: str | None) -> Language:
    """The language of a visit: what the address asks for, else the browser's, else English."""
    for wish in (asked, locale):
        word = (wish or "").lower()
        for language in LANGUAGES:
            if word == language or word.startswith((f"{language}-", f"{language}_")):
                return language
    return "en"


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts of one language: `texts("vote.progress", done=3)`. A missing key is a defect and raises KeyError."""

    language: Language

    def __call__(self, key: str, **values: object) -> str:
        text = catalogue(self.language)[key]
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text

    def group(self, prefix: str) -> dict[str, str]:
        """All texts below a prefix, without it: `group("player.")["left"]`."""
        return {
            key.removeprefix(prefix): text for key, text in catalogue(self.language).items() if key.startswith(prefix)
        }
