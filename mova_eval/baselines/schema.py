"""The files of `results/published/`: one per source, checked when read."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Status = Literal["primary", "secondary", "reproduction", "figure"]
"""Typed from the source itself; from somebody quoting it; measured again by others; read off a chart."""
Shelf = Literal["default", "doubtful", "elsewhere"]
"""Shown always; only on request because the numbers contradict each other; only on request because of another task."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Strict):
    """Where the rows were printed. `arxiv` or `url` where there is one."""

    title: str
    arxiv: str = ""
    url: str = ""
    version: str = ""
    date: str = ""
    table: str = ""

    @property
    def link(self) -> str:
        """A web address, empty where the source has none."""
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else self.url

    @property
    def short(self) -> str:
        """Title, table and version in one line."""
        where = f"arXiv {self.arxiv}" if self.arxiv else ""
        return ", ".join(part for part in (self.title, where, self.version, self.table) if part)


class PublishedRow(_Strict):
    """One system as printed.

    scores: score name -> value in the unit of our own score of that name (rates as fractions). n: clips behind the
    row, None where not stated. ci95: interval of the row's only score. flags: keys of the file's `flag_texts`.
    comparable_with: protocols, where they differ from the file's.
    """

    model: str
    variant: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)
    scores: dict[str, float]
    n: int | None = None
    ci95: tuple[float, float] | None = None
    flags: list[str] = Field(default_factory=list)
    comparable_with: list[str] | None = None

    @property
    def label(self) -> str:
        return f"{self.model}, {self.variant}" if self.variant else self.model

    @model_validator(mode="after")
    def _interval_of_one_score(self) -> PublishedRow:
        if self.ci95 is not None:
            if len(self.scores) != 1:
                raise ValueError("ci95 needs a row with exactly one score")
            (value,) = self.scores.values()
            if not self.ci95[0] <= value <= self.ci95[1]:
                raise ValueError("ci95 does not hold the value")
        return self


class Published(_Strict):
    """One source: how its numbers were made, and its rows.

    comparable_with: protocols of our runs beside which the rows may stand in one table. not_comparable: score -> why
    that score alone may not, although the rest may. score_benchmarks: scores measured on another benchmark than the
    rest. tolerance: of values read off a chart, in their unit.
    """

    name: str
    """Of the file, without its ending."""
    source: Source
    benchmark: str
    prompt_variant: str
    protocol: str
    status: Status
    shelf: Shelf = "default"
    kind: Literal["scores", "arena"] = "scores"
    comparable_with: list[str]
    score_benchmarks: dict[str, str] = Field(default_factory=dict)
    not_comparable: dict[str, str] = Field(default_factory=dict)
    flag_texts: dict[str, str] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    tolerance: float | None = None
    entered_from: str
    rows: list[PublishedRow]

    @model_validator(mode="after")
    def _flags_are_explained(self) -> Published:
        unknown = {flag for row in self.rows for flag in row.flags} - set(self.flag_texts)
        if unknown:
            raise ValueError(f"flag '{min(unknown)}' has no text in flag_texts")
        return self

    def benchmark_of(self, score: str) -> str:
        """The benchmark that a score of this source was measured on."""
        return self.score_benchmarks.get(score, self.benchmark)

    def protocols_of(self, row: PublishedRow) -> list[str]:
        """Protocols of our runs that a row may stand beside."""
        return self.comparable_with if row.comparable_with is None else row.comparable_with
