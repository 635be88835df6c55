"""Folding of typography: two texts that a reader calls the same become the same string."""

from __future__ import annotations

import re
import unicodedata

_QUOTES_AND_HYPHENS = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'",
        "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u201f": '"',
        "\u2010": "-", "\u2011": "-",
    }
)  # fmt: skip
_SPEAKER_LABEL = re.compile(r"^\s*Speaker\s*\d+\s*[:：]\s*", re.IGNORECASE)
_TAG_OR_MARKUP = re.compile(r"\[(?:S\d+|MULTI)\]|<[^>]*>", re.IGNORECASE)
_BLANKS = re.compile(r"\s+")


def fold(text: str) -> str:
    """NFKC, curly quotes to straight, (non-breaking) hyphens to `-`, ellipsis to three dots, blanks collapsed."""
    return _BLANKS.sub(" ", unicodedata.normalize("NFKC", text).translate(_QUOTES_AND_HYPHENS)).strip()


def strip_speaker_label(text: str) -> str:
    """Remove a leading `Speaker1:`, which some references carry although nobody says it."""
    return _SPEAKER_LABEL.sub("", text)


def strip_tags(text: str) -> str:
    """Remove speaker tags (`[S01]`, `[MULTI]`) and markup (`<...>`), for scores that do not mind who speaks."""
    return _BLANKS.sub(" ", _TAG_OR_MARKUP.sub(" ", text)).strip()
