"""The gate file: what loss is minded, and on what evidence."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from metrics import registry
from metrics.errors import UserError
from mova_eval.baselines.columns import own_columns

Condition = Literal["interval beyond tolerance", "value beyond tolerance", "interval reaches tolerance", "never"]
_SHARE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")
DEFAULT = "default"


def _tolerance(value: float | str) -> float | str:
    if isinstance(value, str) and not _SHARE.fullmatch(value):
        raise ValueError(f"'{value}' is neither a number nor a percentage such as \"2%\"")
    if not isinstance(value, str) and value < 0:
        raise ValueError("a tolerance is 0 or more")
    return value


Tolerance = Annotated[float | str, AfterValidator(_tolerance)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Strict):
    """What is done about one score. None: as the default rule says."""

    tolerance: Tolerance | None = None
    fail_if: Condition | None = None
    warn_if: Condition | None = None

    def over(self, other: Rule) -> Rule:
        """This rule, with what it leaves open taken from another."""
        ours = self.model_dump(exclude_none=True)
        return Rule(**{**other.model_dump(exclude_none=True), **ours})

    def allowed(self, base: float) -> float:
        """The tolerance in the score's unit, given the base run's value."""
        if isinstance(self.tolerance, str):
            share = _SHARE.fullmatch(self.tolerance)
            return float(share[1]) / 100 * abs(base) if share else 0.0
        return self.tolerance or 0.0


class CoverageRule(_Strict):
    """What is done about items that lost their number; shares of base's scored items."""

    max_drop: float = Field(default=0.02, ge=0, le=1)
    hard_drop: float = Field(default=0.2, ge=0, le=1)


class GateFile(_Strict):
    """A gate file, read and checked."""

    alpha: float = Field(default=0.05, gt=0, lt=1)
    min_items: int = Field(default=10, ge=2)
    judge: Literal["all", "listed"] = "all"
    required: list[str] = Field(default_factory=list)
    default: Rule = Rule(tolerance="1%", fail_if="interval beyond tolerance", warn_if="value beyond tolerance")
    coverage: CoverageRule = CoverageRule()
    metrics: dict[str, Rule] = Field(default_factory=dict)

    def rule_for(self, score: str, metric: str, direction: str) -> Rule | None:
        """The rule of a score: its own, its metric's, the default; None where it is not judged.

        A score of which neither direction is better is judged only where a rule names it.
        """
        own = self.metrics.get(score) or self.metrics.get(metric)
        if own is None and (self.judge == "listed" or direction == "target"):
            return None
        return (own or Rule()).over(self.default)


def default_gate() -> GateFile:
    """The rules that are shipped."""
    text = files("mova_eval.gates").joinpath("default.toml").read_text(encoding="utf-8")
    return GateFile.model_validate(tomllib.loads(text))


def read_gate(path: str | Path, known: Iterable[str] = ()) -> GateFile:
    """Read a gate file; "default" is the shipped one.

    known: names of scores and metrics beside those of installed metrics. Raises UserError for a file that does not
    read, naming the place, and for a metric that does not exist, with the nearest names.
    """
    if str(path) == DEFAULT:
        return default_gate()
    place = Path(path)
    try:
        gate = GateFile.model_validate(tomllib.loads(place.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"gate file {place} cannot be read: {error.strerror}; give a file, or --gate default") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"gate file {place} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(
            str(part)
            for part in first["loc"]
            if part not in ("float", "str", "function-after[_tolerance(), union[float,str]]")
        )
        raise UserError(f"gate file {place}, {where or 'top'}: {first['msg'].removeprefix('Value error, ')}") from error
    names = _names(known)
    for name in [*gate.metrics, *gate.required]:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(sorted(names))}"
            raise UserError(f"gate file {place}: no metric or score is called '{name}'; {hint}")
    return gate


def _names(known: Iterable[str]) -> set[str]:
    ours = {column.name for column in own_columns()}
    return {*known, *ours, *registry.available(), *registry.score_specs()}
