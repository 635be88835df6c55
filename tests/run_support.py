"""Support for tests of runs: a small benchmark, files that stand for clips, and metrics registered by entry points."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metrics import registry
from metrics.types import Request, Turn

TESTS = Path(__file__).parent


@dataclass(frozen=True)
class TrialItem:
    id: str
    set: str
    category: str | None = None
    language: str | None = "en"
    prompt: str = "a dog barks"
    speech: tuple[Turn, ...] = (Turn("", "hello there"),)
    flags: tuple[str, ...] = ()
    first_frame: str | None = None

    def request(self) -> Request:
        return Request(id=self.id, prompt=self.prompt, speech=self.speech, first_frame=self.first_frame)


@dataclass(frozen=True)
class TrialBenchmark:
    items: tuple[TrialItem, ...]
    sets: tuple[str, ...]
    name: str = "trial-benchmark"
    version: str = "1"
    title: str = "Trial"
    content_sha256: str = "0" * 64
    prompt_variant: str = "official"


@dataclass(frozen=True)
class TrialMatching:
    clips: Mapping[str, Path]
    unmatched: tuple[Path, ...] = field(default=())
    remarks: tuple[str, ...] = field(default=())
    absent: Mapping[str, str] = field(default_factory=dict)


def write_distribution(folder: Path, name: str, entry_points: Mapping[str, str]) -> None:
    """What an installed distribution leaves behind, as far as entry points go."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{key} = {value}" for key, value in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{registry.ENTRY_POINT_GROUP}]", *lines]) + "\n")


TRIAL_METRICS = {
    "trial": "trial_metrics:Trial",
    "rates": "trial_metrics:Rates",
    "variety": "trial_metrics:Variety",
    "unloadable": "trial_metrics:Unloadable",
    "heavyweight": "trial_metrics:Heavyweight",
    "together": "trial_metrics:Together",
    "greedy": "trial_metrics:Greedy",
}


def install_trial_metrics(folder: Path) -> None:
    """Register the trial metrics; the caller puts `folder` and the tests folder on the import path."""
    write_distribution(folder, "trial_metrics", TRIAL_METRICS)


def on_path(monkeypatch: Any, *folders: Path) -> None:
    """Put folders on the import path of this process, and of programs it starts."""
    for folder in folders:
        monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    registry.refresh()


def make_benchmark(sizes: Mapping[str, int], **more: Any) -> TrialBenchmark:
    """sizes: set -> number of items; ids are `<set>-00`, `<set>-01` ..."""
    items = tuple(TrialItem(f"{name}-{i:02d}", name, category=name) for name, n in sizes.items() for i in range(n))
    return TrialBenchmark(items, tuple(sizes), **more)


def write_clips(
    folder: Path, benchmark: TrialBenchmark, words: Mapping[str, str] | None = None, skip: Iterable[str] = ()
) -> TrialMatching:
    """A file per item; words: item id -> first word of its content."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = {}
    for item in benchmark.items:
        if item.id in set(skip):
            continue
        path = folder / f"{item.id}.mp4"
        noise = hashlib.sha256(item.id.encode()).hexdigest()
        path.write_text(f"{(words or {}).get(item.id, 'clip')} {noise}")
        clips[item.id] = path
    return TrialMatching(clips)


def run_files(run: Path, names: Sequence[str] = ("scores.jsonl", "summary.json")) -> dict[str, bytes]:
    """The files of a run that must not depend on how it came about."""
    return {name: (run / name).read_bytes() for name in names}
