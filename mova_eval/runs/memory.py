"""What runs together: clips in groups, so that networks get full batches; metrics in phases, within a memory budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from metrics import weights
from mova_eval.runs.worker import Group, Task

if TYPE_CHECKING:
    from metrics.metric import Metric

_WORKING_ROOM = 1.25
"""Memory of a loaded network with a small batch, over the size of its weights."""
_HALF = frozenset({"float16", "bfloat16"})


def loaded_bytes(metric: Metric) -> int:
    """An estimate of the memory that a metric's networks take: the size of its weights here, halved in half precision,
    and a quarter more to work with."""
    sizes = [_size(name) for name in metric.weights_used()]
    factor = 0.5 if metric.options.get("precision") in _HALF else 1.0
    return round(_WORKING_ROOM * factor * sum(sizes))


def _size(name: str) -> int:
    if weights.missing(name) is not None:
        return weights.declared(name).size or 0
    place = weights.locate(name)
    return sum(p.stat().st_size for p in place.rglob("*") if p.is_file()) if place.is_dir() else place.stat().st_size


def phases(needs: Mapping[str, int], budget: int | None) -> list[tuple[str, ...]]:
    """Metrics in as few groups as can be found whose networks fit into the budget together, first fit by size.

    needs: metric -> bytes, in the order of the run, which is kept inside each group. budget: bytes, None for no limit.
    A metric that is larger than the budget alone has a group of its own.
    """
    if budget is None:
        return [tuple(needs)] if needs else []
    groups: list[list[str]] = []
    for name in sorted(needs, key=lambda each: -needs[each]):
        fitting = (group for group in groups if sum(needs[n] for n in group) + needs[name] <= budget)
        group = next(fitting, None)
        if group is None:
            groups.append([name])
        else:
            group.append(name)
    return [tuple(name for name in needs if name in group) for group in groups]


def too_large(needs: Mapping[str, int], budget: int | None) -> list[str]:
    """Sentences about metrics that alone are larger than the budget."""
    return [
        f"{name} needs about {size / 2**30:.1f} GiB, more than the budget of {budget / 2**30:.1f} GiB; it runs alone"
        for name, size in needs.items()
        if budget is not None and size > budget
    ]


def grouped(tasks: Sequence[Task], most: int, workers: int) -> list[Task | Group]:
    """Tasks in groups of at most `most`, smaller where otherwise a worker would have nothing to do."""
    size = max(1, min(most, -(-len(tasks) // max(workers, 1))))
    if size == 1:
        return list(tasks)
    return [Group(tuple(tasks[start : start + size])) for start in range(0, len(tasks), size)]


def of_phase(tasks: Sequence[Task], names: Sequence[str]) -> list[Task]:
    """What of the tasks belongs to some metrics."""
    kept = [Task(t.index, t.clip, t.request, tuple(m for m in t.metrics if m in names)) for t in tasks]
    return [task for task in kept if task.metrics]
