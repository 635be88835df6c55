"""How long clips take, as earlier runs have measured it."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from metrics.errors import UserError
from mova_eval.generators.contract import ClipRequest, Generator
from mova_eval.generators.ledger import read_ledger

_OF_A_KIND = ("parameters", "frames", "fps")


def seconds_per_clip(results: Path, generator: Generator, request: ClipRequest) -> float | None:
    """Median seconds of clips that earlier runs made with the same settings and as many pixels; None if there are none.

    results: folder of run directories. Damaged journals are passed over: this is an estimate.
    """
    wanted = _kind(request.identity())
    seconds = []
    for journal in sorted(results.glob("*/generation.jsonl")):
        try:
            records, _ = read_ledger(journal)
        except UserError:
            continue
        seconds += [
            r.seconds
            for r in records
            if r.state == "ok" and r.generator == generator.name and _kind(r.request) == wanted
        ]
    return median(seconds) if seconds else None


def _kind(request: dict[str, object]) -> tuple[object, ...]:
    width, height = request.get("width"), request.get("height")
    pixels = width * height if isinstance(width, int) and isinstance(height, int) else None
    return (pixels, *(request.get(name) for name in _OF_A_KIND))


def human_seconds(seconds: float) -> str:
    """A duration for people: "45 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
