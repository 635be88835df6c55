"""Exports: one row per judgement, anonymous, with a manifest that proves which leaderboard they are the data of.

`read_export` gives a table that `arena.ratings.bradley_terry` takes; the ratings come out the same.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from arena.clock import day_of
from arena.context import Arena
from arena.db.tables import Item, Model
from arena.db.tables_results import RatingSnapshot
from arena.db.tables_votes import Exclusion
from arena.errors import ArenaError
from arena.ratings.data import fingerprint
from arena.service import audit
from arena.service.campaigns import find
from arena.tokens import keyed_hash

if TYPE_CHECKING:
    import pandas as pd

Level = Literal["public", "full"]
FORMATS = ("csv", "parquet", "jsonl")
FEW_VOTES = 5
"""Voters with fewer votes share one pseudonym."""
MANIFEST = "manifest.json"

COLUMNS = {
    "vote": "number of the vote; the answers to its questions share it",
    "battle": "number of the battle",
    "campaign": "name of the campaign",
    "benchmark": "benchmark of the item",
    "set": "set of the item",
    "item": "key of the item in its benchmark",
    "category": "category of the item",
    "language": "language to be heard",
    "model_a": "model on the left",
    "model_b": "model on the right",
    "winner": "model_a, model_b, tie or both_bad",
    "criterion": "overall, video, audio, sync or prompt",
    "kind": "regular and panel count for ratings; gold, repeat and practice do not",
    "voter": "pseudonym, new in every export; voters with fewer than 5 votes share one",
    "seq_no": "n-th battle of this voter",
    "day": "days since 1970 (UTC)",
    "device": "desktop, tablet, mobile or unknown",
    "sound": "headphones, speakers, none or unknown",
    "watched_left": "fraction of the left clip that was watched",
    "watched_right": "fraction of the right clip that was watched",
    "decide_s": "seconds from the later first completion to the vote, to a tenth",
    "excluded": "rules that keep the vote out of ratings, separated by spaces; empty when it counts",
}
FULL_COLUMNS = {
    "voted_ms": "time of the vote, milliseconds since 1970 (UTC)",
    "server_elapsed_ms": "milliseconds from serving to the vote",
    "input": "mouse, keyboard, touch, api or unknown",
    "mode": "quick or detailed",
    "policy": "rule by which the pair was chosen",
    "p_pair": "probability of the pair under that rule",
    "cohort": "cohort of the invite",
    "voter_kind": "anonymous, invited, login or simulated",
    "model_a_version": "exact version of model_a",
    "model_b_version": "exact version of model_b",
}


@dataclass(frozen=True)
class Export:
    """files: written, the manifest last. snapshots: ids of snapshots whose data this export holds exactly."""

    folder: Path
    files: tuple[Path, ...]
    rows: int
    voters: int
    snapshots: tuple[int, ...]


def export_votes(
    arena: Arena,
    campaign: str,
    folder: Path,
    *,
    level: Level = "public",
    formats: Sequence[str] = FORMATS,
    actor: str = "system",
) -> Export:
    """Write every judgement of a campaign, with a manifest (counts, SHA-256, columns, snapshots).

    Public: no exact time, no network, no admin names, voters under new pseudonyms, models and items whose licence
    forbids it left out. Raises ArenaError for an unknown format, or a folder that holds an export already.
    """
    for name in formats:
        if name not in FORMATS:
            raise ArenaError(f"'{name}' is no export format; give {', '.join(FORMATS)}")
    if (folder / MANIFEST).exists():
        raise ArenaError(f"{folder} holds an export already; give another folder")
    folder.mkdir(parents=True, exist_ok=True)
    columns = list(COLUMNS) + (list(FULL_COLUMNS) if level == "full" else [])
    with arena.database.read() as session:
        row = find(session, campaign)
        table = _table(session, row.id, row.slug, level)[columns]
        snapshots, licences = _reproduced(session, row.id, table), _licences(session, row.id)
    files = [_write(table, folder, name) for name in formats]
    voters = int(table["voter"].nunique())
    manifest = {
        "campaign": campaign,
        "level": level,
        "rows": len(table),
        "votes": int(table["vote"].nunique()),
        "voters": voters,
        "created_day": day_of(arena.clock.now_ms()),
        "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        "columns": {name: (COLUMNS | FULL_COLUMNS)[name] for name in columns},
        "snapshots": snapshots,
        "licences": licences,
        "note": "ratings need kind regular or panel, excluded empty, one criterion",
    }
    place = folder / MANIFEST
    place.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    audit.record(arena, actor, "exported", ("campaign", campaign), {"level": level, "rows": len(table)})
    return Export(folder, (*files, place), len(table), voters, tuple(s["id"] for s in snapshots))


def _table(session: Session, campaign_id: int, slug: str, level: Level) -> pd.DataFrame:
    import pandas as pd

    statement = text(
        "SELECT j.vote_id, j.battle_id, j.item_id, j.model_lo_id, j.model_hi_id, j.outcome,"
        " CASE WHEN j.left_is_lo THEN 1 ELSE 0 END AS left_is_lo, j.criterion, j.kind, j.voter_id, j.seq_no,"
        " j.voted_ms,"
        " w.device, w.sound, w.cohort, w.kind AS voter_kind, v.watched_left, v.watched_right, v.decide_ms,"
        " v.server_elapsed_ms, v.input, v.mode, b.policy, b.p_pair, j.clip_left_id, j.clip_right_id, b.gold_check_id"
        " FROM judgements j JOIN votes v ON v.id = j.vote_id JOIN battles b ON b.id = j.battle_id"
        " JOIN voters w ON w.id = j.voter_id"
        " WHERE j.campaign_id = :campaign AND j.outcome <> 'na' ORDER BY j.vote_id, j.criterion"
    )
    result = session.execute(statement, {"campaign": campaign_id})
    raw = pd.DataFrame(result.fetchall(), columns=list(result.keys()))
    items = {i.id: i for i in session.scalars(select(Item))}
    models = {m.id: m for m in session.scalars(select(Model))}
    if level == "public":
        raw = raw[~raw["item_id"].isin([i.id for i in items.values() if i.content_flags.get("public") is False])]
    left_is_lo = raw["left_is_lo"] == 1
    left = raw["model_lo_id"].where(left_is_lo, raw["model_hi_id"])
    right = raw["model_hi_id"].where(left_is_lo, raw["model_lo_id"])
    flip = {"lo": "hi", "hi": "lo"}
    winner = raw["outcome"].where(left_is_lo, raw["outcome"].replace(flip))
    out = pd.DataFrame(
        {
            "vote": raw["vote_id"],
            "battle": raw["battle_id"],
            "campaign": slug,
            "benchmark": raw["item_id"].map(lambda i: items[i].benchmark),
            "set": raw["item_id"].map(lambda i: items[i].set_name),
            "item": raw["item_id"].map(lambda i: items[i].item_key),
            "category": raw["item_id"].map(lambda i: items[i].category),
            "language": raw["item_id"].map(lambda i: items[i].language),
            "model_a": left.map(lambda i: models[i].slug),
            "model_b": right.map(lambda i: models[i].slug),
            "winner": winner.replace({"lo": "model_a", "hi": "model_b"}),
            "voter": _pseudonyms(raw, level),
            "day": raw["voted_ms"].map(day_of),
            "decide_s": (raw["decide_ms"].astype("Float64") / 1000).round(1),
            "excluded": _rules(session, raw),
            "model_a_version": left.map(lambda i: models[i].version),
            "model_b_version": right.map(lambda i: models[i].version),
        }
    )
    same = [c for c in (*COLUMNS, *FULL_COLUMNS) if c not in out.columns]
    return out.join(raw[same])


def _pseudonyms(raw: pd.DataFrame, level: Level) -> pd.Series[str]:
    key = secrets.token_hex(32)
    votes = raw.groupby("voter_id")["vote_id"].nunique()
    names = {
        voter: "few-votes" if level == "public" and count < FEW_VOTES else "v" + keyed_hash(key, str(voter))[:12]
        for voter, count in votes.items()
    }
    return raw["voter_id"].map(names).astype("str")


def _rules(session: Session, raw: pd.DataFrame) -> pd.Series[str]:
    import pandas as pd

    where = {
        "vote": ["vote_id"],
        "battle": ["battle_id"],
        "voter": ["voter_id"],
        "clip": ["clip_left_id", "clip_right_id"],
        "item": ["item_id"],
        "model": ["model_lo_id", "model_hi_id"],
        "gold_check": ["gold_check_id"],
    }
    rules = pd.Series("", index=raw.index, dtype="object")
    query = select(Exclusion.scope, Exclusion.target_id, Exclusion.rule).where(Exclusion.revoked_ms.is_(None))
    for scope, target, rule in session.execute(query.order_by(Exclusion.id)):
        hit = np.logical_or.reduce([(raw[column] == target).fillna(False).to_numpy(bool) for column in where[scope]])
        rules[hit] = [f"{there} {rule}".strip() if rule not in there.split() else there for there in rules[hit]]
    return rules.astype("str")


def _reproduced(session: Session, campaign_id: int, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Snapshots without a filter whose data are exactly the rows of this table that count."""
    found: list[dict[str, Any]] = []
    prints: dict[str, str] = {}
    query = select(RatingSnapshot).where(RatingSnapshot.campaign_id == campaign_id).order_by(RatingSnapshot.id)
    for snapshot in session.scalars(query):
        criterion = snapshot.criterion
        if snapshot.filter:
            continue
        if criterion not in prints:
            prints[criterion] = data_sha256(table, criterion)
        if prints[criterion] == snapshot.data_sha256:
            found.append({"id": snapshot.id, "criterion": criterion, "data_sha256": snapshot.data_sha256})
    return found


