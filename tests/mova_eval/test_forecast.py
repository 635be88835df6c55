"""What a run will take, learnt from earlier runs; and what of it fits into a budget."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_support import TrialBenchmark, make_benchmark, write_clips
from support import make_clip
from typer.testing import CliRunner

from metrics.errors import UserError
from mova_eval.cli import commands
from mova_eval.cli.app import app
from mova_eval.runs import forecast as module
from mova_eval.runs import score_clips
from mova_eval.runs.forecast import duration, forecast, seconds_of, stratified, within_budget
from mova_eval.runs.plan import choose
from mova_eval.runs.rates import Rate, Rates, Spread, film_seconds, key_of, shipped
from mova_eval.statistics import generator, mean_of_means_interval, pooled_mean_interval

assert commands


@pytest.fixture
def benchmark() -> TrialBenchmark:
    return make_benchmark({"one": 12, "two": 6})


def plans_of(*names: str, **options: Any) -> Any:
    return choose(list(names), protocol="official", options=options)


@pytest.fixture
def film(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every clip is 5 s long, though the files of trial runs are no films."""
    monkeypatch.setattr("mova_eval.runs.rates.film_seconds", lambda clips: 5.0)
    monkeypatch.setattr(module, "film_seconds", lambda clips: 5.0)


@pytest.mark.usefixtures("trial_metrics", "film")
def test_a_run_teaches_what_the_next_one_takes(tmp_path: Path, benchmark: TrialBenchmark) -> None:
    matching = write_clips(tmp_path / "clips", benchmark, {"one-00": "bad", "one-01": "skip"})
    options = {"trial": {"sleep": 0.02}}
    score_clips(benchmark, matching, out=tmp_path / "run", metrics=["trial", "rates"], options=options, workers=0)
    plans, _ = plans_of("trial", "rates", trial=options["trial"])
    rate = Rates().of(plans[0], "cpu")
    assert rate is not None
    assert rate.clips == 16  # what had no score taught nothing
    assert rate.per_film_second == pytest.approx(0.02 / 5, rel=0.5)
    other = make_benchmark({"one": 12, "two": 6, "three": 10})
    more = write_clips(tmp_path / "more", other)
    found = forecast(other, more, plans, [], out=tmp_path / "run", workers=2, device="cpu", options=options)
    trial = found.metrics[0]
    assert (trial.clips, trial.known, trial.to_measure) == (28, 16, 12)  # by content: two clips read otherwise now
    assert trial.seconds == pytest.approx(12 * 5 * rate.per_film_second)
    assert found.seconds == pytest.approx(sum(row.seconds or 0 for row in found.metrics) / 2)
    fresh = forecast(
        other, more, plans, [], out=tmp_path / "none", workers=2, device="cpu", options=options, cache=False
    )
    assert fresh.metrics[0].to_measure == 28
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("trial_metrics", "film")
def test_a_finished_or_cached_run_teaches_nothing(tmp_path: Path, benchmark: TrialBenchmark) -> None:
    matching = write_clips(tmp_path / "clips", benchmark)
    for run in ("run", "run", "other"):
        score_clips(benchmark, matching, out=tmp_path / run, metrics=["trial"], workers=0)
    (rate,) = Rates().known.values()
    assert rate.clips == 18


def test_rates_survive_damage(tmp_path: Path) -> None:
    path = tmp_path / "rates.json"
    assert Rates(path).known == {}
    for content in ("", "[]", '{"a": {}}', '{"a": 1}'):
        path.write_text(content)
        assert Rates(path).known == {}
    assert all(rate.film > 0 and "machine" in rate.origin for rate in shipped().values())


@pytest.mark.usefixtures("trial_metrics")
def test_old_clips_fade(tmp_path: Path) -> None:
    (plan,), _ = plans_of("trial")
    rates = Rates(tmp_path / "rates.json")
    for _ in range(6):
        rates.add(plan, "cpu", [(1.0, {"trial": 0.5})] * 1000, 5.0)
    for _ in range(6):
        rates.add(plan, "cpu", [(3.0, {"trial": 0.5})] * 1000, 5.0)
    rates.save()
    kept = Rates(tmp_path / "rates.json").known[key_of(plan, "cpu")]
    assert kept.per_film_second > 2.5 / 5


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=30))
def test_deviation(values: list[float]) -> None:
    spread = Spread()
    for value in values:
        spread.add(value)
    assert spread.deviation == pytest.approx(np.std(values, ddof=1), abs=1e-4)


def known_rates(tmp_path: Path, seconds: dict[str, float], deviation: float = 0.2) -> Rates:
    """Seconds per clip of 5 s; every score scatters by the same."""
    rates = Rates(tmp_path / "none.json")
    plans, _ = plans_of(*seconds)
    spread = Spread(1000.0, 500.0, 1000 * (0.25 + deviation**2 * 0.999))
    for plan in plans:
        spreads = dict.fromkeys(plan.ref.scores, spread)
        rates.known[key_of(plan, "cpu")] = Rate(10, 10 * seconds[plan.name], 50.0, spreads)
    return rates


