"""Which clips changed most between two runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mova_eval.comparison.reading import ReadRun, RunScore
from mova_eval.comparison.records import ItemChange
from mova_eval.statistics import Floats


def item_changes(
    base: ReadRun, head: ReadRun, scores: Sequence[tuple[RunScore, RunScore]], common: Sequence[str]
) -> list[ItemChange]:
    """Every common item with its values in both runs, worst change first, items without a change of any score last."""
    shown = [(a, b) for a, b in scores if a.spec.aggregation != "corpus"]
    values = {name: _values(a, b, common) for a, b in shown for name in [a.spec.name]}
    losses = _losses(shown, values, len(common))
    order = sorted(range(len(common)), key=lambda i: (np.isnan(losses[i]), -losses[i], i))
    found = []
    for i in order:
        item, other = base.items[common[i]], head.items[common[i]]
        pairs = {name: (_number(pair[i, 0]), _number(pair[i, 1])) for name, pair in values.items()}
        found.append(
            ItemChange(
                item=item.item,
                set=item.set,
                category=item.category,
                prompt=item.prompt,
                base_clip=None if item.clip is None else (base.run.path / item.clip).as_posix(),
                head_clip=None if other.clip is None else (head.run.path / other.clip).as_posix(),
                loss=_number(losses[i]),
                values={name: pair for name, pair in pairs.items() if pair != (None, None)},
            )
        )
    return found


def _values(base: RunScore, head: RunScore, items: Sequence[str]) -> Floats:
    """[n, 2], NaN where there is no number."""
    sides = [[side.clips[item].value for item in items] for side in (base, head)]
    return np.array(sides, dtype=np.float64).T.reshape(len(items), 2)


def _losses(scores: Sequence[tuple[RunScore, RunScore]], values: dict[str, Floats], n: int) -> Floats:
    """Mean over the scores of each item's change towards worse in units of that score's usual change: [n]."""
    columns = []
    for base, _ in scores:
        if base.spec.direction == "target":
            continue
        pair = values[base.spec.name]
        change = (pair[:, 1] - pair[:, 0]) * (1 if base.spec.direction == "lower" else -1)
        usual = np.sqrt(np.nanmean(change**2)) if np.isfinite(change).any() else 0.0
        columns.append(change / usual if usual > 0 else change)
    if not columns:
        return np.full(n, np.nan)
    table = np.stack(columns, axis=1)
    there = np.isfinite(table).sum(axis=1)
    return np.where(there > 0, np.nansum(table, axis=1) / np.maximum(there, 1), np.nan)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
