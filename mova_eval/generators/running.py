"""The main job: make the clips of a benchmark, measure them, sum up; one call that can be killed and continued."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mova_eval.generators.contract import Generator, PlanOptions
from mova_eval.generators.making import GenerationOutcome, generate_clips
from mova_eval.runs.events import Event
from mova_eval.runs.plan import choose
from mova_eval.runs.runner import RunOutcome, score_clips

if TYPE_CHECKING:
    from mova_eval.benchmarks import Benchmark


@dataclass(frozen=True)
class GeneratedClips:
    """Which clip is whose, as scoring wants to know it."""

    clips: Mapping[str, Path]
    absent: Mapping[str, str]
    unmatched: tuple[Path, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        return ()

    @classmethod
    def of(cls, made: GenerationOutcome) -> GeneratedClips:
        """What a generation has left behind."""
        return cls(made.clips, {**made.failed, **made.not_runnable})


def run_benchmark(
    benchmark: Benchmark,
    generator: Generator,
    *,
    out: Path,
    options: PlanOptions | None = None,
    making: Mapping[str, Any] | None = None,
    scoring: Mapping[str, Any] | None = None,
    on_event: Callable[[Event], None] | None = None,
    command: Sequence[str] = (),
) -> tuple[GenerationOutcome, RunOutcome | None]:
    """Make the clips of a benchmark and measure them into the run directory `out`.

    making, scoring: further arguments of `generate_clips` and `score_clips`. Metrics are chosen before any clip is
    made, so that a required one that cannot run costs nothing. The second value is None where the making of clips was
    interrupted; the same call goes on. Raises UserError as those two do.
    """
    measure = dict(scoring or {})
    choose(
        measure.get("metrics"),
        require=measure.get("require", ()),
        protocol=measure.get("protocol", "official"),
        options=measure.get("options", {}),
        licence=measure.get("licence", "any"),
    )
    made = generate_clips(
        benchmark, generator, out=out, options=options, on_event=on_event, command=command, **(making or {})
    )
    if made.interrupted:
        return made, None
    matching = GeneratedClips.of(made)
    scored = score_clips(
        benchmark, matching, out=out, generator=made.reference, on_event=on_event, command=command, **measure
    )
    return made, scored
