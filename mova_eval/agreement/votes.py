"""Votes from a file: the arena's export, or any table with the same columns."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metrics.errors import UserError

OUTCOMES: Mapping[str, int] = {"model_a": 1, "model_b": -1, "tie": 0, "both_bad": 0}
COUNTED_KINDS = frozenset({"", "regular", "panel"})
"""Kinds of battle that count; gold, repeat and practice battles do not."""
_FILES = ("votes.parquet", "votes.csv", "votes.jsonl")
OVERALL = "overall"


@dataclass(frozen=True, slots=True)
class Vote:
    """One judgement. outcome: 1 for model_a, -1 for model_b, 0 for a tie (both bad included)."""

    item: str
    model_a: str
    model_b: str
    outcome: int
    criterion: str
    category: str
    voter: str


def read_votes(path: str | Path) -> tuple[list[Vote], dict[str, int]]:
    """Votes of a file (.csv, .jsonl, .parquet) or of an export's folder, and why others were left out.

    Columns: item (or item_key), model_a, model_b, winner ("model_a", "model_b", "tie", "both_bad"); optional:
    criterion, category, voter, kind, excluded. Raises UserError for a file that does not read, a missing column, and
    another winner.
    """
    place = _file(Path(path))
    votes: list[Vote] = []
    left_out: Counter[str] = Counter()
    for number, row in enumerate(_rows(place), start=1):
        if str(row.get("excluded") or "").strip():
            left_out["excluded by the arena"] += 1
        elif _text(row, "kind") not in COUNTED_KINDS:
            left_out[f"{_text(row, 'kind')} battles"] += 1
        elif _text(row, "winner") == "na":
            left_out["question does not apply"] += 1
        else:
            votes.append(_vote(row, place, number))
    if not votes:
        reasons = ", ".join(f"{why} {n}" for why, n in left_out.items())
        raise UserError(f"{place} holds no vote that counts{f' ({reasons})' if reasons else ''}")
    return votes, dict(left_out)


def _file(path: Path) -> Path:
    if path.is_dir():
        found = next((path / name for name in _FILES if (path / name).is_file()), None)
        if found is None:
            raise UserError(f"{path} holds no votes; give an export's folder or file ({', '.join(_FILES)})")
        return found
    if not path.is_file():
        raise UserError(f"{path} is not there; give a file of votes (.csv, .jsonl, .parquet) or an export's folder")
    return path


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    readers = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
    if path.suffix not in readers:
        raise UserError(f"{path} is not a table of votes; give a .csv, .jsonl or .parquet file")
    try:
        rows = list(readers[path.suffix](path))
    except (OSError, ValueError, ImportError) as error:
        raise UserError(f"{path} does not read as {path.suffix[1:]}: {error}") from error
    if not rows:
        raise UserError(f"{path} holds no votes")
    columns = set(rows[0])
    missing = [name for name in ("model_a", "model_b", "winner") if name not in columns]
    if "item" not in columns and "item_key" not in columns:
        missing.append("item")
    if missing:
        raise UserError(f"{path} has no column '{missing[0]}'; votes need item, model_a, model_b and winner")
    yield from rows


def _csv(path: Path) -> Iterable[dict[str, Any]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def _jsonl(path: Path) -> Iterable[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("a line is not an object")
            yield row


def _parquet(path: Path) -> Iterable[dict[str, Any]]:
    import pandas as pd

    frame = pd.read_parquet(path)
    yield from frame.astype(object).where(frame.notna(), None).to_dict("records")


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    text = "" if value is None else str(value).strip()
    # an export guards cells that a spreadsheet would take for a formula by an apostrophe
    return text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@", "\t", "\r") else text


def _vote(row: Mapping[str, Any], path: Path, number: int) -> Vote:
    winner = _text(row, "winner")
    if winner not in OUTCOMES:
        raise UserError(f"{path} row {number}: winner is '{winner}', not one of {', '.join(OUTCOMES)}")
    item, a, b = _text(row, "item") or _text(row, "item_key"), _text(row, "model_a"), _text(row, "model_b")
    if not (item and a and b):
        raise UserError(f"{path} row {number} names no item, model_a or model_b")
    if a == b:
        raise UserError(f"{path} row {number}: '{a}' is compared with itself")
    criterion = _text(row, "criterion") or OVERALL
    return Vote(item, a, b, OUTCOMES[winner], criterion, _text(row, "category"), _text(row, "voter"))
