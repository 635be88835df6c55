"""Writing the table beside baselines in all its formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metrics.errors import UserError
from mova_eval.baselines.records import Standing
from mova_eval.reports.shell import write_text

FORMATS = ("md", "html", "tex", "csv", "json")


def write_tables(standing: Standing, out: str | Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write table.md, table.html, table.tex, table.csv and table.json (or the chosen ones) into a folder.

    Raises UserError for an unknown format and where the folder cannot be written.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise UserError(f"no table format is called '{unknown[0]}'; choose from {', '.join(FORMATS)}")
    folder = Path(out)
    try:
        return [write_text(folder / f"table.{name}", as_text(standing, name)) for name in formats]
    except OSError as error:
        raise UserError(f"cannot write {error.filename or folder}: {error.strerror}") from error


def as_text(standing: Standing, name: str) -> str:
    """The table in one format."""
    from mova_eval.baselines import texts

    if name == "html":
        from mova_eval.baselines.page import standing_page

        return standing_page(standing)
    if name == "json":
        return standing.model_dump_json(indent=1) + "\n"
    return {"md": texts.markdown, "tex": texts.latex, "csv": texts.csv_text}[name](standing)
