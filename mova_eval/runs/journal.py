"""The journal of a run: append-only JSON lines, the only truth about what has been measured.

Every line is on the disk before anybody is told that its measurement is done. A crash can at most leave a torn last
line without its line end; that one is cut off when the journal is opened again. Anything else that does not read as a
record is damage, and is reported instead of guessed around.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from metrics.errors import UserError
from mova_eval.records import Record
from mova_eval.runs.lines import LineFile, whole_lines
from mova_eval.runs.paths import write_atomically


def encode(record: Record) -> bytes:
    """A record as its line, line end included. The same record gives the same bytes."""
    return record.model_dump_json(exclude_defaults=True).encode() + b"\n"


def read_journal(path: Path) -> tuple[list[Record], int]:
    """Records of a journal in the order of writing, and how many bytes of the file they take.

    A torn last line (without line end) is left out and not counted. A file that is not there is an empty journal.
    Raises UserError naming the line that is not a record.
    """
    lines, size = whole_lines(path)
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(Record.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise UserError(
                f"{path} line {number} is not a record ({where + ': ' if where else ''}{first['msg']}); the file was "
                f"changed or damaged: mend or remove that line and start again"
            ) from error
    return records, size


def latest(records: Iterable[Record]) -> dict[tuple[str, str], Record]:
    """The last record of every (item, metric)."""
    return {(record.item, record.metric): record for record in records}


class Journal:
    """The one writer of a journal, as a context manager. `records` is what stands in it, newest per (item, metric)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: dict[tuple[str, str], Record] = {}
        self._file: LineFile | None = None

    def __enter__(self) -> Journal:
        records, size = read_journal(self.path)
        self.records = latest(records)
        self._file = LineFile(self.path, size)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def append(self, records: Sequence[Record]) -> None:
        """Write records and return when they are on the disk.

        Several at a time share one wait for the disk. Raises OSError when the disk refuses; the journal then holds
        what it held before the call.
        """
        if self._file is None:
            raise RuntimeError("the journal is closed")
        self._file.append(b"".join(map(encode, records)))
        self.records.update(latest(records))

    def seal(self, order: Iterable[tuple[str, str]]) -> None:
        """Rewrite the journal in the given order of (item, metric), leaving out every other record.

        A complete run so ends with the same bytes whatever the order in which its measurements came in.
        Raises KeyError for a pair without a record.
        """
        kept = {pair: self.records[pair] for pair in order}
        data = b"".join(map(encode, kept.values()))
        if self.path.read_bytes() != data:
            write_atomically(self.path, data)
        self.records = kept
        self._close()


def journal_sha256(path: Path) -> str:
    """Hex sha256 of the journal file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
