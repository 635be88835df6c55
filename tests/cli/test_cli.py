"""The program as a user meets it: help, one-sentence errors, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import run_python

PROGRAM = Path(sys.executable).with_name("mova-eval")


def run(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the installed program."""
    return subprocess.run(
        [PROGRAM, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MOVA_EVAL_OFFLINE": "1", **environment},
    )


def test_help_shows_the_whole_shape() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("score", "report", "compare", "history", "noise", "agree", "metrics", "benchmarks", "doctor"):
        assert command in done.stdout
    assert "130" in done.stdout  # exit codes are part of the shape


def test_version() -> None:
    from mova_eval import __version__

    assert run("--version").stdout.strip() == f"mova-eval {__version__}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("score", "nowhere", "--benchmark", "mini"), "nowhere"),
        (("score", ".", "--benchmark", "no-such-benchmark"), "no-such-benchmark"),
        (("score", ".", "--benchmark", "mini", "--metrics", "loudnes"), "did you mean loudness"),
        (("score", ".", "--benchmark", "mini", "--metrics", ","), "names nothing"),
        (("score", ".", "--benchmark", "mini", "--set", "wer=x"), "METRIC.OPTION=VALUE"),
        (("score", ".", "--benchmark", "mini", "--set", "dnsmos.protocol=direct"), "give --protocol for the whole run"),
        (("score", ".", "--benchmark", "mini", "--sets", "speech-enn"), "speech-en"),
        (("report", "nowhere"), "nowhere"),
        (("metrics", "dnsmoss"), "did you mean"),
        (("frobnicate",), "frobnicate"),
        (("score", ".", "--workers", "0"), "workers"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "m13.mp4").write_bytes(b"not a video")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = run("--debug", "report", tmp_path / "nowhere")
    assert "Traceback" in done.stderr
    assert "UserError" in done.stderr


def test_metrics_as_json_say_needs_weights_licence_direction_and_whether_they_run() -> None:
    cards = {card["name"]: card for card in json.loads(run("metrics", "--json").stdout)}
    dnsmos = cards["dnsmos"]
    assert dnsmos["can_run"] is True
    assert dnsmos["needs"] == ["audio"]
    assert "dnsmos-p808" in dnsmos["weights"]
    assert dnsmos["licence"]
    assert {s["name"]: s["direction"] for s in dnsmos["scores"]}["dnsmos_p808"] == "higher"
    assert {s["name"]: s["direction"] for s in cards["wer"]["scores"]} == {"wer": "lower", "cer": "lower"}


def test_doctor_finds_this_machine_in_order() -> None:
    done = run("doctor", "--json")
    findings = {f["name"]: f for f in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout
    assert findings["FFmpeg libraries"]["state"] == "ok"
    assert findings["metric dnsmos"]["state"] == "ok"


def test_completion_script_is_offered() -> None:
    done = run(_MOVA_EVAL_COMPLETE="source_bash")
    assert done.returncode == 0
    assert "mova-eval" in done.stdout


def test_closed_output_is_no_error() -> None:
    command = f"'{PROGRAM}' metrics --json | head -c 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_score_a_clip_that_is_no_video_costs_rows_and_exit_code_3(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "m13.mp4").write_bytes(b"not a video")
    done = run("score", "clips", "--benchmark", "mini", "--ids", "m13", "--metrics", "loudness", "--json", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    summary = json.loads(done.stdout)
    overall = summary["scores"][0]["overall"]
    assert (overall["n_failed"], overall["value"]) == (1, None)
    assert overall["reasons"] == {"not_media": 1}
    assert (tmp_path / "results" / "mini-clips" / "report.html").exists()


@pytest.mark.parametrize("arguments", [[], ["lip_sync"]])
def test_remedies_keep_their_brackets(arguments: list[str]) -> None:
    """`[models]` in a remedy is text, not markup, and a metric's name stands once in its sentence."""
    code = (
        "import sys\nimport metrics.registry as registry\nfind = registry.find_spec\n"
        "registry.find_spec = lambda name: None if name == 'torch' else find(name)\n"
        f"sys.argv = {['mova-eval', 'metrics', *arguments]}\n"
        "from mova_eval.cli import main\nmain()\n"
    )
    lines = [line.strip() for line in run_python(code).stdout.splitlines()]
    assert any(line.startswith("lip_sync needs the package torch") and "mova-eval[models]" in line for line in lines)
