"""Transcripts kept in a file, so that error rates can be computed again without any recogniser."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from metrics.asr.base import AsrFailure
from metrics.errors import UserError

_IDS = ("id", "item", "item_id")
_TEXTS = ("text", "transcript", "hypothesis")


class StoredTranscripts:
    """Item id -> transcript, from a file.

    Accepted: a JSON object `{id: text}`; JSON lines (or a JSON list) of objects with an id under "id" or "item" and a
    text under "text", "transcript" or "hypothesis"; and the journal of a run (`scores.jsonl`), of which the lines of
    the same metric are taken. metric: whose lines to take from a journal.
    """

    def __init__(self, path: str | PathLike[str], *, metric: str) -> None:
        self.path = Path(path).expanduser()
        self.metric = metric
        self.label = f"stored:{self.path.stem}"

    def missing(self) -> str | None:
        """One sentence if the file is not there, else None."""
        return None if self.path.is_file() else f"{self.metric} not run: no file {self.path} with stored transcripts"

    def identity(self) -> Mapping[str, str]:
        """Label and sha256 of the file."""
        if not self.path.is_file():
            return {"asr": self.label, "transcripts_sha256": "absent"}
        from metrics.weights import sha256_of

        return {"asr": self.label, "transcripts_sha256": sha256_of(self.path)}

    def text_of(self, item: str) -> str:
        """Transcript of an item. Raises AsrFailure if there is none, UserError if the file cannot be read."""
        if item not in self.texts:
            name = f"item '{item}'" if item else "a clip without an item id"
            raise AsrFailure("no_transcript", f"{self.path.name} holds no transcript of {name}")
        return self.texts[item]

    @cached_property
    def texts(self) -> dict[str, str]:
        """All transcripts by item id. Raises UserError with the place of the first mistake."""
        try:
            content = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"stored transcripts {self.path} cannot be read: {error}") from error
        try:
            whole = json.loads(content)
        except ValueError:
            rows = self._lines(content)
        else:
            if isinstance(whole, dict) and not _identified(whole):
                return {str(item): self._plain(item, value) for item, value in whole.items()}
            rows = [(f"entry {n}", row) for n, row in enumerate(whole if isinstance(whole, list) else [whole], start=1)]
        return self._from_rows(rows)

    def _lines(self, content: str) -> list[tuple[str, Any]]:
        rows = []
        for number, line in enumerate(content.splitlines(), start=1):
            if not line.strip():
                continue
            try:
                rows.append((f"line {number}", json.loads(line)))
            except ValueError as error:
                raise UserError(f"stored transcripts {self.path}, line {number}: not JSON ({error})") from error
        return rows

    def _from_rows(self, rows: list[tuple[str, Any]]) -> dict[str, str]:
        texts: dict[str, str] = {}
        for place, row in rows:
            if not isinstance(row, dict) or not _identified(row):
                raise UserError(f"stored transcripts {self.path}, {place}: no object with an id under 'id' or 'item'")
            item = str(next(row[name] for name in _IDS if name in row))
            text = self._text(row)
            if text is None:
                if "metric" in row:  # another metric's line of a journal, or a failed one
                    continue
                raise UserError(f"stored transcripts {self.path}, {place}: item '{item}' has no text under 'text'")
            if texts.setdefault(item, text) != text:
                raise UserError(f"stored transcripts {self.path}, {place}: a second, different text of item '{item}'")
        return texts

    def _text(self, row: Mapping[str, Any]) -> str | None:
        if "metric" in row:
            details = row.get("details")
            same = row["metric"] == self.metric and isinstance(details, dict)
            row = details if same and isinstance(details, dict) else {}
        return next((row[name] for name in _TEXTS if isinstance(row.get(name), str)), None)

    def _plain(self, item: str, value: Any) -> str:
        text = self._text(value) if isinstance(value, dict) else value
        if not isinstance(text, str):
            raise UserError(f"stored transcripts {self.path}: item '{item}' has no text, but {type(value).__name__}")
        return text


def _identified(row: Mapping[str, Any]) -> bool:
    return any(name in row for name in _IDS)
