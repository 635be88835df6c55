"""Edit counts of two sequences: substitutions, deletions, insertions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edits:
    """Edits that turn a reference of `length` units into a hypothesis, with the fewest edits."""

    substitutions: int
    deletions: int
    insertions: int
    length: int

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    def as_details(self) -> dict[str, int]:
        """Counts as JSON values."""
        return {
            "substitutions": self.substitutions,
            "deletions": self.deletions,
            "insertions": self.insertions,
            "reference": self.length,
        }


def edits(reference: Sequence[str], hypothesis: Sequence[str]) -> Edits:
    """Minimal edits (unit costs) from reference to hypothesis: two strings by characters, or two lists by entries."""
    from rapidfuzz.distance import Levenshtein

    kinds = Counter(operation.tag for operation in Levenshtein.editops(reference, hypothesis))
    return Edits(kinds["replace"], kinds["delete"], kinds["insert"], len(reference))
