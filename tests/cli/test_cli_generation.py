"""The commands `run`, `generate`, `generators` and `export` as a person types them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from run_support import TESTS

COMMAND = f"{shlex.join([sys.executable, str(TESTS / 'clip_program.py')])} --out={{out}} --seed={{seed}}"


def mova_eval(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The program in a folder, with fresh caches, offline."""
    code = "from mova_eval.cli import main; main()"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]),
        "HF_HUB_CACHE": str(folder / "hub"),
        "CUDA_VISIBLE_DEVICES": "",
        "COLUMNS": "80",
    }
    return subprocess.run(
        [sys.executable, "-c", code, "--offline", *words],
        cwd=folder, capture_output=True, text=True, timeout=240, check=False, env=environment,
    )  # fmt: skip


def test_run_from_prompts_to_report(tmp_path: Path) -> None:
    words = ["run", "mini", "--model", "command", "--command", COMMAND, "--label", "my model", "--ids", "m01,m05"]
    done = mova_eval(tmp_path, *words, "--metrics", "loudness", "--seed", "0")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "results/mini-my model"
    assert "report: results/mini-my model/report.html" in done.stdout.replace("\n", "")
    assert "my model: 2 of 2 clips to make by 1 worker" in done.stderr
    assert json.loads((run / "run.json").read_text())["generator"]["seed"] == 0
    again = mova_eval(tmp_path, *words, "--metrics", "loudness", "--seed", "0")
    assert again.returncode == 0
    assert "0 of 2 clips to make, 2 made before" in again.stderr
    changed = mova_eval(tmp_path, *words, "--metrics", "loudness", "--seed", "1")
    assert changed.returncode == 2
    assert "generator seed was 0 and is now 1" in changed.stderr
    done = mova_eval(tmp_path, "export", str(run), "--out", "exported")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "exported/step_000000").rglob("*.mp4"))) == 2


def test_generate_says_what_it_would_do(tmp_path: Path) -> None:
    words = ["generate", "mini", "--model", "nano", "--sets", "smoke", "--dry-run", "--steps", "2", "--duration", "2"]
    done = mova_eval(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    plan, _, rest = done.stdout.partition("\n}\n")
    first = json.loads(plan + "}")
    assert (first["item"], first["frames"], first["parameters"]["steps"]) == ("m01", 49, 2)
    assert "6 clips by MOVA-nano (seeded weights), 96x64, into results/mini-nano" in rest
    assert not (tmp_path / "results").exists()


def test_failures_have_their_exit_code(tmp_path: Path) -> None:
    words = ["generate", "mini", "--model", "command", "--command", f"{COMMAND} --how=fail", "--ids", "m01"]
    done = mova_eval(tmp_path, *words, "--retries", "0")
    assert done.returncode == 3
    assert "failed: m01: the command ended with exit code 3: CUDA out of memory" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "mini", "--model", "720p"], "run --model nano to try the whole path on this machine"),
        (["run", "mini", "--model", "nanoo"], "did you mean nano?"),
        (["run", "mini", "--model", "folder", "--steps", "3"], "--steps: folder has no such setting"),
        (["generate", "mini", "--model", "nano", "--size", "100x64"], "the nearest is 96x64"),
        (["generate", "mini", "--model", "nano", "--set", "steps"], "expected NAME=VALUE"),
        (["generate", "mini", "--model", "sglang"], "give --server"),
        (["generators", "probe", "360p", "--level", "deep"], "--level deep: choose files or env"),
    ],
)
def test_refusals_are_one_sentence(tmp_path: Path, words: list[str], said: str) -> None:
    done = mova_eval(tmp_path, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_generators_are_listed_shown_and_probed(tmp_path: Path) -> None:
    listed = mova_eval(tmp_path, "generators")
    assert listed.returncode == 0
    for name in ("reference (--model 720p, 360p, nano)", "sglang:", "command:", "folder:"):
        assert name in listed.stdout
    cards = json.loads(mova_eval(tmp_path, "generators", "list", "--json").stdout)
    assert {card["name"] for card in cards} >= {"reference", "sglang", "command", "folder"}
    shown = mova_eval(tmp_path, "generators", "show", "reference")
    assert "offload = none: none, component or layer (none, component, layer); changes no clip" in shown.stdout
    probed = mova_eval(tmp_path, "generators", "probe", "720p", "--offload", "layer")
    assert probed.returncode == 3
    assert "missing checkpoint: OpenMOSS-Team/MOVA-720p (78 GB on disk) is not on this machine" in probed.stdout
    assert mova_eval(tmp_path, "generators", "probe", "nano").returncode == 0
