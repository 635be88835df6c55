"""What is said about metrics and votes, as types."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Share(_Strict):
    """A share of votes with its 95% interval (bootstrap over items); None without votes or with a single item."""

    value: float
    interval: tuple[float, float] | None


class Prediction(_Strict):
    """How often one score predicts the votes of one criterion.

    category: None for all of them. n: votes on pairs of which both clips have the score. decisive: share of the votes
    with a winner in which the better score is the winner's; equal scores count one half. with_ties: share of all votes
    predicted, a tie being predicted where the scores differ by at most a threshold that was chosen on the other half
    of the items. expected: the score was named for this criterion beforehand; else it is exploratory.
    """

    score: str
    title: str
    criterion: str
    category: str | None
    n: int
    n_decisive: int
    n_items: int
    decisive: Share | None
    with_ties: Share | None
    threshold: float | None = None
    expected: bool = False


class Ranking(_Strict):
    """Rank correlation between the models' values in one score and their ratings by votes of one criterion.

    Positive means agreement, whatever the score's direction. p: of Spearman's rho, two-sided, by enumeration up to 8
    models.
    """

    score: str
    title: str
    criterion: str
    n_models: int
    kendall: float | None
    spearman: float | None
    p: float | None
    values: dict[str, float]
    ratings: dict[str, float]


class Criterion(_Strict):
    """Votes of one criterion, and how far voters agree with each other on the same pair of clips.

    voters_decisive: share of pairs of voters who both chose a winner that chose the same one. voters_with_ties: how
    often one voter says what the majority of the others says. n_shared: pairs of clips that several voters judged.
    Two voters who each err now and then agree less often than a score that never erred would agree with one of them.
    """

    name: str
    n_votes: int
    n_ties: int
    n_items: int
    voters_decisive: float | None
    voters_with_ties: float | None
    n_shared: int


class Agreement(_Strict):
    """Everything about scores and votes."""

    schema_version: int = SCHEMA_VERSION
    votes: str
    runs: dict[str, str]
    """Model as named in the votes -> run directory."""
    criteria: list[Criterion]
    predictions: list[Prediction]
    rankings: list[Ranking]
    left_out: dict[str, int] = Field(default_factory=dict)
    """Why votes were left out -> how many."""
    notes: list[str] = Field(default_factory=list)
    resamples: int
    seed: int

    def overall(self, criterion: str) -> list[Prediction]:
        """Predictions over all categories, best first."""
        found = [p for p in self.predictions if p.criterion == criterion and p.category is None]
        return sorted(found, key=lambda p: -(p.decisive.value if p.decisive else -1.0))

    def to_pandas(self) -> Any:
        """One row per (score, criterion, category)."""
        import pandas as pd

        def flat(share: Share | None) -> list[float | None]:
            return [None, None, None] if share is None else [share.value, *(share.interval or (None, None))]

        rows = [
            (p.score, p.criterion, p.category, p.n, p.n_decisive, *flat(p.decisive), *flat(p.with_ties), p.expected)
            for p in self.predictions
        ]
        columns = [
            "score", "criterion", "category", "n", "n_decisive", "decisive", "lower", "upper", "with_ties",
            "ties_lower", "ties_upper", "expected",
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=columns)
