"""The main job: clips made, measured and summed up in one call, killed at any moment and continued."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from generator_support import collector, lasting, ledger, smoke
from run_support import run_files

from metrics.errors import UserError
from mova_eval.generators import make
from mova_eval.generators.running import run_benchmark
from mova_eval.reports import write_reports
from mova_eval.runs import load_run
from mova_eval.runs.events import ClipMade, Finished, MakingStarted, Measured, Started

pytestmark = pytest.mark.usefixtures("trial_generator", "trial_metrics")

PROGRAM = """
import sys
from pathlib import Path
from generator_support import smoke
from mova_eval.generators import make
from mova_eval.generators.running import run_benchmark

def main():
    trial = make("trial", {"sleep": 0.1, "how": "m09=error,m13=error:1"})
    made, scored = run_benchmark(
        smoke(), trial, out=Path(sys.argv[1]), making={"workers": 2, "retries": 1},
        scoring={"metrics": ["trial", "rates", "variety"], "options": {"trial": {"sleep": 0.05}}, "workers": 1,
                 "cache": False, "resamples": 100},
        on_event=lambda event: print(type(event).__name__, flush=True))
    sys.exit(130 if scored is None or scored.interrupted else 0)

if __name__ == "__main__":
    main()
"""


def run(out: Path, ids: str = "m01,m05", *, scoring: dict[str, Any] | None = None, **settings: Any) -> Any:
    measure = {"metrics": ["trial", "rates"], "workers": 0, "cache": False, "resamples": 100, **(scoring or {})}
    return run_benchmark(
        smoke(ids), make("trial", settings), out=out, making={"workers": 0, "retries": 0}, scoring=measure
    )


def test_one_call_from_prompts_to_report(tmp_path: Path) -> None:
    told, on_event = collector()
    made, scored = run_benchmark(
        smoke("m01,m05"), make("trial"), out=tmp_path / "run", making={"workers": 0}, on_event=on_event,
        scoring={"metrics": ["trial", "rates"], "workers": 0, "cache": False, "resamples": 100},
    )  # fmt: skip
    assert scored is not None
    assert scored.summary.complete
    assert [type(e) for e in told if isinstance(e, MakingStarted | Started | Finished)] == [
        MakingStarted,
        Started,
        Finished,
    ]
    manifest = load_run(tmp_path / "run").manifest
    assert manifest.generator == made.reference
    assert manifest.generator.caveats == ["the clips are noise"]
    items = load_run(tmp_path / "run").items
    assert [item.clip for item in items] == ["clips/speech-en/m01.mp4", "clips/speech-zh/m05.mp4"]
    assert not (tmp_path / "run/making").exists()
    for path in write_reports(tmp_path / "run"):
        text = path.read_text()
        assert "the clips are noise" in text
        assert "0.54 s, 13 frames at 24 per second, 64x48" in text
        assert "2 of 2 lines are too long to be said in 0.54 s" in text
        assert "42 for every item" in text


def test_started_again_it_does_nothing(tmp_path: Path) -> None:
    run(tmp_path / "run")
    before = run_files(tmp_path / "run"), lasting(tmp_path / "run")
    told, on_event = collector()
    run_benchmark(
        smoke("m01,m05"), make("trial"), out=tmp_path / "run", making={"workers": 0, "retries": 0}, on_event=on_event,
        scoring={"metrics": ["trial", "rates"], "workers": 0, "cache": False, "resamples": 100},
    )  # fmt: skip
    assert not [event for event in told if isinstance(event, ClipMade | Measured)]
    assert (run_files(tmp_path / "run"), lasting(tmp_path / "run")) == before


def test_why_a_clip_is_missing_stands_in_the_journal(tmp_path: Path) -> None:
    made, scored = run(tmp_path / "run", how="m05=error")
    assert made.failed == {"m05": "the trial went wrong"}
    reasons = {(r.item, r.metric): r.reason for r in load_run(tmp_path / "run").records if r.status == "failed"}
    assert reasons["m05", "trial"] == "there is no clip of item m05: the trial went wrong"
    assert scored.summary.missing_clips == ["m05"]
    _, again = run(tmp_path / "run")
    assert not again.summary.missing_clips


def test_metrics_are_chosen_before_clips_are_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no metric or score is called 'nonsense'"):
        run(tmp_path / "run", scoring={"metrics": ["nonsense"]})
    assert not (tmp_path / "run").exists()


def test_clips_made_first_are_measured_later(tmp_path: Path) -> None:
    from generator_support import generate

    generate(tmp_path / "run", "m01,m05")
    _, scored = run(tmp_path / "run")
    whole = tmp_path / "whole"
    run(whole / "run")
    assert scored.summary.complete
    assert run_files(tmp_path / "run") == run_files(whole / "run")
    assert len(ledger(tmp_path / "run")) == 2


def start(out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(out)], stdout=subprocess.PIPE)


def wait_for(process: subprocess.Popen[bytes], word: bytes, times: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        times -= line.strip() == word
        if times == 0:
            return
    pytest.fail(f"the run ended before it said {word!r}")


def whole_run(folder: Path) -> Path:
    process = start(folder / "run")
    process.communicate(timeout=120)
    assert process.returncode == 0
    return folder / "run"


_WHOLE: list[Path] = []


@pytest.fixture
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody disturbed; made once."""
    if not _WHOLE:
        _WHOLE.append(whole_run(tmp_path_factory.mktemp("whole")))
    return _WHOLE[0]


