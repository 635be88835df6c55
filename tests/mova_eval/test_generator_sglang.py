"""The `sglang` generator against a server that speaks its protocol over real HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from generator_support import ledger, smoke
from run_support import TESTS
from video_service import VideoService

from metrics.errors import UserError
from mova_eval.generators import GenerationOutcome, PlanOptions, generate_clips, make

QUICK = PlanOptions(duration=0.5)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[VideoService]:
    with VideoService(tmp_path / "service") as running:
        yield running


def run(
    service: VideoService, out: Path, ids: str = "m01", plan: PlanOptions = QUICK, **more: Any
) -> GenerationOutcome:
    settings = {"server": [service.address], "model": "tiny", "size": "64x48", "poll": 0.01, "patience": 0.5}
    call = {name: more.pop(name) for name in ("retries", "workers") if name in more}
    generator = make("sglang", {**settings, **more})
    return generate_clips(smoke(ids), generator, out=out, options=plan, **{"workers": 0, "retries": 0, **call})


def test_the_normal_path(service: VideoService, tmp_path: Path) -> None:
    service.model = "OpenMOSS/MOVA-360p"
    outcome = run(
        service, tmp_path / "run", "m01,m02", model="MOVA", size="360p", plan=PlanOptions(duration=0.2, seed=0)
    )
    assert list(outcome.clips) == ["m01", "m02"]
    item = smoke("m01").items[0]
    first, portrait = service.created
    assert (first["prompt"], first["size"], first["num_frames"], first["fps"]) == (item.prompt, "640x352", "5", "24")
    assert (first["seed"], first["num_inference_steps"], first["guidance_scale"], first["n"]) == ("0", "50", "5.0", "1")
    assert first["input_reference"]["type"] == "image/jpeg"
    assert first["input_reference"]["size"] == Path(item.first_frame.path).stat().st_size
    assert portrait["size"] == "352x640"
    assert not service.jobs  # deleted once they were here
    record = ledger(tmp_path / "run")[0]
    assert record.model == "OpenMOSS/MOVA-360p (sglang 0.5.9)"
    assert record.details["inference_time_s"] == 1.5
    assert record.peak_memory_bytes == int(45.5 * 2**20)
    settings = {"model": "MOVA", "size": "360p", "fps": 24.0, "steps": 50, "guidance_text": 5.0}
    assert outcome.reference.settings == settings


@pytest.mark.parametrize("how", ["list", "early", "cloud", "truncate-once"])
def test_odd_answers_still_give_a_clip(service: VideoService, tmp_path: Path, how: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("SGLANG_API_KEY", "secret")  # must not follow a clip to the cloud: the service checks
    service.script = [how]
    outcome = run(service, tmp_path / "run")
    assert list(outcome.clips) == ["m01"]
    assert len(service.created) == 1
    assert "secret" not in (tmp_path / "run/generation.jsonl").read_text()
    assert "secret" not in (tmp_path / "run/generation.json").read_text()


@pytest.mark.parametrize(
    ("how", "reason", "code"),
    [
        ("fail", "the server's job failed: CUDA out of memory", "job_failed"),
        ("truncate", "the clip could not be downloaded: the connection", "download"),
        ("page", "what arrived is text/html, no clip", "download"),
    ],
)
def test_failures_of_one_item(service: VideoService, tmp_path: Path, how: str, reason: str, code: str) -> None:
    service.script = [how]
    outcome = run(service, tmp_path / "run", "m01,m05")
    assert list(outcome.clips) == ["m05"]
    assert reason in outcome.failed["m01"]
    assert ledger(tmp_path / "run")[0].code_of_failure == code


def test_a_failed_job_is_tried_again(service: VideoService, tmp_path: Path) -> None:
    service.script = ["fail"]
    assert list(run(service, tmp_path / "run", retries=1).clips) == ["m01"]
    assert len(service.created) == 2


def test_a_lost_job_is_submitted_again_at_most_twice(service: VideoService, tmp_path: Path) -> None:
    service.script = ["lose"]
    assert list(run(service, tmp_path / "run").clips) == ["m01"]
    assert ledger(tmp_path / "run")[0].details["resubmitted"] == 1
    service.script = ["lose"] * 9
    outcome = run(service, tmp_path / "other")
    assert outcome.failed["m01"] == "the server lost the job 3 times; it seems to restart"
    assert len(service.created) == 2 + 3


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (["422"], "refuses the request of item m01: 422: body.seed: value is not a valid integer"),
        (["unauthorised"], "401: invalid key"),
    ],
)
def test_refusals_end_the_run(service: VideoService, tmp_path: Path, script: list[str], message: str) -> None:
    service.script = script
    with pytest.raises(UserError, match=message):
        run(service, tmp_path / "run", "m01,m05")
    assert not service.created


def test_400_ends_the_run(service: VideoService, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="400: unsupported size 128x64"):
        run(service, tmp_path / "run", size="128x64")


def test_an_overloaded_server_is_waited_for(service: VideoService, tmp_path: Path) -> None:
    generator = make(
        "sglang", {"server": [service.address], "model": "tiny", "size": "64x48", "poll": 0.01, "patience": 5}
    )
    assert not [check for check in generator.probe("server") if check.fails]
    service.down = 3
    outcome = generate_clips(smoke("m01"), generator, out=tmp_path / "run", options=QUICK, workers=0, probe="files")
    assert list(outcome.clips) == ["m01"]


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with VideoService(tmp_path / "service") as gone:
        pass
    with pytest.raises(
        UserError, match=r"it does not answer \(connection refused or lost\), start it with `sglang serve"
    ):
        run(gone, tmp_path / "run")


def test_a_server_that_goes_away_ends_the_run_and_loses_nothing(service: VideoService, tmp_path: Path) -> None:
    service.down = 0
    run(service, tmp_path / "run", "m01,m05", retries=0)
    (tmp_path / "run/clips/speech-zh/m05.mp4").unlink()
    service.script = ["stay"]
    generator = make(
        "sglang", {"server": [service.address], "model": "tiny", "size": "64x48", "poll": 0.01, "patience": 0.3}
    )
    generator.probe("server")
    service.down = 10**6
    with pytest.raises(UserError, match=r"answers 503 .*overloaded, for .* every clip made so far is kept"):
        generate_clips(smoke("m01,m05"), generator, out=tmp_path / "run", options=QUICK, workers=0, probe="files")
    service.down = 0
    assert list(run(service, tmp_path / "run", "m01,m05").clips) == ["m01", "m05"]


def test_a_job_that_takes_too_long_is_cancelled(service: VideoService, tmp_path: Path) -> None:
    service.polls = 10**6
    outcome = run(service, tmp_path / "run", job_limit=1.0)
    assert outcome.failed["m01"] == "the server's job took longer than 1 s"
    assert not service.jobs


PROGRAM = """
import sys
from pathlib import Path
from generator_support import smoke
from mova_eval.generators import PlanOptions, generate_clips, make
settings = {"server": [sys.argv[1]], "model": "tiny", "size": "64x48", "poll": 0.05}
generate_clips(smoke("m01"), make("sglang", settings), out=Path(sys.argv[2]), options=PlanOptions(duration=0.5))
"""


def test_a_running_job_is_taken_up_again_after_a_kill(service: VideoService, tmp_path: Path) -> None:
    service.polls = 10**6
    words = [sys.executable, "-c", PROGRAM, service.address, str(tmp_path / "run")]
    process = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])})
    deadline = time.monotonic() + 60
    while not (service.jobs and next(iter(service.jobs.values()))["polls"] > 2):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    time.sleep(2)  # its worker notices within a second that it is alone, and would finish the job meanwhile
    service.polls = 0
    assert list(run(service, tmp_path / "run").clips) == ["m01"]
    assert len(service.created) == 1


def test_several_servers_share_the_work(service: VideoService, tmp_path: Path) -> None:
    with VideoService(tmp_path / "second") as second:
        servers = [service.address, second.address]
        outcome = run(service, tmp_path / "run", "m01,m05,m09,m13", server=servers, workers=None)
        assert len(outcome.clips) == 4
        assert service.created
        assert second.created
    with (
        VideoService(tmp_path / "third", model="tiny/other") as third,
        pytest.raises(UserError, match="different models"),
    ):
        run(service, tmp_path / "other", server=[service.address, third.address])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"server": []}, "give --server"),
        ({"server": ["localhost:30000"]}, "expected an address such as"),
        (
            {"model": "MOVA", "size": "640x360"},
            "MOVA takes 640x352 and 1280x720 and their portraits; the nearest is 640x352",
        ),
        ({"model": "LTX", "size": "64x50"}, "multiples of 16; the nearest is 64x48"),
        ({"model": "LTX"}, "it serves OpenMOSS/MOVA-360p, not LTX"),
        ({"model": "MOVA", "size": "720p"}, "it serves OpenMOSS/MOVA-360p, which makes 640x352"),
        ({"frames": 192}, "the nearest are 189 and 193"),
    ],
)
def test_configuration_is_checked_before_any_work(
    service: VideoService, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    service.model = "OpenMOSS/MOVA-360p"
    with pytest.raises(UserError, match=message):
        run(service, tmp_path / "run", **settings)
    assert not service.created


def test_offline_opens_no_socket(service: VideoService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVA_EVAL_OFFLINE", "1")
    with pytest.raises(UserError, match="--offline"):
        run(service, tmp_path / "run")
    assert not service.log


def test_text_alone_sends_a_white_picture(service: VideoService, tmp_path: Path) -> None:
    run(service, tmp_path / "run", plan=PlanOptions(duration=0.5, text_only=True))
    assert service.created[0]["input_reference"]["name"] == "white.png"
