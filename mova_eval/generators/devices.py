"""Which GPUs are here, asked of the driver's own tool: no heavy import, no context on a GPU."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU that this process may use. name: as CUDA_VISIBLE_DEVICES takes it. Memory in 10^9 bytes."""

    name: str
    title: str
    total_gb: float
    free_gb: float


def gpus() -> list[Gpu]:
    """GPUs that this process may use; none where there is no driver."""
    tool = shutil.which("nvidia-smi")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if tool is None or visible in {"", "-1"}:
        return []
    query = "--query-gpu=index,uuid,name,memory.total,memory.free"
    try:
        done = subprocess.run(
            [tool, query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines() if line.count(",") == 4]
    found = {row[0]: (row[1], Gpu(row[0], row[2], _gb(row[3]), _gb(row[4]))) for row in rows}
    if visible is None:
        return [gpu for _, gpu in found.values()]
    chosen = [name.strip() for name in visible.split(",") if name.strip()]
    by_name = {**{name: gpu for name, (_, gpu) in found.items()}, **dict(found.values())}
    return [by_name[name] for name in chosen if name in by_name]


def _gb(mebibytes: str) -> float:
    return float(mebibytes) * 2**20 / 1e9 if mebibytes.replace(".", "", 1).isdecimal() else 0.0
