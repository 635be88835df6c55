"""Reading a run back: for notebooks, reports and comparisons."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from metrics.errors import UserError
from mova_eval.records import Manifest, Record, RunItem, ScoreSummary, Summary, Timing
from mova_eval.runs.items import read_items
from mova_eval.runs.journal import latest, read_journal
from mova_eval.runs.manifest import read_manifest
from mova_eval.runs.paths import RunPaths

if TYPE_CHECKING:
    import pandas as pd


class Run:
    """A run directory, read when asked. Raises UserError where a file is missing or damaged.

    manifest: what was run. items: its items with their clips, in benchmark order. records: the newest record of every
    (item, metric), in the journal's order. summary: aggregates with intervals.
    """

    def __init__(self, path: Path) -> None:
        self.paths = RunPaths(path)
        self.manifest: Manifest = read_manifest(self.paths.manifest)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def path(self) -> Path:
        return self.paths.root

    @cached_property
    def items(self) -> list[RunItem]:
        return read_items(self.paths.items)

    @cached_property
    def records(self) -> list[Record]:
        return list(latest(read_journal(self.paths.journal)[0]).values())

    @cached_property
    def summary(self) -> Summary:
        path = self.paths.summary
        try:
            return Summary.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise UserError(f"run {self.path} has no summary yet; start it again with its own command") from None
        except ValidationError as error:
            raise UserError(
                f"{path} does not read as a summary; remove it and start the run again with its own command"
            ) from error

    @cached_property
    def timings(self) -> list[Timing]:
        """The newest timing of every (item, metric); a torn line costs one timing."""
        if not self.paths.timings.exists():
            return []
        found = {}
        for line in self.paths.timings.read_bytes().splitlines():
            try:
                timing = Timing.model_validate_json(line)
            except ValidationError:
                continue  # timings are not flushed line by line: a killed run may tear one
            found[timing.item, timing.metric] = timing
        return list(found.values())

    def to_pandas(self) -> pd.DataFrame:
        """A long table: one row per (item, score), whether it was scored or not.

        Columns: item, set, category, metric, score, value (NaN unless scored), status ("scored", "not_applicable",
        "failed", "pending"), reason, code.
        """
        import pandas as pd

        from metrics.registry import metric_class
        from mova_eval.aggregation import clip_score

        records = {(record.item, record.metric): record for record in self.records}
        rows = []
        for item in self.items:
            for ref in self.manifest.metrics:
                record = records.get((item.item, ref.name))
                for spec in metric_class(ref.name).scores:
                    one = clip_score(item, record, spec)
                    place = (item.item, item.set, item.category, ref.name, spec.name)
                    rows.append((*place, one.value, one.status, one.reason, one.code))
        columns = ["item", "set", "category", "metric", "score", "value", "status", "reason", "code"]
        return pd.DataFrame(rows, columns=columns).astype({"value": "float64"})

    def score(self, name: str) -> ScoreSummary:
        """Summary of one score. Raises UserError if the run has none of that name."""
        for summary in self.summary.scores:
            if summary.name == name:
                return summary
        known = ", ".join(summary.name for summary in self.summary.scores)
        raise UserError(f"run {self.path} has no score '{name}'; it has {known}")


def load_run(path: str | Path) -> Run:
    """Open a run directory. Raises UserError when there is no run."""
    return Run(Path(path))
