"""A history, as types."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Change(_Strict):
    """A change that is real: against the run since which the score had not changed.

    difference: this run minus that one, on the items that both scored.
    """

    since: str
    difference: float
    interval: tuple[float, float] | None
    n: int
    verdict: Literal["better", "worse", "changed"]


class Point(_Strict):
    """One score of one run. value: None where the run has none. apart: why it is not held against the runs before."""

    run: str
    value: float | None
    interval: tuple[float, float] | None = None
    n: int = 0
    expected: int = 0
    change: Change | None = None
    apart: str = ""


class RunMark(_Strict):
    """One run on the axis of time."""

    run: str
    path: str
    created: str
    commit: str | None
    dirty: bool | None = None
    n_items: int


class Line(_Strict):
    """One score over the runs of a series."""

    name: str
    title: str
    direction: Literal["higher", "lower", "target"]
    unit: str
    decimals: int
    points: list[Point]

    @property
    def changes(self) -> list[tuple[Point, Change]]:
        """Points at which the score really changed."""
        return [(point, point.change) for point in self.points if point.change is not None]


class Series(_Strict):
    """Runs that may stand on one line: the same model, benchmark content, prompts and protocol, oldest first."""

    model: str
    benchmark: str
    protocol: str
    prompt_variant: str
    runs: list[RunMark]
    lines: list[Line]


class History(_Strict):
    """All runs of a folder."""

    schema_version: int = SCHEMA_VERSION
    folder: str
    series: list[Series]
    skipped: dict[str, str] = Field(default_factory=dict)
    """Run -> why it is not shown."""

    def to_pandas(self) -> Any:
        """One row per (series, run, score)."""
        import pandas as pd

        marks = {(id(series), mark.run): mark for series in self.series for mark in series.runs}
        rows = [
            (
                series.model, series.benchmark, point.run, marks[id(series), point.run].created,
                marks[id(series), point.run].commit, line.name, point.value, *(point.interval or (None, None)), point.n,
                point.change.verdict if point.change else "",
            )
            for series in self.series
            for line in series.lines
            for point in line.points
        ]  # fmt: skip
        columns = ["model", "benchmark", "run", "created", "commit", "score", "value", "lower", "upper", "n", "change"]
        return pd.DataFrame(rows, columns=columns)
