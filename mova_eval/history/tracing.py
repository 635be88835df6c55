"""Read the runs of a folder and find where a score really changed.

Every run is held against the last run at which the score changed (at first the oldest), pair by pair on common items,
so a slow drift is found as well as a jump. A change is real when its standardised difference survives a correction for
all tests of the series (Bonferroni over scores and runs) and is larger than the noise floor, where one was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from metrics.errors import UserError
from mova_eval.comparison.comparing import compare_score
from mova_eval.comparison.reading import ReadRun, read
from mova_eval.comparison.records import ScoreComparison
from mova_eval.comparison.resampling import Draws, one_thread
from mova_eval.history.records import Change, History, Line, Point, RunMark, Series
from mova_eval.noise import floors_of
from mova_eval.records import MetricRef, ScoreSummary
from mova_eval.runs.loading import Run, load_run

ALPHA = 0.05
DEPTH = 3
"""Folders below the given one that are searched."""

OnRun = Callable[[str, int, int], None]
"""Told the name of each run that is read, how many are, and of how many."""


def trace_history(
    folder: str | Path,
    *,
    metrics: Sequence[str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
    on_run: OnRun | None = None,
) -> History:
    """The runs of a folder over time.

    metrics: metrics or scores to show, None for all. resamples: of the bootstrap behind the intervals of changes.
    Runs that are unfinished or damaged are left out, with the reason. Raises UserError when no run is left.
    """
    place = Path(folder)
    paths = find_runs(place)
    skipped: dict[str, str] = {}
    groups: dict[tuple[str, ...], list[Run]] = {}
    for path in paths:
        name = path.relative_to(place).as_posix()
        try:
            run = load_run(path)
            _ = run.summary
            groups.setdefault(_key(run), []).append(run)
        except UserError as error:
            skipped[name] = str(error)
    total = sum(map(len, groups.values()))
    done = 0

    def tell(name: str) -> None:
        nonlocal done
        done += 1
        if on_run is not None:
            on_run(name, done, total)

    draws = Draws(seed, resamples, 1)
    with one_thread():
        series = [_series(sorted(runs, key=_age), place, metrics, draws, skipped, tell) for runs in groups.values()]
    kept = [one for one in series if one.runs]
    if not kept:
        reasons = "; ".join(skipped.values()) or "it holds no run directory"
        raise UserError(f"{place} has no history: {reasons}")
    if metrics is not None and not any(one.lines for one in kept):
        raise UserError(f"no run in {place} has a metric or score {', '.join(metrics)}")
    return History(folder=place.as_posix(), series=kept, skipped=skipped)


def find_runs(folder: Path) -> list[Path]:
    """Run directories in and below a folder, by name; not those inside other runs. Raises UserError if there is no
    such folder."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; give one that holds run directories")
    found: list[Path] = []

    def look(place: Path, depth: int) -> None:
        if (place / "run.json").is_file():
            found.append(place)
        elif depth:
            for child in sorted(place.iterdir()):
                if child.is_dir() and not child.is_symlink() and not child.name.startswith("."):
                    look(child, depth - 1)

    look(folder, DEPTH)
    return found


def _age(run: Run) -> tuple[str, str]:
    return run.manifest.created, run.path.name


def _key(run: Run) -> tuple[str, ...]:
    m = run.manifest
    return m.generator.name, m.benchmark.name, m.benchmark.content_sha256, m.benchmark.prompt_variant, m.protocol


