"""Finding and reading the published results that are shipped."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from metrics.errors import UserError
from mova_eval.baselines.columns import columns
from mova_eval.baselines.schema import Published, Shelf

_ORDER = ("mova-2602.08794", "mova-toolkit", "mova-issue-40", "nava-2605.30073", "mova-arena")
"""Files that come first, in this order; the others follow by name."""


def folder() -> Path:
    """Where the files lie: inside the package once installed, in `results/published` in a checkout.

    Raises UserError when neither is there.
    """
    installed = Path(str(files("mova_eval.baselines"))) / "published"
    checkout = Path(__file__).resolve().parents[2] / "results" / "published"
    for place in (installed, checkout):
        if place.is_dir():
            return place
    raise UserError(f"the published results are missing ({installed}); install mova-eval again")


def published(*, include_doubtful: bool = False, where: Path | None = None) -> list[Published]:
    """The published results, in the order of their importance.

    include_doubtful: also those that contradict themselves or others, and those of other benchmarks. where: another
    folder of such files. Raises UserError for a file that does not read, naming the field.
    """
    place = where if where is not None else folder()
    shelves: Sequence[Shelf] = ("default", "doubtful", "elsewhere") if include_doubtful else ("default",)
    return [source for source in _all(place) if source.shelf in shelves]


@cache
def _all(place: Path) -> tuple[Published, ...]:
    paths = sorted(place.glob("*.json"), key=lambda path: (_rank(path.stem), path.stem))
    return tuple(read_published(path) for path in paths)


def _rank(stem: str) -> int:
    return _ORDER.index(stem) if stem in _ORDER else len(_ORDER)


def read_published(path: Path) -> Published:
    """Read one file and check its values against the columns. Raises UserError naming file and field."""
    try:
        found = Published.model_validate({"name": path.stem, **json.loads(path.read_bytes())})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(f"{path} is no file of published results ({where}: {first['msg']})") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    known = columns()
    for row in found.rows:
        for name, value in row.scores.items():
            if name not in known:
                raise UserError(f"{path}: {row.label}: no column is called '{name}'")
            low, high = known[name].range
            if not (math.isfinite(value) and (low is None or value >= low) and (high is None or value <= high)):
                raise UserError(f"{path}: {row.label}: {name} {value} is not between {low} and {high}")
    return found
