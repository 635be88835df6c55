"""Whether a clip that is there is the one that is planned, and what goes when it is not."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from metrics.weights import sha256_of
from mova_eval.generators.contract import ClipRequest
from mova_eval.records import GenerationRecord
from mova_eval.runs.paths import RunPaths


def stands(record: GenerationRecord | None, request: ClipRequest, place: Path) -> bool:
    """Whether the clip at `place` is the one that the record speaks of, and made for this very request."""
    if record is None or record.state != "ok" or record.request_sha256 != request.sha256():
        return False
    try:
        return sha256_of(place) == record.clip_sha256
    except OSError:
        return False


def forget_scores(paths: RunPaths) -> None:
    """Take away what was measured on clips that are made again otherwise. Raises OSError."""
    for name in ("report.md", "report.html"):
        (paths.root / name).unlink(missing_ok=True)
    for path in (paths.summary, paths.journal, paths.timings, paths.items, paths.manifest):
        path.unlink(missing_ok=True)


def remove_empty(folder: Path) -> None:
    """Take away a folder and those in it that hold no file; one with a file stays."""
    for place, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            os.rmdir(place)