def _series(
    runs: Sequence[Run],
    folder: Path,
    metrics: Sequence[str] | None,
    draws: Draws,
    skipped: dict[str, str],
    tell: Callable[[str], None],
) -> Series:
    floors = floors_of([run.path for run in runs])
    wanted = _wanted(runs, metrics)
    tests = max(1, len(wanted) * (len(runs) - 1))
    traced = {name: _Trace(score, ALPHA / tests, floors.get(name, 0.0), draws) for name, score in wanted.items()}
    marks = []
    for run in runs:
        name = run.path.relative_to(folder).as_posix()
        tell(name)
        try:
            opened = read(run)
        except UserError as error:
            skipped[name] = str(error)
            continue
        m = run.manifest
        marks.append(
            RunMark(
                run=name,
                path=run.path.as_posix(),
                created=m.created,
                commit=m.commit,
                dirty=m.dirty,
                n_items=m.benchmark.n_items,
            )
        )
        for trace in traced.values():
            trace.add(name, opened)
    first = runs[0].manifest
    return Series(
        model=first.generator.name,
        benchmark=f"{first.benchmark.title} {first.benchmark.version}",
        protocol=first.protocol,
        prompt_variant=first.benchmark.prompt_variant,
        runs=marks,
        lines=[trace.line() for trace in traced.values()],
    )


def _wanted(runs: Sequence[Run], metrics: Sequence[str] | None) -> dict[str, ScoreSummary]:
    """Scores of any of the runs, as the newest that has them describes them."""
    found = {score.name: score for run in runs for score in run.summary.scores}
    if metrics is None:
        return found
    return {name: score for name, score in found.items() if name in metrics or score.metric in metrics}


class _Trace:
    """One score along a series, oldest run first."""

    def __init__(self, score: ScoreSummary, alpha: float, floor: float, draws: Draws) -> None:
        self.score, self.alpha, self.floor, self.draws = score, alpha, floor, draws
        self.points: list[Point] = []
        self.since: tuple[str, ReadRun] | None = None
        """The last run at which the score changed."""

    def add(self, name: str, run: ReadRun) -> None:
        told = next((score for score in run.run.summary.scores if score.name == self.score.name), None)
        if told is None or told.overall.value is None:
            self.points.append(Point(run=name, value=None))
            return
        point = Point(
            run=name,
            value=told.overall.value,
            interval=told.overall.interval,
            n=told.overall.n_scored,
            expected=told.overall.n_expected,
        )
        if self.since is None:
            self.since = (name, run)
        else:
            apart = _made_otherwise(_ref(self.since[1], told.name), _ref(run, told.name))
            change = None if apart else self._change(run)
            point = point.model_copy(update={"change": change, "apart": apart})
            if change is not None or apart:
                self.since = (name, run)
        self.points.append(point)

    def _change(self, run: ReadRun) -> Change | None:
        if self.since is None:
            return None
        name, before = self.since
        found = compare_score(before, before.score(self.score.name), run.score(self.score.name), self.draws)
        if not is_real(found, self.alpha, self.floor) or found.difference is None:
            return None
        verdict: Literal["better", "worse", "changed"] = "changed"
        if found.loss is not None:
            verdict = "worse" if found.loss > 0 else "better"
        return Change(since=name, difference=found.difference, interval=found.interval, n=found.n, verdict=verdict)

    def line(self) -> Line:
        s = self.score
        return Line(
            name=s.name, title=s.title, direction=s.direction, unit=s.unit, decimals=s.decimals, points=self.points
        )


def is_real(found: ScoreComparison, alpha: float, floor: float) -> bool:
    """Whether a difference is shown at level `alpha` (Student's t of the paired difference) and above the floor."""
    from scipy import special

    if found.difference is None or found.standard_error is None or abs(found.difference) <= floor:
        return False
    freedom = max(found.n - max(len(found.sets), 1), 1)
    return bool(abs(found.difference) > special.stdtrit(freedom, 1 - alpha / 2) * found.standard_error)


def _ref(run: ReadRun, score: str) -> MetricRef:
    return next(ref for ref in run.run.manifest.metrics if score in ref.scores)


def _made_otherwise(before: MetricRef, now: MetricRef) -> str:
    """In what the metric itself changed, empty where it did not: such runs are not on one line."""
    for what in ("version", "parameters", "weights"):
        if getattr(before, what) != getattr(now, what):
            return f"the metric's {what} changed"
    return ""
