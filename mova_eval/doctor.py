"""Looking over the machine: packages that fit together, weights, devices, space. Downloads nothing."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

State = Literal["ok", "missing", "wrong", "info"]
NEEDED_SPACE_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. state: "ok", "missing" (optional, not there), "wrong" (needs mending), "info"."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Everything that can be said about this machine without measuring a clip."""
    return [*_system(), *_decoder(), *_opencv(), *_torch(), *_folders(), *_metrics()]


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _system() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding(
        "system", "info", f"{platform.system()} {platform.machine()}, {cores} cores, Python {platform.python_version()}"
    )


def _decoder() -> Iterator[Finding]:
    import av

    lacking = [name for name in ("libx264", "aac") if name not in av.codecs_available]
    libraries = ", ".join(
        f"{name} {'.'.join(map(str, version))}" for name, version in sorted(av.library_versions.items())
    )
    if lacking:
        yield Finding(
            "FFmpeg libraries",
            "wrong",
            f"PyAV {av.__version__} lacks {', '.join(lacking)}",
            "pip install --force-reinstall av",
        )
    else:
        yield Finding("FFmpeg libraries", "ok", f"PyAV {av.__version__} ({libraries})")


def _opencv() -> Iterator[Finding]:
    names = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
    found = {name: version for name in names if (version := _version(name))}
    if importlib.util.find_spec("cv2") is None:
        yield Finding(
            "OpenCV", "wrong", "the module cv2 is missing", "pip install --force-reinstall opencv-python-headless"
        )
    elif len(set(found.values())) > 1:
        listed = ", ".join(f"{name} {version}" for name, version in found.items())
        yield Finding(
            "OpenCV", "wrong", f"{listed} share one folder", "install the same version of each, or keep only one"
        )
    else:
        yield Finding("OpenCV", "ok", ", ".join(f"{name} {version}" for name, version in found.items()) or "present")


def _torch() -> Iterator[Finding]:
    version = _version("torch")
    if version is None:
        yield Finding(
            "torch", "missing", "only needed by metrics with torch networks", "pip install 'mova-eval[models]'"
        )
        return
    for companion in ("torchvision", "torchaudio"):
        if _version(companion) and not _imports(companion):
            yield Finding(
                companion, "wrong", f"{_version(companion)} does not fit torch {version} and breaks transformers",
                f"pip uninstall -y {companion} (the suite does not need it)",
            )  # fmt: skip
    import torch

    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        yield Finding(
            "torch",
            "ok",
            f"torch {version}, {torch.cuda.get_device_name()}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free",
        )
    else:
        yield Finding("torch", "ok", f"torch {version}, no CUDA device: networks run on the CPU")


def _imports(module: str) -> bool:
    """Whether a module imports in a fresh interpreter (a broken one may spoil this one)."""
    import subprocess
    import sys

    return subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


def _folders() -> Iterator[Finding]:
    from metrics.weights import cache_dir

    folder = cache_dir()
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if not os.access(existing, os.W_OK):
        yield Finding("cache", "wrong", f"{existing} is not writable", "set MOVA_EVAL_CACHE to a folder of yours")
    elif free < NEEDED_SPACE_BYTES:
        yield Finding(
            "cache", "wrong", f"only {free / 2**30:.1f} GiB free at {existing}", "set MOVA_EVAL_CACHE to a larger disk"
        )
    else:
        yield Finding("cache", "ok", f"{folder}, {free / 2**30:.0f} GiB free")
    results = Path("results")
    if results.exists() and not os.access(results, os.W_OK):
        yield Finding("results", "wrong", f"{results.resolve()} is not writable", "give --out a folder of yours")


def _metrics() -> Iterator[Finding]:
    from metrics.registry import available, card

    for name in available():
        c = card(name)
        scores = ", ".join(s.name for s in c.scores)
        if c.can_run:
            yield Finding(f"metric {name}", "ok", scores)
        else:
            said = [gap.removeprefix(f"{name} not run: ").removeprefix(f"{name} ") for gap in c.missing]
            yield Finding(f"metric {name}", "missing", "; ".join(said))
