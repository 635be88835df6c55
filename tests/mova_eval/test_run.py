"""A run from clips to summary, and everything that may go wrong on the way."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import run_support
from run_support import make_benchmark, on_path, run_files, write_clips, write_distribution

import mova_eval
from metrics.errors import UserError
from mova_eval.runs import RunOutcome, score_clips
from mova_eval.runs import events as run_events

pytestmark = pytest.mark.usefixtures("trial_metrics")

BENCHMARK = make_benchmark({"one": 3, "two": 2})


def score(tmp_path: Path, *, run: str = "run", words: dict[str, str] | None = None, **more: Any) -> RunOutcome:
    matching = more.pop("matching", None) or write_clips(tmp_path / "clips", more.get("benchmark", BENCHMARK), words)
    benchmark = more.pop("benchmark", BENCHMARK)
    options = {"metrics": ["trial"], "workers": 0, **more}
    return score_clips(benchmark, matching, out=tmp_path / run, **options)


def records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("workers", [0, 2])
def test_run_directory_is_complete(tmp_path: Path, workers: int) -> None:
    outcome = score(tmp_path, metrics=["trial", "rates", "variety"], workers=workers)
    assert (outcome.n_failed, outcome.interrupted, outcome.summary.complete) == (0, False, True)
    run = mova_eval.load_run(outcome.run_dir)
    order = [(item.id, m) for item in BENCHMARK.items for m in ("trial", "rates", "variety")]
    assert [(r.item, r.metric) for r in run.records] == order
    assert [item.clip for item in run.items][:1] == ["clips/one/one-00.mp4"]
    link = outcome.run_dir / "clips/one/one-00.mp4"
    assert link.is_symlink()
    assert not os.path.isabs(os.readlink(link))
    assert link.read_text().startswith("clip ")
    assert len(list((outcome.run_dir / "features").glob("*__variety.npz"))) == 5
    assert len(run.timings) == 15


def test_numbers_of_the_summary(tmp_path: Path) -> None:
    run = mova_eval.load_run(score(tmp_path, metrics=["trial", "rates"]).run_dir)
    values = [r.scores["trial"] for r in run.records if r.metric == "trial"]
    assert run.score("trial").overall.value == pytest.approx(np.mean(values))
    pairs = np.array([r.counts["rate"] for r in run.records if r.metric == "rates"])
    rate = run.score("rate").overall
    assert rate.value == pytest.approx(pairs[:, 0].sum() / pairs[:, 1].sum())
    assert (rate.numerator, rate.denominator) == tuple(pairs.sum(axis=0))


def test_to_pandas_has_a_row_per_item_and_score(tmp_path: Path) -> None:
    run = mova_eval.load_run(score(tmp_path, words={"one-01": "skip", "two-00": "error"}).run_dir)
    table = run.to_pandas()
    assert list(table.columns[:8]) == ["item", "set", "category", "metric", "score", "value", "status", "reason"]
    assert list(table.status) == ["scored", "not_applicable", "scored", "failed", "scored"]
    assert math.isnan(table.value[1])
    assert table.reason[1] == "no face in the picture"
    assert table.code[3] == "error"


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_clip_costs_one_row(tmp_path: Path, workers: int) -> None:
    words = {"one-00": "bad", "one-01": "error", "two-00": "skip", "two-01": "stranger"}
    outcome = score(tmp_path, words=words, workers=workers)
    found = {r["item"]: (r["status"], r.get("code")) for r in records(outcome.run_dir)}
    assert found == {
        "one-00": ("failed", "undecodable_video"),
        "one-01": ("failed", "error"),
        "one-02": ("scored", None),
        "two-00": ("not_applicable", "no_face"),
        "two-01": ("failed", "error"),
    }
    overall = outcome.summary.scores[0].overall
    assert (overall.n_expected, overall.n_scored, overall.n_not_applicable, overall.n_failed) == (5, 1, 1, 3)
    assert overall.reasons == {"error": 2, "no_face": 1, "undecodable_video": 1}
    assert overall.compat == pytest.approx((overall.value or 0) / 4)  # failed clips count 0, skipped ones do not


@pytest.mark.parametrize(("word", "ending"), [("die", "SIGKILL"), ("exit", "exit code 7")])
def test_a_dead_worker_costs_one_row(tmp_path: Path, word: str, ending: str) -> None:
    told: list[run_events.Event] = []
    words = {"one-01": word, "two-00": word}
    outcome = score(tmp_path, words=words, metrics=["trial", "variety"], workers=2, on_event=told.append)
    failed = [(r["item"], r["metric"], r["code"]) for r in records(outcome.run_dir) if r["status"] == "failed"]
    assert failed == [("one-01", "trial", "worker_died"), ("two-00", "trial", "worker_died")]
    died = [event for event in told if isinstance(event, run_events.WorkerDied)]
    assert len(died) == 2
    assert ending in died[0].reason
    assert outcome.summary.complete


def test_a_measurement_that_takes_too_long(tmp_path: Path) -> None:
    outcome = score(tmp_path, words={"one-01": "hang"}, metrics=["trial", "variety"], workers=1, timeout=1.0)
    failed = [r for r in records(outcome.run_dir) if r["status"] == "failed"]
    assert [(r["item"], r["metric"], r["code"], r["reason"]) for r in failed] == [
        ("one-01", "trial", "timeout", "trial took longer than 1 s")
    ]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_user_error_inside_a_metric_ends_the_run(tmp_path: Path, workers: int) -> None:
    with pytest.raises(UserError, match="needs a licence file"):
        score(tmp_path, words={"two-01": "user"}, workers=workers)
    done = {r["item"] for r in records(tmp_path / "run")}
    assert "two-01" not in done
    assert done  # what was finished before is kept


def test_networks_that_cannot_be_loaded_fail_their_metric_only(tmp_path: Path) -> None:
    outcome = score(tmp_path, metrics=["unloadable", "trial"], workers=1)
    codes = {(r["metric"], r["status"], r.get("code")) for r in records(outcome.run_dir)}
    assert codes == {("unloadable", "failed", "load_error"), ("trial", "scored", None)}
    assert "PytorchStreamReader failed" in next(r["reason"] for r in records(outcome.run_dir) if "reason" in r)


def test_a_metric_that_always_kills_its_worker_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="while loading heavyweight"):
        score(tmp_path, metrics=["heavyweight"], workers=1)


def test_items_without_clip_are_failed_with_their_own_code(tmp_path: Path) -> None:
    silent = replace(BENCHMARK.items[0], speech=())
    benchmark = replace(BENCHMARK, items=(silent, *BENCHMARK.items[1:]))
    matching = write_clips(tmp_path / "clips", benchmark, skip=["one-00", "two-01"])
    outcome = score(tmp_path, benchmark=benchmark, matching=matching, metrics=["trial", "rates"])
    summary = outcome.summary
    assert summary.missing_clips == ["one-00", "two-01"]
    trial, rate = (score.overall for score in summary.scores)
    assert trial.reasons == {"no_clip": 2}
    assert rate.reasons == {"no_clip": 1, "no_speech": 1}  # without speech a clip would not have helped
    assert outcome.n_failed == 3
    # A clip that turns up later is measured, and only such a one.
    told: list[run_events.Event] = []
    score(tmp_path, benchmark=benchmark, metrics=["trial", "rates"], on_event=told.append)
    assert [e.item for e in told if isinstance(e, run_events.Measured)] == ["one-00"] * 2 + ["two-01"] * 2


def test_a_changed_clip_is_measured_again(tmp_path: Path) -> None:
    score(tmp_path)
    before = records(tmp_path / "run")
    clip = tmp_path / "clips" / "one-01.mp4"
    clip.write_text("clip of another take")
    matching = run_support.TrialMatching({i.id: tmp_path / "clips" / f"{i.id}.mp4" for i in BENCHMARK.items})
    score(tmp_path, matching=matching)
    after = records(tmp_path / "run")
    assert [a["item"] for a, b in zip(after, before, strict=True) if a != b] == ["one-01"]


def test_other_parameters_are_refused(tmp_path: Path) -> None:
    score(tmp_path)
    with pytest.raises(UserError, match=r"trial parameters shift was 0\.0 and is now 0\.5.*another --out"):
        score(tmp_path, options={"trial": {"shift": 0.5}})
    with pytest.raises(UserError, match="did not measure rates"):
        score(tmp_path, metrics=["trial", "rates"])
    with pytest.raises(UserError, match="content_sha256"):
        score(tmp_path, benchmark=replace(BENCHMARK, content_sha256="1" * 64))
    with pytest.raises(UserError, match="protocol was official and is now direct"):
        score(tmp_path, protocol="direct")
    renamed = replace(BENCHMARK, items=(replace(BENCHMARK.items[0], id="one-09"), *BENCHMARK.items[1:]))
    with pytest.raises(UserError, match=r"other items \(such as one-00\)"):
        score(tmp_path, benchmark=renamed)
    score(tmp_path, options={"trial": {"sleep": 0.001}})  # a machine option changes no number


def test_required_metrics_are_checked_before_any_work(tmp_path: Path) -> None:
    module = tmp_path / "site" / "needy_metric.py"
    module.write_text(
        textwrap.dedent(
            """
            from trial_metrics import Trial
            class Needy(Trial):
                name = "needy"
                packages = ("a_package_nobody_has",)
            """
        )
    )
    write_distribution(tmp_path / "site", "needy", {"needy": "needy_metric:Needy"})
    run_support.registry.refresh()
    with pytest.raises(UserError, match=r"required metric needy cannot run: .*a_package_nobody_has"):
        score(tmp_path, require=["needy"])
    assert not (tmp_path / "run").exists()
    outcome = score(tmp_path, metrics=["trial", "needy"])
    assert [gap.metric for gap in outcome.summary.not_run] == ["needy"]
    with pytest.raises(UserError, match="no metric can run"):
        score(tmp_path, run="other", metrics=["needy"])


def test_two_processes_cannot_write_one_run(tmp_path: Path) -> None:
    score(tmp_path)
    code = textwrap.dedent(
        f"""
        import time
        from pathlib import Path
        from mova_eval.runs.lock import RunLock
        with RunLock(Path({str(tmp_path / "run" / ".lock")!r})):
            print("held", flush=True)
            time.sleep(600)
        """
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match=rf"is being written by process {holder.pid} on "):
            score(tmp_path)
    finally:
        holder.kill()
        holder.communicate()
    score(tmp_path)  # a lock whose holder was killed does not block


def test_another_distribution_s_corpus_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric written from the documentation alone, class probabilities to inception score, in worker processes."""
    plugin = tmp_path / "plugin"
    plugin.mkdir()
    (plugin / "my_metric.py").write_text(
        textwrap.dedent(
            """
            import numpy as np
            from metrics import Measurement, Metric, ScoreSpec

            class MyInception(Metric):
                name = "my_inception"
                title = "Inception score of bytes"
                scores = (ScoreSpec("my_is", "IS", "higher", "", (1.0, None), "mine", aggregation="corpus"),)

                def compute(self, clip, request):
                    counts = np.bincount(np.frombuffer(clip.path.read_bytes(), np.uint8) % 7, minlength=7) + 1.0
                    return Measurement(self.name, "scored", features={"p": counts / counts.sum()})

                def summarise(self, features):
                    p = np.stack([f.arrays["p"] for f in features])
                    return {"my_is": float(np.exp((p * np.log(p / p.mean(0))).sum(1).mean()))}
            """
        )
    )
    write_distribution(plugin, "my_metrics", {"my_inception": "my_metric:MyInception"})
    on_path(monkeypatch, plugin)
    outcome = score(tmp_path, metrics=["my_inception"], workers=2, resamples=200)
    run = mova_eval.load_run(outcome.run_dir)
    assert run.manifest.metrics[0].origin == "my_metrics"
    content = [np.frombuffer((tmp_path / "clips" / f"{i.id}.mp4").read_bytes(), np.uint8) for i in BENCHMARK.items]
    p = np.stack([(np.bincount(c % 7, minlength=7) + 1.0) / (len(c) + 7) for c in content])
    expected = np.exp(np.mean(np.sum(p * (np.log(p) - np.log(p.mean(axis=0))), axis=1)))
    overall = run.score("my_is").overall
    assert overall.value == pytest.approx(expected)
    assert overall.interval is not None
    assert overall.interval[0] < overall.interval[1]


