"""Reports of a run: a table for the terminal, report.md for pull requests, report.html to look at the clips.

Everything a report shows is read from the files of the run (`mova_eval.records`), so writing it again gives the same
bytes. Jinja2 and Rich are imported when a report is written, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from mova_eval.records import Summary
    from mova_eval.reports.inputs import RunFiles

FORMATS = ("md", "html")


def write_reports(run_dir: str | Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write report.md and report.html (or the chosen ones) into a run directory, in the order asked for.

    A report is written beside its place and moved there, so that a reader never sees half of one.
    Raises UserError for an unknown format and for a directory that is not a readable run.
    """
    from metrics.errors import UserError
    from mova_eval.reports.inputs import read_run

    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise UserError(f"no report format is called '{unknown[0]}'; choose from {', '.join(FORMATS)}")
    run = read_run(run_dir)
    writers = {"md": markdown_report, "html": html_report}
    return [_write(run.directory / f"report.{name}", writers[name](run)) for name in formats]


def _write(path: Path, text: str) -> Path:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(path)
    return path


def summary_table(summary: Summary) -> Table:
    """The aggregate as a Rich table that fits 80 columns: score, direction, value and interval, coverage, rule."""
    from mova_eval.reports.console import summary_table as table

    return table(summary)


def markdown_report(run: RunFiles) -> str:
    """The whole report as GitHub-flavoured Markdown."""
    from mova_eval.reports.markdown import markdown_report as render

    return render(run)


def html_report(run: RunFiles) -> str:
    """The whole report as one HTML file that asks nothing of the network; clips are linked by relative path."""
    from mova_eval.reports.page import html_report as render

    return render(run)


__all__ = ["FORMATS", "html_report", "markdown_report", "summary_table", "write_reports"]
