"""The manifest of a run: written once, compared when the same run is started again."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from metrics import weights
from metrics.errors import UserError
from mova_eval import __version__
from mova_eval.records import BenchmarkRef, GeneratorRef, Manifest, NotRun
from mova_eval.runs.items import BenchmarkLike
from mova_eval.runs.paths import write_atomically
from mova_eval.runs.plan import MetricPlan, cores

_PACKAGES = (
    "numpy", "scipy", "av", "librosa", "soxr", "soundfile", "opencv-python-headless", "onnxruntime", "pyloudnorm",
    "faster-whisper", "ctranslate2", "jiwer", "whisper-normalizer", "speechmos", "torch", "torchaudio", "torchvision",
    "transformers",
)  # fmt: skip
_COMPARED = ("schema_version", "benchmark", "generator", "protocol", "seed")


def make_manifest(
    benchmark: BenchmarkLike,
    plans: Sequence[MetricPlan],
    not_run: Sequence[NotRun],
    *,
    run: str,
    generator: GeneratorRef,
    protocol: str,
    seed: int,
    device: str,
    command: Sequence[str],
) -> Manifest:
    """What a run is about and where it is made, as of now."""
    commit, dirty = commit_of_suite()
    return Manifest(
        run=run,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        benchmark=_benchmark_ref(benchmark),
        generator=generator,
        protocol=protocol,
        metrics=[plan.ref for plan in plans],
        not_run=list(not_run),
        seed=seed,
        device=device,
        machine=machine(),
        versions=versions(),
        commit=commit,
        dirty=dirty,
        command=list(command),
    )


def read_manifest(path: Path) -> Manifest:
    """Raises UserError when the file is missing or is not a manifest of this version."""
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path.parent} is not a run: it has no {path.name}; give a directory made by a run") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(
            f"{path} does not read as a manifest ({where}: {first['msg']}); it was damaged or written by another "
            f"version: score into another --out"
        ) from error


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write run.json whole or not at all. Raises OSError."""
    write_atomically(path, manifest.model_dump_json(indent=2).encode() + b"\n")


def check_same(path: Path, stored: Manifest, wanted: Manifest) -> None:
    """Raises UserError naming what differs when a run directory holds a run with other parameters."""
    found = list(_differences(stored, wanted))
    if found:
        raise UserError(
            f"{path.parent} holds a run with other parameters: {'; '.join(found)}; use the same parameters to "
            f"go on with it, or choose another --out"
        )


def differences(stored: BaseModel, wanted: BaseModel, names: Sequence[str]) -> Iterator[str]:
    """What differs between two manifests in the named parts, a phrase for each value."""
    old, new = (json.loads(m.model_dump_json()) for m in (stored, wanted))
    for name in names:
        yield from _compare(name, old[name], new[name])


def _differences(stored: Manifest, wanted: Manifest) -> Iterator[str]:
    yield from differences(stored, wanted, _COMPARED)
    old, new = (json.loads(m.model_dump_json()) for m in (stored, wanted))
    old_metrics, new_metrics = ({m["name"]: m for m in side["metrics"]} for side in (old, new))
    gone, added = (
        [n for n in old_metrics if n not in new_metrics],
        [n for n in new_metrics if n not in old_metrics],
    )
    if gone:
        yield f"it measured {', '.join(gone)}, which is not asked for or cannot run now"
    if added:
        yield f"it did not measure {', '.join(added)}"
    for name in old_metrics:
        if name in new_metrics:
            for part in ("version", "parameters", "weights", "origin"):
                yield from _compare(f"{name} {part}", old_metrics[name][part], new_metrics[name][part])


def _compare(name: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            yield from _compare(f"{name} {key}", old.get(key), new.get(key))
    elif old != new:
        yield f"{name} was {_short(old)} and is now {_short(new)}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _benchmark_ref(benchmark: BenchmarkLike) -> BenchmarkRef:
    chosen = {item.set for item in benchmark.items}
    named = [getattr(entry, "name", entry) for entry in benchmark.sets]
    return BenchmarkRef(
        name=benchmark.name,
        version=str(benchmark.version),
        title=benchmark.title,
        content_sha256=benchmark.content_sha256,
        prompt_variant=benchmark.prompt_variant,
        sets=[name for name in named if name in chosen],
        limit=getattr(benchmark, "limit", None),
        n_items=len(benchmark.items),
    )


def machine() -> dict[str, str]:
    """System, processor, cores and Python of this machine."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": platform.processor() or platform.machine(),
        "cores": str(cores()),
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Versions of the packages that numbers depend on."""
    found = {"mova-eval": __version__}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {**found, **_ffmpeg_versions(found.get("av"))}


def _ffmpeg_versions(av_version: str | None) -> dict[str, str]:
    """Versions of the FFmpeg libraries behind PyAV, remembered per PyAV version since asking means loading them."""
    if av_version is None:
        return {}
    memory = weights.cache_dir() / f"ffmpeg-of-av-{av_version}.json"
    try:
        return dict(json.loads(memory.read_text()))
    except (OSError, ValueError):
        import av

    versions = {name: ".".join(map(str, parts)) for name, parts in sorted(av.library_versions.items())}
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(memory, json.dumps(versions).encode(), durable=False)
    except OSError:
        return versions  # a cache that cannot be written only costs the next start a moment
    return versions


def commit_of_suite() -> tuple[str | None, bool | None]:
    """Commit of the suite's own checkout and whether files differ from it; None where it is installed otherwise."""
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return None, None
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return commit, bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()
