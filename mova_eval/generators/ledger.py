"""The journal of the making of clips, and which of its clips still stand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from metrics.errors import UserError
from mova_eval.records import GenerationManifest, GenerationRecord
from mova_eval.runs.lines import LineFile, whole_lines


def read_ledger(path: Path) -> tuple[list[GenerationRecord], int]:
    """Records in the order of writing, and how many bytes they take. Raises UserError naming a damaged line."""
    lines, size = whole_lines(path)
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(GenerationRecord.model_validate_json(line))
        except ValidationError as error:
            raise UserError(
                f"{path} line {number} is not a record of a clip; the file was changed or damaged: mend or remove that "
                f"line and start again"
            ) from error
    return records, size


def newest(records: Iterable[GenerationRecord]) -> dict[str, GenerationRecord]:
    """The last record of every item."""
    return {record.item: record for record in records}


def read_generation_manifest(path: Path) -> GenerationManifest:
    """Raises UserError for a file that is no manifest of this version."""
    try:
        return GenerationManifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(
            f"{path} does not read as a manifest ({where}: {first['msg']}); it was damaged or written by another "
            f"version: choose another --out"
        ) from error


class Ledger:
    """The one writer of generation.jsonl, as it stands in `records`: newest per item."""

    def __init__(self, path: Path) -> None:
        records, size = read_ledger(path)
        self.records = newest(records)
        self._file = LineFile(path, size)

    def append(self, record: GenerationRecord) -> None:
        """Returns when the record is on the disk. Raises OSError."""
        self._file.append(record.model_dump_json(exclude_defaults=True).encode() + b"\n")
        self.records[record.item] = record

    def close(self) -> None:
        self._file.close()
