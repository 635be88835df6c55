"""A table beside baselines, as types: every format reads these."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mova_eval.comparison.records import ProtocolCard

Mark = Literal["best", "second", ""]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cell(_Strict):
    """One number of a table.

    n, expected: clips scored, of how many; None where the source does not say. remark: why this number may not be
    compared although its row may, or what else must be known. mark: only where the intervals allow it.
    """

    value: float
    interval: tuple[float, float] | None = None
    n: int | None = None
    expected: int | None = None
    made_with: str = ""
    remark: str = ""
    mark: Mark = ""


class Row(_Strict):
    """One system. origin: "run" or the name of the published source; footnotes: places in `Standing.footnotes`."""

    label: str
    model: str
    origin: str
    status: str
    """primary, secondary, reproduction or figure for published rows; ours for runs."""
    protocol: str
    cells: dict[str, Cell]
    footnotes: list[int] = Field(default_factory=list)
    path: str = ""
    date: str = ""


class Head(_Strict):
    """A column's head."""

    name: str
    title: str
    direction: Literal["higher", "lower", "target"]
    decimals: int
    unit: str = ""


class Group(_Strict):
    """A table of its own: rows of one source that may not stand in the main table, and why."""

    title: str
    why: str
    columns: list[Head]
    rows: list[Row]
    notes: list[str] = Field(default_factory=list)
    link: str = ""


class RunCard(_Strict):
    """The protocol card of one of the runs."""

    label: str
    path: str
    card: ProtocolCard


class Standing(_Strict):
    """The whole: main table (published rows, then ours) and context."""

    benchmark: str
    protocol: str
    columns: list[Head]
    rows: list[Row]
    cards: list[RunCard] = Field(default_factory=list)
    context: list[Group] = Field(default_factory=list)
    footnotes: list[str] = Field(default_factory=list)
    sources: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)

    def to_pandas(self) -> Any:
        """One row per number of the main table: label, origin, protocol, score, value, lower, upper, n, mark."""
        import pandas as pd

        rows = [
            (row.label, row.origin, row.protocol, name, cell.value, *(cell.interval or (None, None)), cell.n, cell.mark)
            for row in self.rows
            for name, cell in row.cells.items()
        ]
        return pd.DataFrame(
            rows, columns=["label", "origin", "protocol", "score", "value", "lower", "upper", "n", "mark"]
        )
