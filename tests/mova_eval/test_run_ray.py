"""The executor `ray`: the same run as with local workers, whatever happens to its actors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from run_support import make_benchmark, run_files, write_clips

from metrics.errors import UserError
from mova_eval.runs import load_run, score_clips

pytestmark = [pytest.mark.usefixtures("trial_metrics"), pytest.mark.xdist_group("ray")]


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    """A cluster of this machine, gone afterwards."""
    ray = pytest.importorskip("ray", reason="ray is not installed")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def test_ray_gives_the_same_run_and_survives_dead_and_slow_actors(tmp_path: Path) -> None:
    benchmark = make_benchmark({"one": 3, "two": 2})
    words = {"one-01": "die", "two-00": "hang"}
    matching = write_clips(tmp_path / "clips", benchmark, words)
    for executor in ("ray", "local"):
        score_clips(
            benchmark,
            matching,
            metrics=["trial", "variety"],
            out=tmp_path / executor / "run",
            workers=2,
            timeout=2.0,
            executor=executor,
            cache=False,
        )
    codes = {(r.item, r.metric): r.code for r in load_run(tmp_path / "ray" / "run").records if r.status == "failed"}
    assert codes == {("one-01", "trial"): "worker_died", ("two-00", "trial"): "timeout"}
    ours, theirs = (run_files(tmp_path / name / "run", ["scores.jsonl"])["scores.jsonl"] for name in ("ray", "local"))
    differing = [pair for pair in zip(ours.splitlines(), theirs.splitlines(), strict=True) if pair[0] != pair[1]]
    assert len(differing) == 1  # how the actor died is said in other words
    assert b"worker_died" in differing[0][0]


def test_a_user_error_ends_the_run_and_workers_default_to_the_cluster(tmp_path: Path) -> None:
    benchmark = make_benchmark({"one": 4})
    matching = write_clips(tmp_path / "clips", benchmark, {"one-03": "user"})
    with pytest.raises(UserError, match="needs a licence file"):
        score_clips(benchmark, matching, metrics=["trial"], out=tmp_path / "run", executor="ray")


def test_an_unknown_executor_is_a_user_error(tmp_path: Path) -> None:
    benchmark = make_benchmark({"one": 1})
    matching = write_clips(tmp_path / "clips", benchmark)
    with pytest.raises(UserError, match="no executor is called 'slurm'; known: local, ray"):
        score_clips(benchmark, matching, out=tmp_path / "run", executor="slurm")


def test_a_cluster_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last test: it leaves the cluster of the others."""
    import ray

    from mova_eval.runs.ray_workers import connect

    ray.shutdown()
    monkeypatch.setenv("RAY_ADDRESS", "nowhere-at-all")
    with pytest.raises(UserError, match="the Ray cluster at nowhere-at-all cannot be used"):
        connect()
