"""`mova-eval profile`: what a clip of the suite's own sampler costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from metrics.errors import UserError
from mova_eval.generators.profiling import clip_shape, preset_of


def profile(*words: str) -> subprocess.CompletedProcess[str]:
    code = "from mova_eval.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, "-c", code, "profile", *words],
        capture_output=True, text=True, timeout=240, check=False, env=environment,
    )  # fmt: skip


def test_nano_is_timed() -> None:
    done = profile("--model", "nano", "--benchmark", "mini", "--frames", "5", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["video_dit"]["parameters"] == 2_346_240
    assert rows["dual_tower_bridge"]["parameters"] == 504_576
    assert sum(row["share"] for row in rows.values()) == pytest.approx(1, abs=0.1)
    assert found["step_seconds"] > 0
    assert found["clips"] == 24
    assert found["device_hours"] == pytest.approx(24 * found["clip_seconds"] / 3600)


def test_720p_is_counted_where_it_cannot_run() -> None:
    done = profile("--model", "720p", "--clips", "600")
    assert done.returncode == 0, done.stderr
    assert "14,288.9 M" in done.stdout
    assert "no seconds: nothing was timed here" in done.stdout
    assert max(map(len, done.stdout.splitlines()[1:9])) <= 80
    refused = profile("--model", "720p", "--measure")
    assert refused.returncode == 2
    assert "--model 720p cannot run here" in refused.stderr


def test_shapes_and_models_are_checked() -> None:
    assert clip_shape(preset_of("360p"), None, None, 5.0, None).frames == 121
    with pytest.raises(UserError, match="the nearest is 640x352"):
        clip_shape(preset_of("360p"), "640x360", None, None, None)
    with pytest.raises(UserError, match="only the suite's own sampler can be profiled, not sglang"):
        preset_of("sglang")