def assert_same(one: Path, other: Path) -> None:
    assert lasting(one) == lasting(other)
    assert run_files(one) == run_files(other)
    kept = [path.relative_to(other) for path in (other / "making").rglob("*") if path.is_file()]
    assert {path.parent.name for path in kept} == {"m09"}  # of clips that failed, what they left is kept


@pytest.mark.parametrize(("word", "times"), [(b"ClipMade", 2), (b"Measured", 5)])
def test_killed_in_either_phase(tmp_path: Path, whole: Path, word: bytes, times: int) -> None:
    process = start(tmp_path / "killed/run")
    wait_for(process, word, times)
    process.kill()
    process.communicate()
    assert_same(whole, whole_run(tmp_path / "killed"))


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path, whole: Path) -> None:
    chance, lines = random.Random(7), []
    for _ in range(6):
        process = start(tmp_path / "killed/run")
        time.sleep(chance.uniform(0.3, 3.0))
        process.kill()
        process.communicate()
        journal = tmp_path / "killed/run/generation.jsonl"
        lines.append(journal.read_bytes().count(b'"state":"ok"') if journal.exists() else 0)
    assert lines == sorted(lines)  # a clip once written down is not lost, nor made again
    assert_same(whole, whole_run(tmp_path / "killed"))
    made = [record.item for record in ledger(tmp_path / "killed/run") if record.state == "ok"]
    assert sorted(made) == sorted(set(made))


def test_a_finished_clip_that_nobody_wrote_down_is_not_made_again(tmp_path: Path) -> None:
    """The worker has left its result; the run ended before, or just after, the clip went to its place."""
    from generator_support import generate

    outcome = generate(tmp_path / "run", "m01")
    record = ledger(tmp_path / "run")[0]
    for moved in (False, True):
        (tmp_path / "run/generation.jsonl").write_bytes(b"")
        scratch = tmp_path / "run/making/speech-en/m01"
        scratch.mkdir(parents=True)
        result = {"digest": record.request_sha256, "number": 1, "seconds": 1.0, "clip_sha256": record.clip_sha256}
        (scratch / "result.json").write_text(json.dumps(result))
        (scratch / "request").write_text(record.request_sha256)
        if not moved:
            outcome.clips["m01"].replace(scratch / "clip.mp4")
        generate(tmp_path / "run", "m01", how="m01=error", missing=True, retries=0)
        assert [line.state for line in ledger(tmp_path / "run")] == ["ok"]
        assert not (tmp_path / "run/making").exists()


def test_interrupted_from_the_keyboard(tmp_path: Path, whole: Path) -> None:
    process = start(tmp_path / "killed/run")
    wait_for(process, b"ClipMade", 1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not (tmp_path / "killed/run/run.json").exists()
    assert_same(whole, whole_run(tmp_path / "killed"))
