"""Host memory while a sharded checkpoint of about 1 GB is loaded. Run with `pytest -m benchmark -s`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from support import run_python

from reference_model.components import skeleton, tensor_shapes
from reference_model.presets import NANO

LARGE = replace(
    NANO,
    video_dit=replace(NANO.video_dit, dim=1536, num_heads=12, ffn_dim=4096, num_layers=15),
    dual_tower_bridge=replace(NANO.dual_tower_bridge, visual_layers=15, visual_hidden_dim=1536),
)
"""A video tower of 1.0 GB in bfloat16."""
SHARDS = 3
LIMIT = 1.15

_LOAD = """
import sys, torch
from pathlib import Path
sys.path.insert(0, {tests!r})
from benchmarks.test_loading_memory import LARGE
from reference_model.loading import _load, plan_component
def peak():  # of this process alone: getrusage hands down the parent's
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
torch.empty(1).bfloat16()  # what torch itself needs is not counted
before = peak()
module = _load(plan_component(Path({folder!r}), "video_dit", LARGE), "video_dit", torch.bfloat16, torch.device("cpu"))
print(sum(p.nbytes for p in module.parameters()), peak() - before)
"""


@pytest.mark.benchmark
def test_peak_memory_is_that_of_the_component(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    if not Path("/proc/self/status").is_file():
        pytest.skip("reads the peak from /proc")
    folder = tmp_path / "video_dit"
    folder.mkdir()
    shapes = tensor_shapes("video_dit", skeleton("video_dit", LARGE))
    names, places = sorted(shapes), {}
    for part in range(SHARDS):
        shard = f"diffusion_pytorch_model-{part + 1:05}-of-{SHARDS:05}.safetensors"
        own = names[part::SHARDS]
        save_file({name: torch.zeros(shapes[name], dtype=torch.bfloat16) for name in own}, folder / shard)
        places.update(dict.fromkeys(own, shard))
    index = json.dumps({"weight_map": places})
    (folder / "diffusion_pytorch_model.safetensors.index.json").write_text(index)
    done = run_python(_LOAD.format(folder=str(tmp_path), tests=str(Path(__file__).parents[1])))
    assert done.returncode == 0, done.stderr
    size, peak = map(int, done.stdout.split())
    record_property("ratio", peak / size)
    print(f"\ncomponent {size / 1e9:.2f} GB, host memory grew by {peak / 1e9:.2f} GB: {peak / size:.3f} times")
    assert 0.9e9 < size < 1.3e9
    assert peak < LIMIT * size
