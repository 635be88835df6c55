"""A comparison as files: JSON for programs, Markdown for pull requests, a page to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from metrics.errors import UserError
from mova_eval.comparison.records import Comparison
from mova_eval.reports.shell import write_text

if TYPE_CHECKING:
    from mova_eval.gates.records import GateResult

FORMATS = ("md", "html", "json")


def write_comparison(
    comparison: Comparison, out: str | Path, formats: Sequence[str] = FORMATS, gate: GateResult | None = None
) -> list[Path]:
    """Write compare.md, compare.html and compare.json (or the chosen ones) into a folder, in the order asked for.

    gate: the judgement to put on top. Raises UserError for an unknown format and where the folder cannot be written.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise UserError(f"no format of a comparison is called '{unknown[0]}'; choose from {', '.join(FORMATS)}")
    folder = Path(out)
    try:
        return [write_text(folder / f"compare.{name}", _text(comparison, folder, name, gate)) for name in formats]
    except OSError as error:
        raise UserError(f"cannot write {error.filename or folder}: {error.strerror}") from error


def _text(comparison: Comparison, folder: Path, name: str, gate: GateResult | None) -> str:
    if name == "json":
        return comparison.model_dump_json(indent=1) + "\n"
    if name == "html":
        from mova_eval.comparison.page import comparison_page

        return comparison_page(comparison, folder, gate)
    from mova_eval.comparison.markdown import comparison_markdown

    text = comparison_markdown(comparison)
    if gate is not None:
        from mova_eval.gates.markdown import gate_markdown

        text = f"{gate_markdown(gate)}\n\n{text}"
    return text
