"""What a run costs beside its metrics: journal and cache, the second run, and what a second worker is worth."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import run_support

from metrics import registry
from mova_eval.runs import runner, score_clips
from mova_eval.runs.events import Event, Measured

pytestmark = pytest.mark.benchmark

HEAVY = ("scipy", "pandas", "torch", "librosa", "cv2", "av", "onnxruntime", "faster_whisper", "numba", "sklearn")


@pytest.fixture(autouse=True)
def trial_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    run_support.install_trial_metrics(tmp_path / "site")
    with monkeypatch.context() as patch:
        run_support.on_path(patch, run_support.TESTS, tmp_path / "site")
        patch.setenv("MOVA_EVAL_CACHE", str(tmp_path / "cache"))
        yield
    registry.refresh()


def timed(tmp_path: Path, run: str, items: int, sleep: float, **more: object) -> float:
    benchmark = run_support.make_benchmark({"one": items})
    matching = run_support.write_clips(tmp_path / "clips", benchmark)
    began = time.perf_counter()
    score_clips(
        benchmark,
        matching,
        metrics=["trial", "rates", "variety"],
        options={"trial": {"sleep": sleep}},
        out=tmp_path / run,
        **more,  # type: ignore[arg-type]
    )
    return time.perf_counter() - began


def test_journal_and_cache_take_less_than_two_percent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a second for three metrics of a clip: less than loudness, DNSMOS and AV-Align take together."""
    spent = 0.0
    write = runner._Work._write

    def clocked(self: runner._Work, *arguments: object, **more: object) -> None:
        nonlocal spent
        began = time.perf_counter()
        write(self, *arguments, **more)  # type: ignore[arg-type]
        spent += time.perf_counter() - began

    monkeypatch.setattr(runner._Work, "_write", clocked)
    wall = timed(tmp_path, "run", items=20, sleep=1.0, workers=1)
    print(f"\njournal, features and cache: {1000 * spent / 60:.2f} ms per measurement, {spent / wall:.2%} of the run")
    assert spent < 0.02 * wall


def test_a_second_run_is_fifty_times_faster(tmp_path: Path) -> None:
    first = timed(tmp_path, "first", items=60, sleep=0.5, workers=1)
    second = timed(tmp_path, "second", items=60, sleep=0.5, workers=1)
    again = timed(tmp_path, "second", items=60, sleep=0.5, workers=1)
    print(f"\nfirst run {first:.2f} s, from the cache {second:.3f} s ({first / second:.0f} x), resumed {again:.3f} s")
    assert second < first / 50


def test_two_workers_are_worth_two(tmp_path: Path) -> None:
    """Without their start, which is a second or two whatever the length of the run."""
    rates = []
    for workers in (1, 2):
        moments: list[float] = []

        def note(event: Event, moments: list[float] = moments) -> None:
            if isinstance(event, Measured) and event.metric == "trial":
                moments.append(time.perf_counter())

        timed(tmp_path, f"{workers}", items=40, sleep=0.5, workers=workers, cache=False, on_event=note)
        rates.append((len(moments) - workers) / (moments[-1] - moments[workers - 1]))
    print(f"\n{rates[0]:.2f} clips a second with one worker, {rates[1]:.2f} with two: {rates[1] / rates[0]:.2f} x")
    assert rates[1] / rates[0] >= 1.8


def test_a_cached_run_imports_nothing_heavy(tmp_path: Path) -> None:
    timed(tmp_path, "first", items=3, sleep=0.0, workers=1)
    code = textwrap.dedent(
        f"""
        import sys
        from pathlib import Path
        import run_support
        from mova_eval.runs import score_clips
        tmp = Path({str(tmp_path)!r})
        benchmark = run_support.make_benchmark({{"one": 3}})
        matching = run_support.write_clips(tmp / "clips", benchmark)
        told = []
        score_clips(benchmark, matching, metrics=["trial", "rates", "variety"], out=tmp / "second",
                    options={{"trial": {{"sleep": 0.0}}}}, on_event=told.append)
        print([told[0].cached, told[0].workers], sorted(set(sys.modules) & set({HEAVY!r})))
        """
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[9, 0] []\n"