def test_no_space_left_keeps_what_is_measured(tmp_path: Path) -> None:
    """The file size limit of the process stands for a full disk: the write is refused with an OSError."""
    undisturbed = score(tmp_path / "a", cache=False)
    code = textwrap.dedent(
        """
        import resource, sys
        from pathlib import Path
        import run_support
        from metrics.errors import UserError
        from mova_eval.runs import score_clips
        tmp, limit = Path(sys.argv[1]), int(sys.argv[2])
        benchmark = run_support.make_benchmark({"one": 3, "two": 2})
        matching = run_support.write_clips(tmp / "clips", benchmark)
        (tmp / "run").mkdir()
        (tmp / "run" / "timings.jsonl").symlink_to("/dev/null")
        def tighten(event):
            if type(event).__name__ == "Started":
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            score_clips(benchmark, matching, metrics=["trial"], workers=0, out=tmp / "run", cache=False,
                        on_event=tighten)
        except UserError as error:
            print(error)
        """
    )
    line = len((undisturbed.run_dir / "scores.jsonl").read_bytes().splitlines()[0]) + 1
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "b"), str(2 * line + 10)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "cannot write" in done.stdout
    assert "File too large" in done.stdout
    assert [r["item"] for r in records(tmp_path / "b" / "run")] == ["one-00", "one-01"]
    (tmp_path / "b" / "run" / "timings.jsonl").unlink()
    score(tmp_path / "b", cache=False)
    assert run_files(tmp_path / "a" / "run") == run_files(tmp_path / "b" / "run")