def counted(table: pd.DataFrame, criterion: str = "overall") -> pd.DataFrame:
    """The rows of an export that a rating uses."""
    kept = (table["criterion"] == criterion) & table["kind"].isin(("regular", "panel"))
    return table[kept & (table["excluded"].fillna("") == "")]


def data_sha256(table: pd.DataFrame, criterion: str = "overall") -> str:
    """The fingerprint that a snapshot of these judgements has; "" without any."""
    from arena.ratings.table import read_votes

    rows = counted(table, criterion)
    if not len(rows):
        return ""
    return fingerprint(read_votes(rows), rows["vote"].to_numpy(np.int64), criterion)


def _licences(session: Session, campaign_id: int) -> dict[str, str]:
    from arena.service.judgements import campaign_models

    return {model.slug: model.licence for model in campaign_models(session, campaign_id)}


def _write(table: pd.DataFrame, folder: Path, name: str) -> Path:
    path = folder / f"votes.{name}"
    if name == "csv":
        _safe(table).to_csv(path, index=False)
    elif name == "parquet":
        table.to_parquet(path, index=False)
    else:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in _lines(table))
    return path


def _safe(table: pd.DataFrame) -> pd.DataFrame:
    """Texts that a spreadsheet would take for a formula get a leading apostrophe."""
    safe = table.copy()
    for column in ("set", "item", "category", "model_a", "model_b"):
        safe[column] = safe[column].map(lambda v: f"'{v}" if isinstance(v, str) and v[:1] in "=+-@\t\r" and v else v)
    return safe


