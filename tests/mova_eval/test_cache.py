"""Measurements kept by content: what makes a key, and what happens to damaged entries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_support import TrialMatching, make_benchmark, run_files, write_clips

from metrics.types import Request, Turn
from mova_eval.runs import score_clips
from mova_eval.runs.cache import MeasurementCache
from mova_eval.runs.events import Started, Warned
from mova_eval.runs.outcomes import TRANSIENT_CODES, Outcome
from mova_eval.runs.plan import MetricPlan, choose

KEY = "ab" + "0" * 62
SCORED = Outcome(
    "m",
    "scored",
    {"x": 1 / 3},
    {"x": (1.0, 3.0)},
    details={"said": "日本", "heard": {"b": 1, "a": [0.1]}},
    flags=["quiet"],
)
WITH_FEATURES = replace(SCORED, features={"p": np.arange(6, dtype=np.float32).reshape(2, 3)})


def make_cache(folder: Path, warnings: list[str] | None = None) -> MeasurementCache:
    told = warnings if warnings is not None else []
    return MeasurementCache(folder, warn=told.append)


def test_an_entry_comes_back_whole(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    assert cache.get(KEY, "a.mp4") is None
    cache.put(KEY, SCORED, "a.mp4")
    assert cache.get(KEY, "a.mp4") == SCORED
    assert str(cache.get(KEY, "a.mp4")) == str(SCORED)  # the order of names, too: journals are compared byte by byte
    cache.put(KEY, WITH_FEATURES, "a.mp4")
    found = cache.get(KEY, "a.mp4")
    assert found is not None
    assert found.features["p"].dtype == np.float32
    np.testing.assert_array_equal(found.features["p"], WITH_FEATURES.features["p"])


def test_the_reason_names_the_clip_at_hand(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    cache.put(KEY, Outcome.failed("m", "no_audio_stream", "first.mp4 has no audio stream"), "first.mp4")
    found = cache.get(KEY, "second.mp4")
    assert found is not None
    assert found.reason == "second.mp4 has no audio stream"


@pytest.mark.parametrize("code", sorted(TRANSIENT_CODES))
def test_failures_that_may_pass_are_not_kept(tmp_path: Path, code: str) -> None:
    cache = make_cache(tmp_path)
    cache.put(KEY, Outcome.failed("m", code, "bad luck"), "a.mp4")
    assert cache.get(KEY, "a.mp4") is None


@pytest.mark.parametrize("part", [".json", ".npz"])
@pytest.mark.parametrize("how", ["cut", "flip", "empty"])
def test_a_damaged_entry_is_reported_and_replaced(tmp_path: Path, part: str, how: str) -> None:
    warnings: list[str] = []
    cache = make_cache(tmp_path, warnings)
    cache.put(KEY, WITH_FEATURES, "a.mp4")
    path = cache.path(KEY).with_suffix(part)
    data = path.read_bytes()
    middle = data.index(b"0.333") if part == ".json" else len(data) // 2
    damaged = {"cut": data[:middle], "flip": data[:middle] + b"1" + data[middle + 1 :], "empty": b""}
    path.write_bytes(damaged[how])
    assert cache.get(KEY, "a.mp4") is None
    assert len(warnings) == 1
    assert "is damaged" in warnings[0]
    cache.put(KEY, WITH_FEATURES, "a.mp4")
    assert cache.get(KEY, "a.mp4") is not None


def test_a_cache_that_cannot_be_written_only_warns(tmp_path: Path) -> None:
    warnings: list[str] = []
    place = tmp_path / "file"
    place.write_text("in the way")
    cache = make_cache(place / "cache", warnings)
    cache.put(KEY, SCORED, "a.mp4")
    cache.put(KEY, SCORED, "a.mp4")
    assert len(warnings) == 1
    assert "no longer cached" in warnings[0]


def plan_of(name: str, **more: Any) -> MetricPlan:
    options = {name: more.pop("options", {})}
    return choose([name], protocol=more.pop("protocol", "official"), options=options)[0][0]


@pytest.mark.usefixtures("trial_metrics")
def test_what_makes_a_key() -> None:
    request = Request(id="a", prompt="a dog", speech=(Turn("S01", "hello"),))
    key = plan_of("rates").key("c1", request)
    assert key == plan_of("rates").key("c1", replace(request, id="b", prompt="a cat"))  # not read by the metric
    assert key != plan_of("rates").key("c2", request)
    assert key != plan_of("rates").key("c1", replace(request, speech=(Turn("S01", "hallo"),)))
    assert key != plan_of("rates", protocol="direct").key("c1", request)
    trial = plan_of("trial").key("c1", request)
    assert trial != plan_of("trial", options={"shift": 1.0}).key("c1", request)
    assert trial == plan_of("trial", options={"sleep": 1.0}).key("c1", request)  # a machine option


@pytest.mark.usefixtures("trial_metrics")
def test_a_reference_file_counts_by_its_content(tmp_path: Path) -> None:
    for name, content in (("a.png", "x"), ("b.png", "x"), ("c.png", "y")):
        (tmp_path / name).write_text(content)
    plan = replace(plan_of("trial"), reads=("first_frame",))
    keys = [plan.key("c", Request(first_frame=str(tmp_path / name))) for name in ("a.png", "b.png", "c.png")]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.usefixtures("trial_metrics")
def test_another_run_takes_measurements_over(tmp_path: Path) -> None:
    benchmark = make_benchmark({"one": 3, "two": 2})
    matching = write_clips(tmp_path / "clips", benchmark, {"one-00": "bad", "one-01": "error"})
    metrics = ["trial", "rates", "variety"]
    told: list[Any] = []
    for parent in ("first", "second"):
        told.clear()
        score_clips(
            benchmark, matching, metrics=metrics, out=tmp_path / parent / "run", workers=0, on_event=told.append
        )
    started = next(event for event in told if isinstance(event, Started))
    assert (started.total, started.cached) == (15, 14)  # the unexpected error was not kept
    assert run_files(tmp_path / "first/run") == run_files(tmp_path / "second/run")
    features = [sorted((tmp_path / p / "run/features").iterdir()) for p in ("first", "second")]
    assert [f.read_bytes() for f in features[0]] == [f.read_bytes() for f in features[1]]


@pytest.mark.usefixtures("trial_metrics")
def test_a_run_without_cache_leaves_none(tmp_path: Path) -> None:
    benchmark = make_benchmark({"one": 2})
    matching = write_clips(tmp_path / "clips", benchmark)
    told: list[Any] = []
    for name in ("a", "b"):
        told.clear()
        score_clips(
            benchmark, matching, metrics=["trial"], out=tmp_path / name, workers=0, cache=False, on_event=told.append
        )
    assert next(event.cached for event in told if isinstance(event, Started)) == 0
    assert not [event for event in told if isinstance(event, Warned)]
    assert not (tmp_path / "cache" / "measurements").exists()


@pytest.mark.usefixtures("trial_metrics")
def test_clips_of_equal_content_share_a_measurement(tmp_path: Path) -> None:
    benchmark = make_benchmark({"one": 2})
    clip = tmp_path / "same.mp4"
    clip.write_text("clip of both")
    matching = TrialMatching({item.id: clip for item in benchmark.items})
    summary = score_clips(benchmark, matching, metrics=["trial"], out=tmp_path / "run", workers=0).summary
    interval = summary.scores[0].overall.interval
    assert interval is not None
    assert interval[0] == interval[1] == summary.scores[0].overall.value
