"""Writing an agreement: page, Markdown, JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from metrics.errors import UserError
from mova_eval.agreement.records import Agreement
from mova_eval.reports.shell import write_text

FORMATS = ("md", "html", "json")


def write_agreement(agreement: Agreement, out: str | Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write agree.md, agree.html and agree.json (or the chosen ones) into a folder.

    Raises UserError for an unknown format and where the folder cannot be written.
    """
    from mova_eval.agreement.page import agreement_page
    from mova_eval.agreement.texts import markdown

    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise UserError(f"no format is called '{unknown[0]}'; choose from {', '.join(FORMATS)}")
    makers: dict[str, Callable[[Agreement], str]] = {"md": markdown, "html": agreement_page, "json": _json}
    folder = Path(out)
    try:
        return [write_text(folder / f"agree.{name}", makers[name](agreement)) for name in formats]
    except OSError as error:
        raise UserError(f"cannot write {error.filename or folder}: {error.strerror}") from error


def _json(agreement: Agreement) -> str:
    return agreement.model_dump_json(indent=1) + "\n"