def test_a_full_file_system(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        benchmark = make_benchmark({"one": 60})
        matching = write_clips(tmp_path / "clips", benchmark)
        with pytest.raises(UserError, match="No space left on device"):
            score(tmp_path, run="small/run", benchmark=benchmark, matching=matching, metrics=["trial", "rates"])
        assert all(r["status"] for r in records(small / "run"))  # the journal reads, whatever was written
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_read_only_output_folder(tmp_path: Path) -> None:
    """A file system that refuses to be written, which holds for root, too."""
    shut = tmp_path / "shut"
    shut.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", str(shut)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a read-only file system is not allowed here")
    try:
        with pytest.raises(UserError, match=r"cannot write .*Read-only file system"):
            score(tmp_path, run="shut/run")
    finally:
        subprocess.run(["umount", str(shut)], check=True)


def test_an_output_place_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("not a directory")
    with pytest.raises(UserError, match="cannot write"):
        score(tmp_path)


def test_load_run_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a run"):
        mova_eval.load_run(tmp_path)


def test_a_moved_run_can_be_loaded(tmp_path: Path) -> None:
    score(tmp_path, metrics=["trial", "variety"])
    shutil.move(tmp_path / "run", tmp_path / "elsewhere")
    assert mova_eval.load_run(tmp_path / "elsewhere").score("variety").overall.n_scored == 5
