"""What a report is made from: the files of a run, read once; the run may still be going on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mova_eval.records import Manifest, Record, RunItem, Summary, Timing

if TYPE_CHECKING:
    from mova_eval.comparison.records import ClipFormat

Pair = tuple[str, str]
"""(item id, metric name)"""


@dataclass(frozen=True)
class RunFiles:
    """A run as it lies on disk.

    records, timings: the newest of each (item, metric). stale: summary.json was made from another journal than the one
    that lies there now, so tables and clips of a report may disagree. clips: size, length and rate of the clips, read
    off some of them; None where none can be read.
    """

    directory: Path
    manifest: Manifest
    items: tuple[RunItem, ...]
    records: Mapping[Pair, Record]
    timings: Mapping[Pair, Timing]
    summary: Summary
    stale: bool = False
    clips: ClipFormat | None = None

    @property
    def n_expected(self) -> int:
        """Measurements of a complete run: every item by every metric that could run."""
        return len(self.items) * len(self.manifest.metrics)


def read_run(run_dir: str | Path) -> RunFiles:
    """Read a run directory. A run that was stopped before it had a summary gets one, in memory only.

    Raises UserError when it is not a run directory, or when a file of it is damaged.
    """
    from mova_eval.comparison.cards import clip_format
    from mova_eval.runs import load_run, summarise_run
    from mova_eval.runs.journal import journal_sha256

    run = load_run(run_dir)
    summary = run.summary if run.paths.summary.exists() else summarise_run(run.path)
    journal = run.paths.journal
    return RunFiles(
        directory=run.path,
        manifest=run.manifest,
        items=tuple(run.items),
        records={(record.item, record.metric): record for record in run.records},
        timings={(timing.item, timing.metric): timing for timing in run.timings},
        summary=summary,
        clips=clip_format(run),
        stale=journal.exists() and journal_sha256(journal) != summary.journal_sha256,
    )
