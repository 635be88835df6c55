"""Truth clips: clips of known content, timing and sound, to see whether metrics point the right way.

They are rendered on demand, not shipped. Files of `render_truth(folder)`:
    items/<set>/<id>.mp4   one clip per item that shows and sounds as the item asks
    probes/<name>.mp4      clips that differ in one respect: sound shifted, faster, swapped, louder; picture blurred ...
Beside each clip lies a JSON of the same name with its truth.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.errors import UserError
from mova_eval.mini.content import ENTRIES
from mova_eval.mini.muxing import Reel, write_clip, write_text
from mova_eval.mini.probes import PROBES, Made, picture_size, pictures
from mova_eval.mini.scene import FPS
from mova_eval.mini.stage import events_of, faces_in, scene_of
from mova_eval.mini.tracks import sound_of, track_of
from mova_eval.mini.voices import missing_voice

RENDERER = 1
"""Version of what the clips show; clips of another version are rendered again."""

Progress = Callable[[str, int, int], None]
"""Called after each clip with its name, how many are done, and how many there are."""

_THREADS = 4
REFERENCE_ITEMS = tuple(f"m{k}" for k in range(13, 23))


@dataclass(frozen=True)
class Job:
    """One clip to make."""

    name: str
    path: str
    make: Callable[[], Made]
    missing: str | None


def jobs() -> tuple[Job, ...]:
    """All clips that could be made, items first."""
    wanted = [
        Job(e.id, f"items/{e.category}/{e.id}.mp4", lambda item=e.id: _item(item), _missing(e.id))  # type: ignore[misc]
        for e in ENTRIES
    ]
    wanted += [
        Job(name, f"probes/{name}.mp4", probe.make, missing_voice("en") if probe.speech else None)
        for name, probe in PROBES.items()
    ]
    return tuple(wanted)


def left_out(subset: Iterable[str] | None = None) -> dict[str, str]:
    """Clips that `render_truth` cannot make on this machine: item id or probe name -> why, and what to do."""
    return {job.name: job.missing for job in _chosen(subset) if job.missing is not None}


def render_truth(
    out_dir: str | os.PathLike[str],
    *,
    subset: Iterable[str] | None = None,
    progress: Progress | None = None,
    force: bool = False,
) -> list[Path]:
    """Render the truth clips and return their paths.

    subset: item ids and probe names, None for all. force: render again what is already there. Clips that cannot be made
    here are left out; `left_out` says which and why. Raises UserError for an unknown name.
    """
    folder = Path(out_dir)
    todo = [job for job in _chosen(subset) if job.missing is None]
    paths = []
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:  # drawing and encoding mostly hold no lock
        done = pool.map(lambda job: _ensure(folder / job.path, job, force), todo)
        for count, (job, path) in enumerate(zip(todo, done, strict=True), 1):
            paths.append(path)
            if progress is not None:
                progress(job.name, count, len(todo))
    return paths


def render_references(out_dir: str | os.PathLike[str]) -> dict[str, Path]:
    """Reference sounds of m13..m22 for distribution metrics: 5 s WAV, 16 kHz mono, 16 bit; item id -> path.

    They are another take of the truth clips' sounds, so that no clip is compared with itself.
    """
    import soundfile
    import soxr

    from mova_eval.mini.sound import RATE

    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for item in REFERENCE_ITEMS:
        paths[item] = folder / f"{item}.wav"
        samples = soxr.resample(sound_of(item, seed=1000), RATE, 16_000, quality="VHQ")
        soundfile.write(paths[item], np.clip(samples, -1, 1), 16_000, subtype="PCM_16")
    return paths


def _missing(item: str) -> str | None:
    from metrics.requests import language_of

    entry = next(entry for entry in ENTRIES if entry.id == item)
    language = language_of(" ".join(text for _, text in entry.speech))
    return None if language is None else missing_voice(language)


def _chosen(subset: Iterable[str] | None) -> list[Job]:
    every = jobs()
    if subset is None:
        return list(every)
    names = {subset} if isinstance(subset, str) else set(subset)
    unknown = sorted(names - {job.name for job in every})
    if unknown:
        raise UserError(
            f"no truth clip is called '{unknown[0]}'; give item ids m01 to m24 or probe names: {', '.join(PROBES)}"
        )
    return [job for job in every if job.name in names]


def _item(item: str) -> Made:
    track = track_of(item)
    faces = faces_in(item)
    width, height = picture_size(item)
    scene = scene_of(item, width, height, track.mouths(faces) if faces else None)
    truth: dict[str, Any] = {"picture": item, "onsets_s": list(events_of(item)), "faces": faces, **track.truth()}
    return Made(Reel(pictures(scene, track.seconds), Fraction(FPS), track.sound), truth)


def _stamp_path(path: Path) -> Path:
    return path.with_suffix(".json") if path.suffix == ".mp4" else path.with_name(path.name + ".json")


def _ensure(path: Path, job: Job, force: bool) -> Path:
    if force or not _complete(path):
        _render(path, job)
    return path


def _complete(path: Path) -> bool:
    """Whether the clip is there, of this version, and as long in bytes as when it was written."""
    try:
        stamp = json.loads(_stamp_path(path).read_text("utf-8"))
        return bool(stamp["renderer"] == RENDERER and stamp["bytes"] == path.stat().st_size)
    except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
        return False


def _render(path: Path, job: Job) -> None:
    made = job.make()
    size: dict[str, int] = {}
    write_clip(
        path,
        Reel(
            _watched(made.reel.pictures, size),
            made.reel.fps,
            made.reel.sound,
            made.reel.sample_rate,
            made.reel.rotation,
        ),
    )
    truth = {
        "name": job.name,
        "renderer": RENDERER,
        "bytes": path.stat().st_size,
        "fps": str(made.reel.fps),
        **size,
        **made.truth,
    }
    write_text(_stamp_path(path), json.dumps(truth, indent=1, ensure_ascii=False) + "\n")


def _watched(frames: Iterable[NDArray[np.uint8]], size: dict[str, int]) -> Iterator[NDArray[np.uint8]]:
    """The same pictures; their count and size are noted on the way, as coded, before any rotation."""
    for count, picture in enumerate(frames, 1):
        size.update(width=picture.shape[1], height=picture.shape[0], frames=count)
        yield picture
