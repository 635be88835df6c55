"""What a comparison says, as types: the JSON file, the tables, the page and the gate all read these."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1
Verdict = Literal["better", "worse", "changed", "no difference shown", "equal", "not compared"]
"""better, worse, changed (where neither direction is better): the Holm-corrected p-value is at most 0.05."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClipFormat(_Strict):
    """What the clips of a run are like, read from the files; shares are of the clips that were read.

    read: clips looked at, evenly spread over the run. sizes, fps, sample_rates: value -> share. seconds: shortest,
    median, longest.
    """

    read: int
    sizes: dict[str, float]
    fps: dict[str, float]
    seconds: tuple[float, float, float]
    sample_rates: dict[str, float]
    channels: dict[str, float]


class ProtocolCard(_Strict):
    """Everything besides the model that a run's numbers depend on. Two runs are comparable when their cards agree."""

    benchmark: str
    benchmark_sha256: str
    prompt_variant: str
    sets: list[str]
    n_items: int
    protocol: str
    generator: dict[str, Any]
    """Settings of the generator that are not the model itself, flattened ("sampling.steps")."""
    seed: int | None = None
    """Of the generation, where it is known."""
    metrics: dict[str, dict[str, Any]]
    """Metric -> version, parameters, weights' sha256."""
    clips: ClipFormat | None = None
    """None when no clip could be read."""


class CardDifference(_Strict):
    """One field in which two cards differ.

    matters: the two runs are not comparable unless the user says so; else it is worth knowing.
    """

    field: str
    base: str
    head: str
    matters: bool = True

    @property
    def text(self) -> str:
        return f"{self.field}: {self.base} in base, {self.head} in head"


class Side(_Strict):
    """One of the two runs."""

    path: str
    run: str
    model: str
    created: str
    commit: str | None
    complete: bool
    n_items: int
    card: ProtocolCard


class Shift(_Strict):
    """Head minus base in one set."""

    base: float | None
    head: float | None
    difference: float | None
    interval: tuple[float, float] | None
    n: int


class Coverage(_Strict):
    """How many of the items that base was asked to score have a number. p: exact McNemar test, two-sided."""

    expected: int
    base: int
    head: int
    common: int
    only_base: int
    only_head: int
    p: float
    lost: list[str] = Field(default_factory=list)
    """Items with a number in base alone, at most 50."""
    lost_reasons: dict[str, int] = Field(default_factory=dict)

    @property
    def drop(self) -> float:
        """Share of base's scored items that lost their number, net of those that gained one."""
        return (self.only_base - self.only_head) / self.base if self.base else 0.0


class ScoreComparison(_Strict):
    """One score of two runs, on the items that both have scored.

    difference: head minus base. loss: the same with its sign turned so that positive is worse; None where neither
    direction is better. p: permutation test, two-sided. p_holm: corrected over all compared scores. standard_error: of
    the difference. detectable: the smallest true difference that a test at 5% finds with power 0.8 on these items, for
    this score alone.
    """

    name: str
    title: str
    metric: str
    direction: Literal["higher", "lower", "target"]
    unit: str
    range: tuple[float | None, float | None]
    decimals: int
    protocol: str
    made_with: str = ""
    rule: str
    n: int
    coverage: Coverage
    base: float | None = None
    head: float | None = None
    difference: float | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None
    p_holm: float | None = None
    standard_error: float | None = None
    detectable: float | None = None
    sets: dict[str, Shift] = Field(default_factory=dict)
    draws: int = 0
    """Resamples and permutations behind interval and p."""
    verdict: Verdict = "not compared"
    notes: list[str] = Field(default_factory=list)

    @property
    def loss(self) -> float | None:
        return None if self.difference is None else self.as_loss(self.difference)

    @property
    def loss_interval(self) -> tuple[float, float] | None:
        """Interval of the loss, lower end first."""
        if self.interval is None or self.direction == "target":
            return None
        low, high = self.interval
        return (low, high) if self.direction == "lower" else (-high, -low)

    def as_loss(self, difference: float) -> float | None:
        """A difference as a loss: positive is worse."""
        if self.direction == "target":
            return None
        return difference if self.direction == "lower" else -difference


class ItemChange(_Strict):
    """One item in both runs.

    loss: mean over its scores of the change towards worse, each in standard deviations of that score's change over the
    items; None where no score has a better direction. values: score -> [base, head], None where there is no number.
    """

    item: str
    set: str
    category: str | None
    prompt: str
    base_clip: str | None
    """Path of the clip, absolute or relative to the working directory."""
    head_clip: str | None
    loss: float | None
    values: dict[str, tuple[float | None, float | None]]


class Comparison(_Strict):
    """Two runs held against each other."""

    schema_version: int = SCHEMA_VERSION
    base: Side
    head: Side
    benchmark: str
    n_common: int
    """Items that both runs have, scored or not."""
    only_base: list[str] = Field(default_factory=list)
    only_head: list[str] = Field(default_factory=list)
    card_differences: list[CardDifference] = Field(default_factory=list)
    scores: list[ScoreComparison]
    items: list[ItemChange]
    """Worst first."""
    resamples: int
    permutations: int
    seed: int
    notes: list[str] = Field(default_factory=list)

    @property
    def compared(self) -> list[ScoreComparison]:
        """Scores with a difference."""
        return [score for score in self.scores if score.difference is not None]

    def score(self, name: str) -> ScoreComparison:
        """One score. Raises KeyError when it is not in the comparison."""
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)

    def to_pandas(self) -> Any:
        """One row per score: the columns of `ScoreComparison` that are single values."""
        import pandas as pd

        columns = (
            "name", "metric", "direction", "n", "base", "head", "difference", "p", "p_holm", "detectable", "verdict",
        )  # fmt: skip
        rows = []
        for score in self.scores:
            low, high = score.interval or (None, None)
            plain = {name: getattr(score, name) for name in columns}
            rows.append({**plain, "lower": low, "upper": high, "loss": score.loss})
        return pd.DataFrame(rows)
