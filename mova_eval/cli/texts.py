"""Small texts that several commands print."""

from __future__ import annotations


def about(metric: str, sentence: str) -> str:
    """A sentence about a metric, beginning with its name once."""
    return sentence if sentence.startswith(f"{metric} ") else f"{metric}: {sentence}"
