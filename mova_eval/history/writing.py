"""Writing a history: one static page, and the same as JSON."""

from __future__ import annotations

from pathlib import Path

from metrics.errors import UserError
from mova_eval.history.page import history_page
from mova_eval.history.records import History
from mova_eval.reports.shell import write_text


def write_history(history: History, out: str | Path) -> list[Path]:
    """Write the page to `out` (a file ending in .html) and the same as JSON beside it.

    Raises UserError where it cannot be written.
    """
    path = Path(out)
    if path.suffix != ".html":
        raise UserError(f"{path} does not end in .html; give the name of the page")
    try:
        data = write_text(path.with_suffix(".json"), history.model_dump_json(indent=1) + "\n")
        return [write_text(path, history_page(history)), data]
    except OSError as error:
        raise UserError(f"cannot write {error.filename or path}: {error.strerror}") from error
