"""Plan all items of a run before any of them is made, and say what the plan is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metrics.errors import UserError
from mova_eval.generators.contract import ClipRequest, Generator, NotRunnable, PlanOptions, checked_seed
from mova_eval.generators.sizes import KEPT_WARNING
from mova_eval.records import GeneratorRef

if TYPE_CHECKING:
    from mova_eval.benchmarks import Benchmark
    from mova_eval.generators.contract import Identity


@dataclass(frozen=True, slots=True)
class Planned:
    """One item: its request, or why there is none."""

    item: str
    set: str
    request: ClipRequest | None
    code: str = ""
    reason: str = ""


def plan_all(benchmark: Benchmark, generator: Generator, options: PlanOptions) -> list[Planned]:
    """The plan of every chosen item in benchmark order.

    Raises UserError for what the user must mend, and when no item at all can be made.
    """
    checked_seed(options.seed)
    generator.attach(benchmark)
    plans = []
    for item in benchmark.items:
        try:
            plans.append(Planned(item.id, item.set, generator.plan(item, options)))
        except NotRunnable as gap:
            plans.append(Planned(item.id, item.set, None, gap.code, gap.reason))
    if plans and all(plan.request is None for plan in plans):
        raise UserError(f"none of the {len(plans)} items can be made: {plans[0].reason}")
    return plans


def requests_of(plans: Sequence[Planned]) -> list[ClipRequest]:
    """The requests of those items that can be made."""
    return [plan.request for plan in plans if plan.request is not None]


def reference(generator: Generator, plans: Sequence[Planned], options: PlanOptions, identity: Identity) -> GeneratorRef:
    """What the manifest says about the generator."""
    requests = requests_of(plans)
    foreign = any(request.as_it_is for request in requests)
    frames, fps, seconds = ({getattr(r, name) for r in requests} for name in ("frames", "fps", "seconds"))
    settings: dict[str, Any] = generator.output_settings()
    if options.text_only:
        settings["text_only"] = True
    return GeneratorRef(
        kind=generator.name,
        name=generator.label(),
        settings=settings,
        version=generator.version,
        model=identity.model,
        seed=None if foreign else options.seed,
        seed_per_item=options.seed_per_item and not foreign,
        seconds=_only(seconds),
        frames=_only(frames),
        fps=_only(fps),
        sizes=list(dict.fromkeys(r.size for r in requests if r.size is not None)),
        weights=dict(identity.weights),
        caveats=list(identity.caveats),
    )


def _only(values: set[Any]) -> Any:
    return next(iter(values)) if len(values) == 1 else None


def warnings(plans: Sequence[Planned]) -> list[str]:
    """What a person should know about the plan before clips are made of it."""
    said = []
    cropped = [r for r in requests_of(plans) if r.kept is not None and r.kept < KEPT_WARNING]
    if cropped:
        least = min(cropped, key=lambda r: r.kept or 0.0)
        said.append(
            f"the crop to the model's shape leaves less than {KEPT_WARNING:.0%} of the first frame of {len(cropped)} "
            f"items, {least.kept:.0%} of {least.item}"
        )
    gone = [plan for plan in plans if plan.request is None]
    if gone:
        said.append(f"{len(gone)} of {len(plans)} items cannot be made, such as {gone[0].item}: {gone[0].reason}")
    return said
