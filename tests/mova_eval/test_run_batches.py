"""Clips in groups: the same run whatever the grouping, and what a batch that goes wrong costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_support import make_benchmark, run_files, write_clips

from metrics import get
from metrics.networks.metric import NetworkMetric
from metrics.types import Request
from mova_eval.runs import RunOutcome, score_clips
from mova_eval.runs.events import Warned
from mova_eval.runs.memory import grouped, loaded_bytes, of_phase, phases
from mova_eval.runs.worker import Group, Task

BENCHMARK = make_benchmark({"one": 6, "two": 5})
WORDS = {"one-01": "bad", "one-03": "error", "two-00": "skip"}
GIB = 1 << 30


def score(tmp_path: Path, run: str, words: dict[str, str] | None = None, **more: Any) -> RunOutcome:
    matching = write_clips(tmp_path / "clips", BENCHMARK, WORDS if words is None else words)
    settings: dict[str, Any] = {"metrics": ["trial", "together", "variety"], "cache": False, "workers": 1, **more}
    return score_clips(BENCHMARK, matching, out=tmp_path / run, **settings)


def batches(tmp_path: Path) -> list[int]:
    return [int(line) for line in (tmp_path / "batches").read_text().split()]


def records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]


@pytest.mark.usefixtures("trial_metrics")
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_grouping_changes_nothing(tmp_path: Path, workers: int) -> None:
    options = {"together": {"log": str(tmp_path / "batches")}}
    single = score(tmp_path, "run", batch=1, workers=0)
    alone = run_files(single.run_dir)
    (tmp_path / "run").rename(tmp_path / "alone")
    grouped_run = score(tmp_path, "run", workers=workers, options=options)
    assert run_files(grouped_run.run_dir) == alone
    assert max(batches(tmp_path)) == 4
    timings = [json.loads(line) for line in (tmp_path / "run" / "timings.jsonl").read_text().splitlines()]
    assert len(timings) == 33


@pytest.mark.usefixtures("trial_metrics")
def test_too_little_memory_halves_the_batch(tmp_path: Path) -> None:
    options = {"together": {"log": str(tmp_path / "batches"), "room": 2}}
    outcome = score(tmp_path, "run", options=options)
    assert batches(tmp_path)[:3] == [4, 2, 2]
    assert max(batches(tmp_path)[1:]) == 2
    assert [r["code"] for r in records(outcome.run_dir) if r["metric"] == "together" and r["status"] == "failed"] == [
        "undecodable_video",
        "error",
    ]


@pytest.mark.usefixtures("trial_metrics")
@pytest.mark.parametrize(("word", "timeout"), [("die", None), ("hang", 1.0)])
def test_a_batch_that_takes_its_worker_along_costs_one_row(tmp_path: Path, word: str, timeout: float | None) -> None:
    words = {"one-02": word}
    outcome = score(tmp_path, "run", words, metrics=["together", "variety"], timeout=timeout)
    failed = [(r["item"], r["metric"], r["code"]) for r in records(outcome.run_dir) if r["status"] == "failed"]
    assert failed == [("one-02", "together", "worker_died" if timeout is None else "timeout")]
    assert outcome.summary.complete


@pytest.mark.usefixtures("trial_metrics")
def test_networks_that_do_not_fit_beside_others_are_loaded_alone(tmp_path: Path) -> None:
    outcome = score(tmp_path, "run", metrics=["trial", "greedy"])
    assert {r["status"] for r in records(outcome.run_dir) if r["metric"] == "greedy"} == {"scored"}


@pytest.mark.usefixtures("trial_metrics")
def test_a_memory_budget_changes_nothing_but_the_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = run_files(score(tmp_path, "run", {}).run_dir)
    (tmp_path / "run").rename(tmp_path / "plain")
    monkeypatch.setattr("mova_eval.runs.plan.loaded_bytes", lambda metric: 3 * GIB)
    told: list[object] = []
    tight = score(tmp_path, "run", {}, memory=4 * GIB, on_event=told.append)
    assert run_files(tight.run_dir) == plain
    (tmp_path / "run").rename(tmp_path / "tight")
    score(tmp_path, "run", {}, memory=GIB, on_event=told.append)
    warnings = [event.message for event in told if isinstance(event, Warned)]
    assert warnings == [
        f"{name} needs about 3.0 GiB, more than the budget of 1.0 GiB; it runs alone"
        for name in ("trial", "variety", "together")
    ]


@given(
    sizes=st.dictionaries(st.text("abcdefgh", min_size=1, max_size=2), st.integers(0, 12), max_size=9),
    budget=st.integers(1, 20),
)
def test_phases_fit_and_lose_nothing(sizes: dict[str, int], budget: int) -> None:
    groups = phases(sizes, budget)
    assert sorted(name for group in groups for name in group) == sorted(sizes)
    for group in groups:
        assert sum(sizes[name] for name in group) <= budget or len(group) == 1
        assert list(group) == [name for name in sizes if name in group]
    assert phases(sizes, None) == ([tuple(sizes)] if sizes else [])


def tasks(count: int, metrics: tuple[str, ...] = ("a", "b")) -> list[Task]:
    return [Task(i, f"{i}.mp4", Request(), metrics) for i in range(count)]


@given(count=st.integers(0, 40), most=st.integers(1, 9), workers=st.integers(1, 9))
def test_groups_keep_the_order_and_every_worker_busy(count: int, most: int, workers: int) -> None:
    groups = [each.tasks if isinstance(each, Group) else (each,) for each in grouped(tasks(count), most, workers)]
    assert [task.index for group in groups for task in group] == list(range(count))
    assert all(len(group) <= most for group in groups)
    if count >= workers * most:
        assert all(len(group) == most for group in groups[:-1])


def test_parts_of_groups() -> None:
    group = Group(tuple(tasks(2)))
    assert (group.index, group.parts) == (0, ("a", "b"))
    assert group.after(0, "a").tasks[0].metrics == ("b",)
    assert group.after(1, "a").after(1, "b").tasks == group.tasks[:1]
    assert group.without("a").without("b").tasks == ()
    assert [t.metrics for t in of_phase(group.tasks, ["b", "c"])] == [("b",), ("b",)]
    assert of_phase(group.tasks, ["c"]) == []


def test_memory_of_networks_is_that_of_their_files() -> None:
    assert loaded_bytes(get("loudness")) == 0
    assert loaded_bytes(get("dnsmos")) == round(1.25 * (224_860 + 1_157_965))
    whole = loaded_bytes(get("lip_sync"))  # from the table, where the files are not here
    assert whole == round(1.25 * (54_573_114 + 89_844_381))
    assert loaded_bytes(get("lip_sync", precision="bfloat16")) == pytest.approx(whole / 2, abs=1)


def test_a_gpu_gets_larger_batches() -> None:
    """Of clips, and of a network's inputs; what the user says counts more."""
    assert get("clap", device="cpu").batches.size == 1
    assert get("clap", device="cuda:0").batches.size == 8
    assert get("clap", device="cuda", batch_size=3).batches.size == 3
    on_gpu, told = get("desync", device="cuda"), get("desync", device="cuda", batch=5)
    assert isinstance(on_gpu, NetworkMetric)
    assert isinstance(told, NetworkMetric)
    assert (on_gpu._passes.size, told._passes.size) == (16, 5)
    assert on_gpu.parameters() == get("desync").parameters()
