"""The noise floor: repeats of the same evaluation, and runs of other seeds."""

from __future__ import annotations

from pathlib import Path

import pytest
import run_support
from compare_runs import typical, write_run

from metrics.errors import UserError
from mova_eval.noise import Noise, floors_of, measure_noise
from mova_eval.runs import score_clips


def test_repeats_of_a_steady_metric_have_no_noise_and_are_kept(tmp_path: Path, trial_metrics: None) -> None:
    benchmark = run_support.make_benchmark({"one": 4, "two": 3})
    matching = run_support.write_clips(tmp_path / "clips", benchmark)
    out = tmp_path / "run"
    score_clips(
        benchmark, matching, metrics=["trial", "variety"], options={"trial": {"shift": 0.25}}, out=out, workers=0
    )
    found = measure_noise([out], repeat=2, workers=1)
    assert found.evaluation is not None
    assert found.evaluation.scores["trial"].sd == 0.0
    assert len(found.evaluation.scores["trial"].values) == 3
    assert (out / "noise" / "repeat-2" / "summary.json").exists()
    assert found.notes == []
    assert floors_of([out]) == {"trial": 0.0, "variety": 0.0}
    assert measure_noise([out], repeat=2, workers=1) == found  # goes on with what is there


def test_seeds_have_the_spread_of_their_numbers(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / str(seed), typical(seed)) for seed in range(0, 50, 10)]
    found = measure_noise(runs)
    assert found.generation is not None
    told = found.generation.scores["lse_d"]
    assert len(told.values) == 5
    assert told.floor == pytest.approx(2.7764451 * 2**0.5 * told.sd)
    assert Noise.model_validate_json((runs[0] / "noise.json").read_bytes()) == found


def test_what_is_no_noise_is_refused(tmp_path: Path) -> None:
    one = write_run(tmp_path / "a", typical(1))
    with pytest.raises(UserError, match="one evaluation has no noise"):
        measure_noise([one])
    other = write_run(tmp_path / "b", typical(2), model="Ovi")
    with pytest.raises(UserError, match="noise is what differs between runs of one model"):
        measure_noise([one, other])
    with pytest.raises(UserError, match="protocol"):
        measure_noise([one, write_run(tmp_path / "c", typical(2), protocol="direct")])
    with pytest.raises(UserError, match=r"clip .* is gone"):
        measure_noise([one], repeat=2)
