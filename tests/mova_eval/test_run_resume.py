"""Stop a run at any moment and start it again: the files end up byte for byte the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import run_support
from run_support import run_files

from mova_eval.runs import score_clips
from mova_eval.runs.events import Measured, Started

pytestmark = pytest.mark.usefixtures("trial_metrics")

PROGRAM = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    import run_support
    from mova_eval.runs import score_clips

    def main():
        tmp, cache, workers = Path(sys.argv[1]), sys.argv[2] == "cache", int(sys.argv[3])
        benchmark = run_support.make_benchmark({"one": 12, "two": 8})
        matching = run_support.write_clips(tmp / "clips", benchmark, {"one-03": "bad", "two-01": "skip"}, ["one-05"])
        outcome = score_clips(
            benchmark, matching, metrics=["trial", "rates", "variety"], options={"trial": {"sleep": 0.05}},
            out=tmp / "run", workers=workers, cache=cache, resamples=100,
            on_event=lambda event: print(type(event).__name__, flush=True))
        sys.exit(130 if outcome.interrupted else 0)

    if __name__ == "__main__":
        main()
    """
)


def start(tmp_path: Path, *, cache: bool = False, workers: int = 2) -> subprocess.Popen[bytes]:
    words = [str(tmp_path), "cache" if cache else "no-cache", str(workers)]
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *words], stdout=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> int:
    process.communicate(timeout=120)
    return process.returncode


def wait_for(process: subprocess.Popen[bytes], word: bytes, times: int = 1) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        times -= line.strip() == word
        if times == 0:
            return
    pytest.fail(f"the run ended before it said {word!r}")


def lines(run: Path) -> int:
    journal = run / "scores.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize("cache", [False, True])
def test_killed_at_random_moments(tmp_path: Path, cache: bool) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    assert finish(start(whole)) == 0
    killed = tmp_path / "killed"
    killed.mkdir()
    chance = random.Random(5)
    counts = []
    for _ in range(6):
        process = start(killed, cache=cache)
        time.sleep(chance.uniform(0.3, 2.2))
        process.kill()
        finish(process)
        counts.append(lines(killed / "run"))
    assert counts == sorted(counts)  # an acknowledged line is never lost
    assert finish(start(killed, cache=cache)) == 0
    assert run_files(whole / "run") == run_files(killed / "run")
    assert len(json.loads((killed / "run" / "summary.json").read_bytes())["scores"]) == 3


def test_killed_after_the_first_line(tmp_path: Path) -> None:
    process = start(tmp_path, workers=1)
    wait_for(process, b"Measured", 3)
    process.kill()
    finish(process)
    assert lines(tmp_path / "run") >= 3
    whole = tmp_path / "whole"
    whole.mkdir()
    assert finish(start(tmp_path)) == finish(start(whole)) == 0
    assert run_files(whole / "run") == run_files(tmp_path / "run")


@pytest.mark.parametrize("workers", [0, 2])
def test_interrupted_from_the_keyboard(tmp_path: Path, workers: int) -> None:
    process = start(tmp_path, workers=workers)
    wait_for(process, b"Measured", 3)
    process.send_signal(signal.SIGINT)
    assert finish(process) == 130
    summary = json.loads((tmp_path / "run" / "summary.json").read_bytes())
    assert not summary["complete"]
    overall = summary["scores"][0]["overall"]
    known = overall["n_scored"] + overall["n_not_applicable"] + overall["n_failed"]
    assert overall["reasons"]["pending"] == overall["n_expected"] - known > 0
    assert finish(start(tmp_path)) == 0
    whole = tmp_path / "whole"
    whole.mkdir()
    assert finish(start(whole)) == 0
    assert run_files(whole / "run") == run_files(tmp_path / "run")


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    process = start(tmp_path)
    wait_for(process, b"Measured")
    workers = children_of(process.pid)
    assert len(workers) == 2
    process.kill()
    finish(process)
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline, "a worker outlived its parent by ten seconds"
        time.sleep(0.05)


def children_of(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = status.read_text()
        except OSError:
            continue  # it has ended meanwhile
        if int(text.rpartition(")")[2].split()[1]) == pid:
            found.append(int(status.parent.name))
    return found


def test_a_finished_run_started_again_measures_nothing(tmp_path: Path) -> None:
    benchmark = run_support.make_benchmark({"one": 4})
    matching = run_support.write_clips(tmp_path / "clips", benchmark)
    told: list[object] = []
    for _ in range(2):
        told.clear()
        score_clips(
            benchmark, matching, metrics=["trial", "variety"], out=tmp_path / "run", cache=False, on_event=told.append
        )
    started = next(event for event in told if isinstance(event, Started))
    assert (started.total, started.done, started.cached, started.workers) == (8, 8, 0, 0)
    assert not [event for event in told if isinstance(event, Measured)]


def test_lost_features_are_measured_again(tmp_path: Path) -> None:
    benchmark = run_support.make_benchmark({"one": 4})
    matching = run_support.write_clips(tmp_path / "clips", benchmark)
    kept = []
    for _ in range(2):
        score_clips(benchmark, matching, metrics=["variety"], out=tmp_path / "run", cache=False, workers=0)
        feature = tmp_path / "run/features/one__one-02__variety.npz"
        kept.append((run_files(tmp_path / "run"), feature.read_bytes()))
        feature.unlink()
    assert kept[0] == kept[1]


def test_failures_are_measured_again_on_request(tmp_path: Path) -> None:
    benchmark = run_support.make_benchmark({"one": 2})
    clip = {"one-00": "error", "one-01": "bad"}
    matching = run_support.write_clips(tmp_path / "clips", benchmark, clip)
    measured = []
    for retry in (False, False, True):
        told: list[object] = []
        score_clips(
            benchmark,
            matching,
            metrics=["trial"],
            out=tmp_path / "run",
            workers=0,
            retry_failed=retry,
            on_event=told.append,
        )
        measured.append([event.item for event in told if isinstance(event, Measured)])
    assert measured == [["one-00", "one-01"], [], ["one-00"]]


def test_a_script_without_a_main_guard_can_use_workers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys
            from pathlib import Path
            import run_support
            from mova_eval.runs import score_clips
            tmp = Path(sys.argv[1])
            benchmark = run_support.make_benchmark({"one": 3})
            matching = run_support.write_clips(tmp / "clips", benchmark)
            print(score_clips(benchmark, matching, metrics=["trial"], out=tmp / "run", workers=2).summary.complete)
            """
        )
    )
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout == "True\n", done.stderr
