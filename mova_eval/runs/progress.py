"""Showing a run while it works: a bar at a terminal, plain lines elsewhere. Standard output stays free for results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mova_eval.runs.events import (
    ClipMade,
    ClipStarted,
    ClipStep,
    Event,
    Finished,
    MakingFinished,
    MakingStarted,
    Measured,
    MeasuringStarted,
    Started,
    Warned,
    WorkerDied,
)

if TYPE_CHECKING:
    from rich.console import Console

_LINE_EVERY_SECONDS = 30.0


@contextmanager
def display(*, quiet: bool = False, console: Console | None = None) -> Iterator[Callable[[Event], None]]:
    """Something to pass as `on_event`; the display is closed at the end of the block.

    quiet: warnings only. console: for other places than standard error.
    """
    if console is None:
        from rich.console import Console

        console = Console(stderr=True)
    if quiet:
        yield _Warnings(console)
    elif console.is_terminal:
        with _Bar(console) as bar:
            yield bar
    else:
        yield _Lines(console)


class _Warnings:
    """Only what a person must know."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def __call__(self, event: Event) -> None:
        if isinstance(event, Warned):
            self.say(f"warning: {event.message}")
        elif isinstance(event, WorkerDied):
            self.say(f"warning: {event.item}: {event.reason}")

    def say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, markup=False, highlight=False)


class _Lines(_Warnings):
    """Start, end, failures, and a line now and then."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._total = self._here = self._done = self._failed = 0
        self._begun = self._said = time.monotonic()

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if isinstance(event, Started):
            self._begin(event.total, event.done + event.cached)
            self.say(_opening(event))
        elif isinstance(event, MakingStarted):
            self._begin(event.total, event.done)
            self.say(_opening_of_making(event))
        elif isinstance(event, Measured):
            if event.status == "failed":
                self.say(f"failed: {event.item} {event.metric}: {event.reason}")
            self._count(event.status == "failed", "measured")
        elif isinstance(event, ClipMade):
            if not event.ok:
                self.say(_failure(event))
            if event.final:
                self._count(not event.ok, "made")
        elif isinstance(event, ClipStep):
            self._now_and_then("made", f"; {event.item}: {_step(event)}")
        elif isinstance(event, Finished):
            self.say(_closing(event))
        elif isinstance(event, MakingFinished):
            self.say(_closing_of_making(event))

    def _begin(self, total: int, done: int) -> None:
        self._total, self._done, self._here, self._failed = total, done, 0, 0
        self._begun = self._said = time.monotonic()

    def _count(self, failed: bool, what: str) -> None:
        self._here += 1
        self._done += 1
        self._failed += failed
        self._now_and_then(what)

    def _now_and_then(self, what: str, more: str = "") -> None:
        now = time.monotonic()
        if now - self._said < _LINE_EVERY_SECONDS or self._done >= self._total:
            return
        self._said = now
        rate = self._here / max(now - self._begun, 1e-9)
        left = f", about {_duration((self._total - self._done) / rate)} left" if rate else ""
        speed = f", {_rate(rate)}" if rate else ""
        self.say(f"{self._done} of {self._total} {what}, {self._failed} failed{speed}{left}{more}")


class _Bar(_Warnings):
    """A progress bar with rate, estimate, failures and the clip at hand."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        super().__init__(console)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[failed]} failed"),
            TextColumn("{task.fields[clip]}", markup=False),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("measuring", total=None, rate="", failed=0, clip="")
        self._here = self._failed = 0
        self._begun = time.monotonic()

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if isinstance(event, Started):
            self.say(_opening(event))
            self._begin("measuring", event.total, event.done + event.cached)
        elif isinstance(event, MeasuringStarted):
            doing = "loading" if event.loading else "measuring"
            self._progress.update(self._task, description=doing, clip=f"{event.item} {event.metric}")
        elif isinstance(event, Measured):
            self._here += 1
            self._failed += event.status == "failed"
            self._advance()
        elif isinstance(event, Finished):
            self.say(_closing(event))
        else:
            self._making(event)

    def _making(self, event: Event) -> None:
        if isinstance(event, MakingStarted):
            self.say(_opening_of_making(event))
            self._begin("generating", event.total, event.done)
        elif isinstance(event, ClipStarted):
            doing = "loading" if event.loading else "generating"
            self._progress.update(self._task, description=doing, clip=event.item)
        elif isinstance(event, ClipStep):
            self._progress.update(self._task, clip=f"{event.item} {_step(event)}")
        elif isinstance(event, ClipMade):
            if not event.ok:
                self.say(_failure(event))
            if event.final:
                self._here += 1
                self._failed += not event.ok
                self._advance()
        elif isinstance(event, MakingFinished):
            self.say(_closing_of_making(event))

    def _begin(self, doing: str, total: int, done: int) -> None:
        self._here = self._failed = 0
        self._begun = time.monotonic()
        self._progress.reset(self._task, description=doing, total=total, completed=done, failed=0, rate="", clip="")

    def _advance(self) -> None:
        rate = self._here / max(time.monotonic() - self._begun, 1e-9)
        self._progress.update(self._task, advance=1, failed=self._failed, rate=_rate(rate))


def _opening_of_making(event: MakingStarted) -> str:
    left = event.total - event.done
    kept = f", {event.done} made before" if event.done else ""
    by = f" by {event.workers} worker{'s' * (event.workers != 1)}" if left else ""
    return f"{event.generator}: {left} of {event.items} clips to make{by}{kept}"


def _closing_of_making(event: MakingFinished) -> str:
    end = "stopped" if event.interrupted else "done"
    failed = f", {event.n_failed} failed" if event.n_failed else ""
    gaps = f", {event.n_not_runnable} cannot be made" if event.n_not_runnable else ""
    return f"{end} after {_duration(event.seconds)}: {event.n_clips} clips{failed}{gaps}: {event.run_dir}"


def _failure(event: ClipMade) -> str:
    again = "" if event.final else f" (attempt {event.attempt}; trying again)"
    return f"failed: {event.item}: {event.reason}{again}"


def _step(event: ClipStep) -> str:
    return f"{event.what or 'step'} {event.done}/{event.total}"


def _rate(per_second: float) -> str:
    """A rate in the unit that leaves a number one can read."""
    if per_second >= 0.1:
        return f"{per_second:.2f}/s"
    per_minute = per_second * 60
    return f"{per_minute:.2f}/min" if per_minute >= 0.1 else f"{per_minute * 60:.2f}/h"


def _opening(event: Started) -> str:
    kept = f", {event.done} measured before" if event.done else ""
    cached = f", {event.cached} from the cache" if event.cached else ""
    left = event.total - event.done - event.cached
    by = f" by {event.workers} worker{'s' * (event.workers != 1)}" if left else ""
    clips = f"{event.clips} clips of {event.items} items"
    return f"{clips}, {', '.join(event.metrics)}: {left} measurements{by}{kept}{cached}"


def _closing(event: Finished) -> str:
    end = "stopped" if event.interrupted else "done"
    failed = f", {event.n_failed} measurements failed" if event.n_failed else ""
    absent = f", {event.n_without_clip} lack their clip" if event.n_without_clip else ""
    return f"{end} after {_duration(event.seconds)}{failed}{absent}: {event.run_dir}"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {left:02d} s" if minutes else f"{seconds:.1f} s"
