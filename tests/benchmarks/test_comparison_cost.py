"""What reports and comparisons of 600 items by 20 metrics cost. Run with `pytest -m benchmark -s`.

Seconds are of the processor, so that other work on the machine does not count; a fresh process each, start included.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import many_metrics
import numpy as np
import pytest
import run_support
from compare_runs import write_run

from metrics import registry

pytestmark = pytest.mark.benchmark

SIZES = {"set1": 205, "set2": 295, "set3": 100}
PROGRAM = Path(sys.executable).with_name("mova-eval")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """Two runs of 600 items by 20 metrics, one of them the Inception Score with 527 classes."""
    folder = tmp_path_factory.mktemp("cost")
    run_support.write_distribution(folder / "site", "many", many_metrics.ENTRY_POINTS)
    with pytest.MonkeyPatch.context() as patch:
        run_support.on_path(patch, run_support.TESTS, folder / "site")
        made = []
        for seed in (1, 2):
            rng = np.random.default_rng(seed)
            values = {name: [float(v) for v in rng.normal(5, 1, 600)] for name in many_metrics.NAMES}
            for place in range(0, 600, 7):
                values["many_03"][place] = None  # type: ignore[call-overload]
            logits = rng.normal(size=(600, 527)) * 2
            p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            arrays = [{"probabilities": row.astype(np.float32)} for row in p]
            made.append(write_run(folder / f"run{seed}", values, features={"inception_score": arrays}, sizes=SIZES))
        yield made
    registry.refresh()


def cost(*arguments: str | Path) -> tuple[float, float]:
    """Processor seconds of a command, and the largest memory of any command so far in GiB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [PROGRAM, *map(str, arguments)], check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "2"}
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return spent, after.ru_maxrss / 2**20


def test_compare_with_ten_thousand_resamples(runs: list[Path]) -> None:
    spent, memory = cost("compare", *runs, "--gate", "default")
    size = (runs[1] / "compare.html").stat().st_size / 1e6
    print(f"\ncompare: {spent:.2f} s of the processor, {memory:.2f} GiB, page {size:.2f} MB")
    assert spent < 10
    assert size < 3


def test_report_beside_baselines(runs: list[Path]) -> None:
    spent, memory = cost("report", runs[0], "--formats", "md,html,tex,csv,json")
    size = (runs[0] / "table.html").stat().st_size / 1e6
    print(f"\nreport: {spent:.2f} s of the processor, {memory:.2f} GiB, table {size:.2f} MB")
    assert spent < 5
    assert size < 3


def test_history_of_ten_runs(runs: list[Path], tmp_path: Path) -> None:
    for place in range(10):
        shutil.copytree(runs[place % 2], tmp_path / f"run{place}")
    spent, memory = cost("history", tmp_path)
    print(f"\nhistory of ten runs: {spent:.2f} s of the processor, {memory:.2f} GiB")
    assert spent < 60
