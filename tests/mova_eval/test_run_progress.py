"""What a person sees of a run, at a terminal and in a log file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from run_support import make_benchmark, write_clips

from mova_eval.runs import score_clips
from mova_eval.runs.progress import display

pytestmark = pytest.mark.usefixtures("trial_metrics")


def shown(tmp_path: Path, run: str = "run", *, terminal: bool = False, quiet: bool = False, **more: Any) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=200)
    benchmark = make_benchmark({"one": 4})
    matching = write_clips(tmp_path / "clips", benchmark, {"one-00": "bad", "one-02": "die"}, skip=["one-03"])
    with display(quiet=quiet, console=console) as on_event:
        score_clips(benchmark, matching, metrics=["trial"], out=tmp_path / run, on_event=on_event, workers=1, **more)
    return stream.getvalue()


def test_plain_lines_in_a_log(tmp_path: Path) -> None:
    text = shown(tmp_path)
    assert "\x1b" not in text
    said = text.splitlines()
    assert said[0] == "3 clips of 4 items, trial: 3 measurements by 1 worker"
    assert "failed: one-00 trial: one-00.mp4 cannot be decoded" in said
    assert any(line.startswith("warning: one-02: the worker process ended during trial (SIGKILL)") for line in said)
    assert said[-1].startswith("done after ")
    assert said[-1].endswith(f", 2 measurements failed, 1 lack their clip: {tmp_path / 'run'}")
    again = shown(tmp_path).splitlines()
    assert again[0] == "3 clips of 4 items, trial: 0 measurements, 3 measured before"
    cached = shown(tmp_path, "other").splitlines()
    assert cached[0] == "3 clips of 4 items, trial: 1 measurements by 1 worker, 2 from the cache"


def test_a_bar_at_a_terminal(tmp_path: Path) -> None:
    text = shown(tmp_path, terminal=True)
    assert "\x1b" in text
    assert "3/3" in text
    assert "2 failed" in text
    assert "one-02 trial" in text  # the clip at hand


def test_quiet_shows_warnings_only(tmp_path: Path) -> None:
    assert [line[:8] for line in shown(tmp_path, quiet=True).splitlines()] == ["warning:"]
