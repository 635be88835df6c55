"""noise.json: measured noise of a run's scores, beside the run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from metrics.errors import UserError

NOISE_FILE = "noise.json"
SCHEMA_VERSION = 1


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Spread(_Strict):
    """One score over several evaluations.

    values: the overall number of each, in order. sd: their standard deviation. floor: a difference of two further
    evaluations stays below it with probability 0.95.
    """

    values: list[float]
    sd: float
    floor: float
    decimals: int = 3
    unit: str = ""


class Source(_Strict):
    """What was repeated. runs: the run directories."""

    runs: list[str]
    scores: dict[str, Spread]


class Noise(_Strict):
    """evaluation: the same clips scored again and again, without the cache. generation: clips of other seeds."""

    schema_version: int = SCHEMA_VERSION
    evaluation: Source | None = None
    generation: Source | None = None
    notes: list[str] = Field(default_factory=list)

    @property
    def floors(self) -> dict[str, float]:
        """Per score the larger floor of the two."""
        found: dict[str, float] = {}
        for source in (self.evaluation, self.generation):
            for name, spread in (source.scores if source is not None else {}).items():
                found[name] = max(found.get(name, 0.0), spread.floor)
        return found


def read_noise(path: Path) -> Noise:
    """Raises UserError when the file is missing or damaged."""
    try:
        return Noise.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; measure it with mova-eval noise RUN") from None
    except ValidationError as error:
        raise UserError(f"{path} does not read as noise floors; remove it and measure again") from error


def floors_of(places: Iterable[Path]) -> dict[str, float]:
    """Floors from run directories (those without noise.json have none) and from files; the largest of each score."""
    found: dict[str, float] = {}
    for place in places:
        path = place / NOISE_FILE if place.is_dir() else place
        if place.is_dir() and not path.exists():
            continue
        for name, floor in read_noise(path).floors.items():
            found[name] = max(found.get(name, 0.0), floor)
    return found