@pytest.mark.usefixtures("trial_metrics", "film")
def test_a_budget_takes_an_equal_share_of_each_set(tmp_path: Path, benchmark: TrialBenchmark) -> None:
    matching = write_clips(tmp_path / "clips", benchmark, skip=["one-03"])
    rates = known_rates(tmp_path, {"trial": 2.0, "rates": 1.0})
    plans, _ = plans_of("trial", "rates")
    settings: dict[str, Any] = {"workers": 2, "device": "cpu", "protocol": "official", "rates": rates}
    choice = within_budget(benchmark, matching, plans, budget=20.0, **settings)
    assert len(choice.items) == 13
    assert choice.seconds == pytest.approx(19.5)
    assert choice.metrics == ("trial", "rates")
    assert "one-03" not in choice.items
    assert sum(name.startswith("two") for name in choice.items) in {4, 5}
    widths = {width.score: width for width in choice.widths}
    assert widths["trial"].half_width == pytest.approx(1.96 * 0.2 / math.sqrt(13), rel=0.01)
    assert widths["trial"].times == pytest.approx(math.sqrt(17 / 13))
    everything = within_budget(benchmark, matching, plans, budget=1000.0, **settings)
    assert len(everything.items) == 17
    assert {width.times for width in everything.widths} == {1.0}


@pytest.mark.usefixtures("trial_metrics", "film")
def test_what_is_too_expensive_goes_first(tmp_path: Path, benchmark: TrialBenchmark) -> None:
    matching = write_clips(tmp_path / "clips", benchmark)
    rates = known_rates(tmp_path, {"trial": 100.0, "rates": 1.0})
    plans, _ = plans_of("trial", "rates")
    settings: dict[str, Any] = {"workers": 1, "device": "cpu", "protocol": "official", "rates": rates}
    choice = within_budget(benchmark, matching, plans, budget=20.0, **settings)
    assert choice.metrics == ("rates",)
    assert choice.dropped == {"trial": "100.0 s a clip do not fit into the budget with 12 items"}
    with pytest.raises(UserError, match=r"not even rates on 12 clips fits; it takes about 12 s"):
        within_budget(benchmark, matching, plans, budget=5.0, **settings)
    with pytest.raises(UserError, match="variety was never timed on this machine"):
        within_budget(benchmark, matching, plans_of("variety")[0], budget=5.0, **settings)


@given(
    sizes=st.dictionaries(st.sampled_from("abcd"), st.integers(1, 30), min_size=1),
    counts=st.tuples(st.integers(0, 60), st.integers(0, 60)),
)
def test_subsets_are_stratified_and_nested_in_each_set(sizes: dict[str, int], counts: tuple[int, int]) -> None:
    items = [(f"{set_}{i}", set_) for set_, n in sizes.items() for i in range(n)]
    small, large = sorted(counts)
    chosen = stratified(items, small)
    assert len(chosen) == min(small, len(items))
    assert chosen == [name for name, _ in items if name in set(chosen)]
    for set_, n in sizes.items():
        taken = sum(name.startswith(set_) for name in chosen)
        if small >= len(sizes):
            assert abs(taken - n * min(small, len(items)) / len(items)) <= max(1.0, len(sizes) / 2)
        more = {name for name in stratified(items, large) if name.startswith(set_)}
        if len(more) >= taken:
            assert {name for name in chosen if name.startswith(set_)} <= more


@pytest.mark.parametrize("kind", ["pooled", "mean_of_sets"])
def test_the_width_is_that_of_the_bootstrap(kind: str) -> None:
    rng = np.random.default_rng(5)
    groups = [rng.normal(size=n) for n in (60, 80, 40)]
    sets = [name for name, group in zip("abc", groups, strict=True) for _ in group]
    of = pooled_mean_interval if kind == "pooled" else mean_of_means_interval
    found = of(groups, generator(0, "x"))
    assert found is not None
    assert module._Z95 * module._error(sets, kind, None) == pytest.approx((found[1] - found[0]) / 2, rel=0.12)


@pytest.mark.parametrize(
    ("text", "seconds"), [("2h", 7200), ("45m", 2700), ("90s", 90), ("1h30m", 5400), ("1.5 h", 5400), ("10min", 600)]
)
def test_times(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "two hours", "h", "0m", "-1h", "3d"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UserError, match="--budget"):
        seconds_of(text)


def test_times_for_people() -> None:
    assert [duration(s) for s in (0.4, 40, 720, 12000)] == ["0 s", "40 s", "12 min", "3 h 20 min"]


def test_film_seconds(tiny_clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("no film")
    assert film_seconds([broken]) is None
    assert film_seconds([broken, tiny_clip]) == pytest.approx(1.0, abs=0.1)


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From nothing known to a plan, a run within a budget, and a plan of what is left."""
    monkeypatch.setenv("MOVA_EVAL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "clips").mkdir()
    for name in ("m01", "m09", "m13"):
        make_clip(tmp_path / "clips" / f"{name}.mp4")
    common = [str(tmp_path / "clips"), "--benchmark", "mini", "--present", "--metrics", "loudness,lip_sync"]
    out = ["--out", str(tmp_path / "run"), "--workers", "1"]

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments), standalone_mode=False)
        assert result.exception is None, result.exception
        assert result.return_value == 0
        return result.output

    told = run("plan", *common, *out, "--json")
    plan = json.loads(told[told.index("{") :])
    assert plan["metrics"][0]["to_measure"] == 3
    assert [each["name"] for each in plan["downloads"]] == ["syncnet-v2", "s3fd"]
    assert not (tmp_path / "run").exists()
    told = run("score", *common, *out, "--no-report", "--budget", "1m")
    assert "--budget 1m: 3 of 3 clips, loudness" in told
    again = run("score", *common, *out, "--dry-run")
    assert "mova-eval weights fetch syncnet-v2 s3fd" in again
    assert [line.split()[:3] for line in again.splitlines() if line.startswith("loudness")] == [["loudness", "0", "3"]]
