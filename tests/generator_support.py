"""Support for tests of generators: the trial generator by entry point, a run of it, and what must not depend on luck."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from run_support import TESTS

from mova_eval import benchmarks
from mova_eval.generators import GenerationOutcome, PlanOptions, generate_clips, make, registry
from mova_eval.generators.ledger import read_ledger
from mova_eval.records import GenerationRecord


def install_trial_generator(folder: Path) -> None:
    """Register the trial generator; the caller puts `folder` and the tests folder on the import path."""
    info = folder / "trial_generators-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trial-generators\nVersion: 1.0\n")
    entry = f"[{registry.ENTRY_POINT_GROUP}]\ntrial = trial_generators:TrialGenerator\n"
    (info / "entry_points.txt").write_text(entry)


def on_path(monkeypatch: Any, folder: Path) -> None:
    """Put the trial generator on the import path of this process, and of programs it starts."""
    for place in (TESTS, folder):
        monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    registry.refresh()


def smoke(ids: str | None = None, **more: Any) -> benchmarks.Benchmark:
    """The six items of mini's smoke subset, or some items of mini."""
    return benchmarks.load("mini", sets=None if ids else ["smoke"], ids=ids.split(",") if ids else None, **more)


def generate(out: Path, ids: str | None = None, *, plan: PlanOptions | None = None, **more: Any) -> GenerationOutcome:
    """Make clips with the trial generator; arguments that are settings of it go there."""
    trial = make("trial")
    settings = {name: more.pop(name) for name in list(more) if name in trial.settings}
    return generate_clips(smoke(ids), make("trial", settings), out=out, options=plan, **{"workers": 0, **more})


def ledger(out: Path) -> list[GenerationRecord]:
    return read_ledger(out / "generation.jsonl")[0]


def lasting(out: Path) -> dict[str, Any]:
    """What of the made clips must not depend on how they came about: last records without times, and the clips."""
    last = {record.item: record for record in ledger(out)}
    luck: dict[str, Any] = {"exclude": {"seconds", "attempt", "peak_memory_bytes", "error_tail", "details"}}
    records = {item: record.model_dump(**luck) for item, record in sorted(last.items())}
    clips = {str(path.relative_to(out)): path.read_bytes() for path in sorted((out / "clips").rglob("*.mp4"))}
    return {"records": records, "clips": clips}


def collector() -> tuple[list[Any], Callable[[Any], None]]:
    told: list[Any] = []
    return told, told.append
