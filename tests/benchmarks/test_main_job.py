"""What the main job costs beside its metrics, on real clips: `pytest tests/benchmarks/test_main_job.py -m benchmark -s`.

The ratio of the whole run to the metrics' own arithmetic, and where the rest goes: decoding and conversion (shared by
the metrics), loading networks (once per worker, so its share falls with the number of clips), and what is left for
process start, journal, cache and bookkeeping.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from report_runs import MORE, SCORES, make_run
from support import shared_data

from mova_eval import benchmarks
from mova_eval.reports import write_reports
from mova_eval.runs import load_run, score_clips
from mova_eval.runs.events import Event, Measured, MeasuringStarted, Started

pytestmark = pytest.mark.benchmark

METRICS = ("loudness", "dnsmos", "av_align", "wer", "cpcer")
ASR = "faster-whisper:packaged-base"


class Clock:
    """Moments of a run: its start, and the spans in which networks were loaded."""

    def __init__(self) -> None:
        self.loading = 0.0
        self._since: float | None = None
        self.measured: list[tuple[str, float]] = []

    def __call__(self, event: Event) -> None:
        now = time.perf_counter()
        if self._since is not None:
            self.loading += now - self._since
            self._since = None
        if isinstance(event, MeasuringStarted) and event.loading:
            self._since = now
        if isinstance(event, Measured):
            self.measured.append((event.item, now))
        if isinstance(event, Started):
            self.started = now


def run(out: Path, workers: int) -> tuple[float, Clock]:
    data = shared_data()
    prompts = data / "verse_bench_prompts.json"
    whole = benchmarks.load("verse-bench", root=prompts)
    names = [item.id for item in whole.items]
    source = benchmarks.match_clips(data / "clips", whole).clips
    folder = out.parent / "clips"
    folder.mkdir(exist_ok=True)
    for item, clip in source.items():  # each clip stands for a second item, too, so that loading has its usual share
        place = names.index(item)
        for name in names[place : place + 2]:
            shutil.copy(clip, folder / f"{name}.mp4")
    ids = sorted(path.stem for path in folder.iterdir())
    loaded = benchmarks.load("verse-bench", root=prompts, ids=ids)
    matching = benchmarks.match_clips(folder, loaded)
    clock, began = Clock(), time.perf_counter()
    options = {name: {"asr": ASR} for name in ("wer", "cpcer")}
    score_clips(
        loaded, matching, metrics=METRICS, options=options, out=out, workers=workers, threads=1, cache=False, on_event=clock
    )  # fmt: skip
    return time.perf_counter() - began, clock


def test_a_run_costs_little_more_than_its_metrics(tmp_path: Path) -> None:
    wall, clock = run(tmp_path / "run", workers=1)
    timings = [t for t in load_run(tmp_path / "run").timings if not t.cached]
    own = sum(t.seconds for t in timings)
    decoding = sum(t.decode_seconds for t in timings)
    rest = wall - own - decoding - clock.loading
    print(
        f"\nwall {wall:.2f} s = metrics {own:.2f} + decoding and conversion {decoding:.2f} + loading {clock.loading:.2f}"
        f" + start, journal, bookkeeping {rest:.2f}; {wall / own:.3f} times the metrics' own arithmetic,"
        f" {(wall - clock.loading) / own:.3f} without loading"
    )
    assert wall / own <= 1.15


def test_report_of_six_hundred_items_by_twenty_scores(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", n_items=600, scores=SCORES + MORE)
    began = time.perf_counter()
    written = write_reports(folder)
    seconds = time.perf_counter() - began
    size = max(path.stat().st_size for path in written)
    print(f"\n{seconds:.2f} s, largest file {size / 1e6:.2f} MB")
    assert seconds < 5
    assert size < 3_000_000
