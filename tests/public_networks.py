"""The public evaluation code as the yardstick of the metrics with networks, run in a process of its own.

Give checkouts in MOVA_TEST_PUBLIC_CODE, a folder with `mova` (github.com/OpenMOSS/MOVA), `videoalign`
(KwaiVGI/VideoAlign) and the like below it, and in MOVA_TEST_PUBLIC_PACKAGES a folder of the packages that this code
imports and the suite keeps away from (torchaudio and torchvision without their compiled parts, timm, omegaconf, peft,
torchlibrosa, panns-inference). Without them the comparisons are skipped.

What is replaced changes nothing that is computed: `torchaudio.load` and torio's decoder, which need compiled parts, are
done by the ffmpeg program with the same filters; `cuda` becomes `cpu`; a few imports that are never used are empty.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CODE, PACKAGES = "MOVA_TEST_PUBLIC_CODE", "MOVA_TEST_PUBLIC_PACKAGES"

PREPARE = '''
import subprocess, sys, types, json
import numpy as np
import torch

def empty(*names):
    """Modules that are imported and never used."""
    for name in names:
        module = types.ModuleType(name)
        module.__getattr__ = lambda attribute: type(attribute, (), {}) if not attribute.startswith("__") else None
        module.__path__ = []
        sys.modules[name] = module
        parent, _, leaf = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], leaf, module)

def ffmpeg(*arguments):
    return subprocess.run(["ffmpeg", "-v", "error", *arguments, "pipe:1"], check=True, capture_output=True).stdout

def probe(path, stream, *entries):
    out = subprocess.run(["ffprobe", "-v", "error", "-select_streams", stream, "-show_entries",
                          "stream=" + ",".join(entries), "-of", "json", str(path)], check=True, capture_output=True)
    return [json.loads(out.stdout)["streams"][0][entry] for entry in entries]

def load_sound(path, **_):
    rate, channels = probe(path, "a:0", "sample_rate", "channels")
    raw = ffmpeg("-i", str(path), "-map", "0:a:0", "-f", "f32le")
    return torch.from_numpy(np.frombuffer(raw, np.float32).reshape(-1, channels).T.copy()), int(rate)

def load_pictures(path, rate):
    width, height = probe(path, "v:0", "width", "height")
    raw = ffmpeg("-i", str(path), "-map", "0:v:0", "-vf", f"fps={rate},format=rgb24", "-fps_mode", "passthrough", "-f", "rawvideo")
    return torch.from_numpy(np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3).copy()).permute(0, 3, 1, 2)
'''


needs_public_code = pytest.mark.skipif(
    not os.environ.get(CODE) or not os.environ.get(PACKAGES),
    reason=f"no public code to compare with (set {CODE} and {PACKAGES})",
)
"""Skips a module before ours has computed anything for nothing."""


def run_public(
    code: str, work: Path, *needed: str, first: str = "", timeout: float = 600, **given: Any
) -> dict[str, np.ndarray]:
    """Run `code` with the public checkouts `needed`; it sees `given` and `root`, and fills the mapping `out`.

    first: a folder of packages that comes before all others.
    Skips the calling test where something it needs is absent.
    """
    root, packages = os.environ.get(CODE), os.environ.get(PACKAGES)
    if not root or not packages or find_spec("torch") is None:
        pytest.skip(f"no public code to compare with (set {CODE} and {PACKAGES})")
    absent = [name for name in needed if not (Path(root) / name).is_dir()]
    if absent:
        pytest.skip(f"no checkout of {absent[0]} in {CODE}")
    work.mkdir(parents=True, exist_ok=True)
    result = work / "public.npz"
    values = {**given, "root": root}
    lines = [PREPARE, *(f"{name} = {value!r}" for name, value in values.items()), "out = {}", code]
    script = work / "public.py"
    script.write_text("\n".join([*lines, f"np.savez({str(result)!r}, **out)"]))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [first, packages])),
        "HOME": str(work),
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True, text=True, check=False, timeout=timeout, env=environment, cwd=work,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(result) as arrays:
        return dict(arrays)


def relative(ours: Any, public: Any) -> float:
    """Largest difference over the largest magnitude of the public values."""
    a, b = np.asarray(ours, np.float64), np.asarray(public, np.float64)
    assert a.shape == b.shape, (a.shape, b.shape)
    return float(np.abs(a - b).max() / np.abs(b).max())
