"""The public SyncNet code, patched to run on a CPU, as the yardstick of the lip-sync tests and benchmarks.

Give a checkout of github.com/joonson/syncnet_python in MOVA_TEST_SYNCNET_PYTHON; without it, or without the packages
and the ffmpeg program that it calls, the tests that compare with it are skipped. The patch (`patched`) changes nothing
that is computed: device names, clocks around the networks, an import of torchvision that is never used, a type name that NumPy dropped, and the two
things in which MOVA's copy differs (`min_track` 20; the mean distance instead of all distances is returned).
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

VARIABLE = "MOVA_TEST_SYNCNET_PYTHON"

_REPLACEMENTS = {
    "run_pipeline.py": [
        ("DET = S3FD(device='cuda')", "DET = S3FD(device='cpu'); import clock; clock.detector(DET.net)"),
    ],
    "detectors/s3fd/__init__.py": [("from torchvision import transforms\n", "")],
    "detectors/s3fd/box_utils.py": [("np.int)", "int)")],
    "SyncNetInstance.py": [
        (".cuda()", ""),
        ("dists_npy = numpy.array([ dist.numpy() for dist in dists ])", "curve = [float(m) for m in mdist]"),
        ("return offset.numpy(), conf.numpy(), dists_npy", "return int(offset), float(conf), float(minval), curve"),
    ],
}

_SCORE_TRACKS = """
import glob, json, os, sys, types
import torch
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
from SyncNetInstance import SyncNetInstance
work, weights, out = sys.argv[1:]
network = SyncNetInstance()
network.loadParameters(weights)
import clock
clock.syncnet(network.__S__)
scores = []
for path in sorted(glob.glob(os.path.join(work, "pycrop", "clip", "0*.avi"))):
    opt = types.SimpleNamespace(tmp_dir=os.path.join(work, "pytmp"), reference="clip", vshift=15, batch_size=20)
    scores.append(network.evaluate(opt, videofile=path))
json.dump(scores, open(out, "w"))
"""

_CLOCK = """
import atexit, json, os, time
spent = {"network": 0.0, "start": 0.0}
def timed(function, sign=1):
    def run(*given, **named):
        before = time.process_time()
        try:
            return function(*given, **named)
        finally:
            spent["network"] += sign * (time.process_time() - before)
    return run
def detector(net):
    from detectors.s3fd import nets
    spent["start"] = time.process_time()
    net.forward = timed(net.forward)
    net.detect.forward = timed(net.detect.forward, -1)
    nets.PriorBox.forward = timed(nets.PriorBox.forward, -1)
def syncnet(net):
    spent["start"] = time.process_time()
    net.forward_lip, net.forward_aud = timed(net.forward_lip), timed(net.forward_aud)
atexit.register(lambda: json.dump(spent, open(os.environ["CLOCK"], "w")))
"""


@dataclass(frozen=True)
class Cost:
    """CPU seconds of one public program: all (with the ffmpeg programs it starts), in its network, before its work."""

    total: float
    network: float
    start: float


@dataclass(frozen=True)
class PublicResult:
    """Tracks as pickled by the public code, (offset, LSE-C, LSE-D, curve) of each, costs of both programs."""

    tracks: list[dict[str, object]]
    scores: list[tuple[int, float, float, list[float]]]
    detecting: Cost
    scoring: Cost


def checkout() -> Path:
    """The checkout, or a skip."""
    given = os.environ.get(VARIABLE)
    if not given or not (Path(given) / "run_pipeline.py").is_file():
        pytest.skip(f"{VARIABLE} names no checkout of the public code")
    missing = [name for name in ("scenedetect", "python_speech_features") if find_spec(name) is None]
    if missing or not shutil.which("ffmpeg"):
        pytest.skip(f"the public code needs {', '.join(missing) or 'the ffmpeg program'}")
    return Path(given)


def patched(source: Path, folder: Path, s3fd: Path) -> Path:
    """A copy of the public code in `folder` that runs on a CPU with the given detector weights."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    for name, replacements in _REPLACEMENTS.items():
        text = (folder / name).read_text()
        for old, new in replacements:
            assert old in text, f"{name} of the public code has no {old!r}; is it another version?"
            text = text.replace(old, new)
        (folder / name).write_text(text)
    (folder / "detectors/s3fd/weights").mkdir(exist_ok=True)
    shutil.copy(s3fd, folder / "detectors/s3fd/weights/sfd_face.pth")
    (folder / "score_tracks.py").write_text(_SCORE_TRACKS)
    (folder / "clock.py").write_text(_CLOCK)
    return folder


def run_public(code: Path, clip: Path, syncnet: Path, work: Path, threads: int = 1) -> PublicResult:
    """Run both programs on one clip."""
    import pickle

    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    shutil.rmtree(work, ignore_errors=True)
    pipeline = ["run_pipeline.py", "--videofile", str(clip), "--reference", "clip", "--data_dir", str(work)]
    pipeline += ["--min_track", "20"]
    detecting = _cost(pipeline, code, environment)
    out = work / "scores.json"
    scoring = _cost(["score_tracks.py", str(work), str(syncnet), str(out)], code, environment)
    with open(work / "pywork/clip/tracks.pckl", "rb") as file:
        tracks = pickle.load(file)
    return PublicResult(tracks, [tuple(row) for row in json.loads(out.read_text())], detecting, scoring)


def _cost(command: list[str], folder: Path, environment: dict[str, str]) -> Cost:
    clock = folder / "clock.json"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**environment, "CLOCK": str(clock)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(total, **json.loads(clock.read_text()))
