"""Normalisation for word error rates."""

from __future__ import annotations

import re
import string
from functools import lru_cache
from typing import Any

from metrics.text.folding import fold

_DOTS = re.compile(r"\.{2,}")


def english_words(text: str) -> list[str]:
    """Words of an English text after the Whisper English normaliser.

    It lower-cases, spells out contractions, writes numbers in digits, unifies British and American spelling, and
    drops fillers ("hmm"), punctuation and bracketed remarks. Source: Radford et al. 2022, appendix C, as packaged in
    whisper-normalizer. Typography is folded before, since the normaliser knows straight apostrophes only; rows of dots,
    of which it leaves one standing as a word, become blanks.
    """
    words = str(_english()(_DOTS.sub(" ", fold(text)))).split()
    return [word for word in words if any(map(str.isalnum, word))]


def verse_bench_reference(text: str) -> str:
    """Reference of the Verse-Bench tool: stripped and lower-cased; punctuation stays."""
    return text.strip().lower()


def verse_bench_hypothesis(text: str) -> str:
    """Hypothesis of the Verse-Bench tool: empty if every character is ASCII punctuation, else stripped, lower-cased."""
    return "" if all(c in string.punctuation for c in text) else text.strip().lower()


@lru_cache(maxsize=1)
def _english() -> Any:
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer()