def _lines(table: pd.DataFrame) -> Iterator[str]:
    for row in table.astype(object).where(table.notna(), None).to_dict("records"):
        yield json.dumps(row, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def read_export(path: Path) -> pd.DataFrame:
    """Read an export back: its folder, or one of its files. Raises ArenaError for what is no export or was changed."""
    import pandas as pd

    if path.is_dir():
        manifest = _manifest(path)
        name = next((f"votes.{f}" for f in ("parquet", "csv", "jsonl") if f"votes.{f}" in manifest["files"]), None)
        if name is None:
            raise ArenaError(f"{path / MANIFEST} names no file of votes")
        path = path / name
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != manifest["files"][name]:
            raise ArenaError(f"{path} is not the file that its manifest describes")
    readers = {
        ".csv": lambda p: pd.read_csv(p, keep_default_na=False, na_values={"decide_s": [""]}),
        ".parquet": pd.read_parquet,
        ".jsonl": lambda p: pd.read_json(p, lines=True, dtype=False, convert_dates=False),
    }
    if path.suffix not in readers or not path.is_file():
        raise ArenaError(f"{path} is no export of votes; give its folder, or a .csv, .parquet or .jsonl file")
    try:
        table = readers[path.suffix](path)
    except (ValueError, OSError) as error:
        raise ArenaError(f"{path} does not read as {path.suffix[1:]}: {error}") from None
    missing = [name for name in ("vote", "model_a", "model_b", "winner", "criterion") if name not in table.columns]
    if missing:
        raise ArenaError(f"{path} has no column '{missing[0]}'; is it an export of votes?")
    for name in ("set", "item", "category", "model_a", "model_b"):
        if path.suffix == ".csv" and name in table.columns:
            table[name] = table[name].map(_unsafe)
    return table


def _unsafe(value: Any) -> Any:
    text_ = str(value)
    return text_[1:] if text_[:1] == "'" and text_[1:2] in tuple("=+-@\t\r") else value


def _manifest(folder: Path) -> dict[str, Any]:
    place = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ArenaError(f"{folder} holds no export: there is no readable {MANIFEST}") from None
    if not isinstance(manifest.get("files"), dict):
        raise ArenaError(f"{place} is no manifest of an export")
    return manifest
