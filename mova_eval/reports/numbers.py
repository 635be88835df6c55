"""How a number is written in every report: the score's decimals, percent for rates, a dash for what is not there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from mova_eval.records import Aggregate, ScoreSummary

DASH = "–"
ARROWS = {"higher": "↑", "lower": "↓", "target": "↔"}
DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "target": "neither is better"}
RATE_UNITS = frozenset({"rate", "fraction", "share"})
"""Units of values that 1 stands for all of, and that are read as percent."""
UNITLESS = frozenset({"", "1", "none", "score", "MOS", "distance", "ratio", "index"})
"""Units that would say nothing beside a number in a table."""


class Printed(Protocol):
    """What has to be known of a score to write its values."""

    @property
    def unit(self) -> str: ...
    @property
    def decimals(self) -> int: ...


@dataclass(frozen=True)
class Style:
    """How values of one score are written: value * scale with `decimals`, then `suffix`."""

    decimals: int
    scale: float = 1.0
    suffix: str = ""

    def write(self, value: float | None) -> str:
        """A number as text; a dash for None and for anything that is not finite."""
        if value is None or not math.isfinite(value):
            return DASH
        text = f"{value * self.scale:.{self.decimals}f}"
        if float(text) == 0.0:
            text = text.removeprefix("-")
        return text + self.suffix

    def interval(self, bounds: tuple[float, float] | None, *, dash: str = DASH) -> str:
        """An interval as text, "7.812 to 8.034"; a dash for None."""
        if bounds is None:
            return dash
        low, high = bounds
        bare = Style(self.decimals, self.scale)
        return f"{bare.write(low)} to {bare.write(high)}{self.suffix}"


def difference_style(score: Printed) -> Style:
    """How differences of two values of this score are written: those of percentages in percentage points."""
    style = style_of(score)
    return Style(style.decimals, style.scale, " pp") if style.suffix == "%" else style


def signed(style: Style, value: float | None) -> str:
    """A difference with its sign, as text; a dash for None."""
    text = style.write(value)
    zero = value is None or not math.isfinite(value) or float(style.write(value).removesuffix(style.suffix)) == 0
    return text if zero or text.startswith("-") else f"+{text}"


def signed_interval(style: Style, bounds: tuple[float, float] | None, *, dash: str = DASH) -> str:
    """An interval of a difference with signs, "-0.21 to +0.05"; a dash for None."""
    if bounds is None:
        return dash
    bare = Style(style.decimals, style.scale)
    return f"{signed(bare, bounds[0])} to {signed(bare, bounds[1])}{style.suffix}"


def p_text(p: float | None) -> str:
    """A p-value as text: three decimals, "<0.001" below."""
    if p is None:
        return DASH
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def style_of(score: Printed) -> Style:
    """How values of this score are written."""
    if score.unit.lower() in RATE_UNITS:
        return Style(max(score.decimals - 2, 0), 100.0, "%")
    if score.unit in ("%", "percent"):
        return Style(score.decimals, 1.0, "%")
    return Style(score.decimals)


def unit_of(score: Printed) -> str:
    """The unit worth printing beside the score's name, empty for rates (their values say %) and bare numbers."""
    return "" if score.unit in UNITLESS or style_of(score).suffix else score.unit


def why_no_value(aggregate: Aggregate) -> str:
    """Why there is a dash instead of a value."""
    if aggregate.n_expected == 0:
        return "no clip is expected to have this score"
    measured = aggregate.n_scored + aggregate.n_not_applicable + aggregate.n_failed
    if measured == 0:
        return "nothing measured yet"
    if aggregate.n_scored == 0:
        return f"no clip was scored: {aggregate.n_not_applicable} not applicable, {aggregate.n_failed} failed"
    return "the scored clips give no value, such as a rate over an empty reference"


def why_no_interval(aggregate: Aggregate) -> str:
    """Why there is no interval, empty when there is one."""
    if aggregate.interval is not None:
        return ""
    if aggregate.n_scored == 1:
        return "none (one clip)"
    return "no interval" if aggregate.value is not None else "no value"


def compat_differs(score: ScoreSummary, aggregate: Aggregate) -> bool:
    """Whether the official tool's treatment of failed clips shows in the printed digits."""
    if aggregate.compat is None:
        return False
    style = style_of(score)
    return style.write(aggregate.compat) != style.write(aggregate.value)
