"""Text normalisation for speech metrics: folding of typography, English words, Chinese and English characters."""

from __future__ import annotations

from metrics.text.characters import cer_characters, cpcer_characters
from metrics.text.folding import fold, strip_speaker_label, strip_tags
from metrics.text.words import english_words, verse_bench_hypothesis, verse_bench_reference

__all__ = [
    "cer_characters",
    "cpcer_characters",
    "english_words",
    "fold",
    "strip_speaker_label",
    "strip_tags",
    "verse_bench_hypothesis",
    "verse_bench_reference",
]
