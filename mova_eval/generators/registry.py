"""The list of generators: the suite's own, those of other distributions, and short names for models."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from metrics.errors import UserError

if TYPE_CHECKING:
    from mova_eval.generators.contract import Generator

ENTRY_POINT_GROUP = "mova_eval.generators"
OWN = "mova-eval"

_BUILT_IN = {
    "reference": "mova_eval.generators.reference:ReferenceGenerator",
    "sglang": "mova_eval.generators.sglang:SglangGenerator",
    "command": "mova_eval.generators.command:CommandGenerator",
    "folder": "mova_eval.generators.folder:FolderGenerator",
}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "720p": ("reference", {"preset": "720p"}),
    "360p": ("reference", {"preset": "360p"}),
    "nano": ("reference", {"preset": "nano"}),
}
"""Short names: the generator behind them and the settings they stand for."""


@dataclass(frozen=True, slots=True)
class _Entry:
    target: str
    origin: str


@lru_cache(maxsize=1)
def _entries() -> Mapping[str, _Entry]:
    entries = {name: _Entry(target, OWN) for name, target in _BUILT_IN.items()}
    for point in metadata.entry_points(group=ENTRY_POINT_GROUP):
        origin = point.dist.name if point.dist else "unknown"
        if point.name in entries or point.name in MODELS:
            other = entries[point.name].origin if point.name in entries else OWN
            raise UserError(
                f"two generators are called '{point.name}', of {other} and of {origin}; uninstall one of the two "
                f"distributions or rename its entry point"
            )
        entries[point.name] = _Entry(point.value, origin)
    return entries


def refresh() -> None:
    """Forget the list, so that distributions installed since are seen (for notebooks and tests)."""
    _entries.cache_clear()


def available() -> list[str]:
    """Names of all generators, the suite's own first."""
    return list(_entries())


def origin(name: str) -> str:
    """The distribution that a generator comes from; "mova-eval" for the suite's own."""
    return _entries()[name].origin


def generator_class(name: str) -> type[Generator]:
    """The class of a generator.

    Raises UserError with the nearest names when there is none, or when what is registered is no `Generator`.
    """
    from mova_eval.generators.contract import Generator

    entry = _entries().get(name)
    if entry is None:
        known = [*MODELS, *available()]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
        raise UserError(f"no model or generator is called '{name}'; {hint}")
    module, _, attribute = entry.target.partition(":")
    try:
        loaded = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(f"generator {name} of {entry.origin} cannot be loaded from {entry.target}: {error}") from error
    if not (isinstance(loaded, type) and issubclass(loaded, Generator)):
        raise UserError(f"generator {name} of {entry.origin}: {entry.target} is not a subclass of Generator")
    return loaded


def resolve(model: str) -> tuple[str, dict[str, Any]]:
    """A model's short name or a generator's name as (generator, settings that the short name stands for)."""
    return MODELS.get(model, (model, {}))


def make(model: str, options: Mapping[str, Any] | None = None) -> Generator:
    """A generator by its name, or by a model's short name, with settings.

    Raises UserError for unknown names and settings and for wrong values.
    """
    name, preset = resolve(model)
    return generator_class(name)(**{**preset, **(options or {})})
