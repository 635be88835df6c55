"""Measure the noise floor of a run: score the same clips again, or look at runs of other generation seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from metrics.errors import UserError
from mova_eval.comparison.cards import card_of, check_comparable, differences
from mova_eval.comparison.reading import read
from mova_eval.noise.records import NOISE_FILE, Noise, Source, Spread, read_noise
from mova_eval.noise.repeating import benchmark_of, changed_keys, score_again
from mova_eval.runs.loading import Run, load_run
from mova_eval.runs.paths import write_atomically

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mova_eval.records import Summary
    from mova_eval.runs.runner import OnEvent

Watch = Callable[[int, int], "AbstractContextManager[OnEvent | None]"]
"""From the number of a repeat and how many there are to a context that is told the events of that repeat."""
FEW = 3


def measure_noise(
    runs: Sequence[str | Path],
    *,
    repeat: int = 0,
    benchmark: str | None = None,
    root: Path | None = None,
    media: Path | None = None,
    workers: int | None = None,
    allow_different_protocol: bool = False,
    watch: Watch | None = None,
) -> Noise:
    """Measure how far each score moves between equal evaluations, and store it as noise.json in the first run.

    runs: one run, or several of other generation seeds. repeat: how often to score the first run's clips again,
    without the cache, into RUN/noise/repeat-N (these runs resume and are kept). benchmark, root, media: where the
    benchmark lies, if the run's own copy of its items will not do.

    Raises UserError for runs that are not of one protocol, fewer than two evaluations, and a metric that cannot run.
    """
    opened = [load_run(Path(path)) for path in runs]
    if not opened or (len(opened) < 2 and repeat < 1):
        raise UserError("one evaluation has no noise; give --repeat 5, or the runs of several generation seeds")
    for run in opened:
        read(run)
    first = opened[0]
    _check_same_kind(opened, allow_different_protocol)
    notes = []
    evaluation = generation = None
    if repeat:
        repeats = _repeats(first, repeat, benchmark, root, media, workers, watch)
        changed = sorted({name for run in repeats for name in changed_keys(first, run)})
        if changed:
            notes.append(f"{', '.join(changed)} depends on something else now than when the run was made")
        evaluation = _source([first, *repeats] if not changed else repeats)
    if len(opened) > 1:
        generation = _source(opened)
    told = _merged(first, Noise(evaluation=evaluation, generation=generation, notes=notes))
    write_atomically(first.path / NOISE_FILE, told.model_dump_json(indent=1).encode() + b"\n")
    return told


def _check_same_kind(runs: Sequence[Run], allowed: bool) -> None:
    cards = [card_of(run) for run in runs]
    for run, card in zip(runs[1:], cards[1:], strict=True):
        if run.manifest.generator.name != runs[0].manifest.generator.name:
            raise UserError(
                f"{runs[0].path} is of model {runs[0].manifest.generator.name}, {run.path} of "
                f"{run.manifest.generator.name}; noise is what differs between runs of one model"
            )
        check_comparable(differences(cards[0], card), allowed)
        if [item.item for item in run.items] != [item.item for item in runs[0].items]:
            raise UserError(f"{runs[0].path} and {run.path} are not over the same items")


def _repeats(
    run: Run,
    repeat: int,
    benchmark: str | None,
    root: Path | None,
    media: Path | None,
    workers: int | None,
    watch: Watch | None,
) -> list[Run]:
    loaded = benchmark_of(run, benchmark, root, media)
    made = []
    for number in range(1, repeat + 1):
        out = run.path / "noise" / f"repeat-{number}"
        with watch(number, repeat) if watch is not None else nullcontext(None) as on_event:
            outcome = score_again(run, loaded, out, workers=workers, on_event=on_event)
        if outcome.interrupted:
            raise KeyboardInterrupt
        made.append(load_run(out))
    return made


def _source(runs: Sequence[Run]) -> Source:
    summaries: list[Summary] = [run.summary for run in runs]
    scores = {}
    for score in summaries[0].scores:
        found = [one.overall.value for s in summaries for one in s.scores if one.name == score.name]
        values = [value for value in found if value is not None]
        if len(values) == len(summaries):
            scores[score.name] = spread(values, score.decimals, score.unit)
    return Source(runs=[run.path.as_posix() for run in runs], scores=scores)


def spread(values: Sequence[float], decimals: int = 3, unit: str = "") -> Spread:
    """Standard deviation of two values or more, and the bound of 95% of the differences of two further ones.

    The bound is Student's: with few evaluations it is wide, since their own spread is hardly known.
    """
    from scipy import special

    sd = float(np.std(values, ddof=1))
    if sd < 1e-12 * max(map(abs, values)):  # the rounding of equal numbers
        sd = 0.0
    floor = float(special.stdtrit(len(values) - 1, 0.975)) * math.sqrt(2) * sd
    return Spread(values=list(values), sd=sd, floor=floor, decimals=decimals, unit=unit)


def _merged(run: Run, fresh: Noise) -> Noise:
    """What was measured now, with the other kind kept from before."""
    path = run.path / NOISE_FILE
    if not path.exists():
        return fresh
    before = read_noise(path)
    return Noise(
        evaluation=fresh.evaluation or before.evaluation,
        generation=fresh.generation or before.generation,
        notes=fresh.notes,
    )
